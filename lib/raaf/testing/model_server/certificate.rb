# frozen_string_literal: true

require "openssl"
require "tempfile"

module RAAF
  module Testing
    class ModelServer
      # A self-signed certificate made for one server: nobody trusts it who was not given {#ca_file}.
      class Certificate
        # Names and addresses the certificate is made out to.
        HOSTS = %w[127.0.0.1 ::1 localhost].freeze
        # Seconds it is valid for.
        LIFETIME = 24 * 3600

        # @param hosts [Array<String>] names and IP addresses
        # @param not_after [Time] when it ends; a time in the past makes an expired one
        def initialize(hosts: HOSTS, not_after: Time.now + LIFETIME)
          @key = OpenSSL::PKey::EC.generate("prime256v1")
          @certificate = sign(build(not_after), hosts)
        end

        # @return [OpenSSL::SSL::SSLContext]
        def context
          @context ||= OpenSSL::SSL::SSLContext.new.tap do |context|
            context.cert = @certificate
            context.key = @key
            context.min_version = OpenSSL::SSL::TLS1_2_VERSION
          end
        end

        # @return [String] path of a PEM file that trusts this certificate; gone after {#delete}
        def ca_file
          @file ||= Tempfile.create(["raaf-model-server", ".pem"]).tap do |file|
            file.write(@certificate.to_pem)
            file.close
          end
          @file.path
        end

        # @return [void]
        def delete
          File.unlink(@file.path) if @file
          @file = nil
        rescue Errno::ENOENT
          nil
        end

        private

        def build(not_after)
          OpenSSL::X509::Certificate.new.tap do |certificate|
            certificate.version = 2 # counted from 0: X.509 version 3
            certificate.serial = rand(1..(1 << 60))
            certificate.subject = certificate.issuer = OpenSSL::X509::Name.new([["CN", "RAAF model server"]])
            certificate.public_key = @key
            certificate.not_before = [Time.now, not_after].min - LIFETIME
            certificate.not_after = not_after
          end
        end

        def sign(certificate, hosts)
          factory = OpenSSL::X509::ExtensionFactory.new(certificate, certificate)
          names = hosts.map { |host| "#{host.match?(/\A[\d.]+\z|:/) ? "IP" : "DNS"}:#{host}" }
          certificate.add_extension(factory.create_extension("basicConstraints", "CA:TRUE", true))
          certificate.add_extension(factory.create_extension("subjectKeyIdentifier", "hash"))
          certificate.add_extension(factory.create_extension("subjectAltName", names.join(",")))
          certificate.sign(@key, OpenSSL::Digest.new("SHA256"))
        end
      end
    end
  end
end
