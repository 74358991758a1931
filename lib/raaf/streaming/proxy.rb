# frozen_string_literal: true

require "uri"
require_relative "../errors"

module RAAF
  module Streaming
    # Finds the proxy that the environment names for an address.
    #
    # The rules are those of Ruby's URI#find_proxy with one difference: the host is not looked up. Where only the proxy
    # can resolve names, that look-up waits for seconds, at every request.
    #
    # @api private
    module Proxy
      module_function

      # @param url [String, URI] where the request goes
      # @return [String, nil] the proxy's URL; nil: none
      # @raise [Errors::ConfigurationError] for a proxy that is neither http nor https
      def from_environment(url)
        uri = URI(url)
        name, value = setting_for(uri.scheme)
        return if value.nil? || local?(uri.hostname) || excluded?(uri)

        proxy = URI.parse(value)
        return value if proxy.is_a?(URI::HTTP)

        raise unusable(name)
      rescue URI::InvalidURIError
        raise unusable(name)
      end

      # HTTP_PROXY in capitals is not trusted under CGI, where a client's `Proxy:` header sets it.
      def setting_for(scheme)
        names = ["#{scheme}_proxy", "#{scheme}_proxy".upcase]
        names.pop if names.last == "HTTP_PROXY" && ENV.key?("REQUEST_METHOD")
        names.map { |name| [name, ENV[name]] }.find { |_, value| !value.to_s.empty? }
      end

      def local?(host)
        %w[localhost ::1].any?(host) || host.to_s.start_with?("127.")
      end

      def excluded?(uri)
        list = (ENV["no_proxy"] || ENV["NO_PROXY"]).to_s
        return false if list.empty?

        # The host stands for its address too: where it is one, entries such as 10.0.0.0/8 count.
        list.strip == "*" || !URI::Generic.use_proxy?(uri.hostname, uri.hostname, uri.port, list)
      end

      def unusable(name)
        Errors::ConfigurationError.new("the environment's #{name} is no http or https URL (SOCKS is not supported); " \
                                       "correct it, or set proxy to false")
      end

      private_class_method :setting_for, :local?, :excluded?, :unusable
    end
  end
end
