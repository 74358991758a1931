# frozen_string_literal: true

require "json"

module RAAF
  module Testing
    class ModelServer
      # Writes the JSON body of an error as the provider's API does, by its wire's `error_body`; else as OpenAI's:
      # `{"error": {message, type, param, code}}`.
      module ErrorBody
        # HTTP status => [type, code], from OpenAI's guide to error codes.
        KINDS = {
          400 => ["invalid_request_error", nil],
          401 => ["invalid_request_error", "invalid_api_key"],
          403 => ["invalid_request_error", "unsupported_country_region_territory"],
          404 => ["invalid_request_error", nil],
          405 => ["invalid_request_error", "method_not_supported"],
          429 => ["requests", "rate_limit_exceeded"],
          500 => ["server_error", nil],
          503 => ["server_error", nil]
        }.freeze

        # @param status [Integer] the HTTP status
        # @param message [String]
        # @param wire [Class, nil] see {Wires.class_for}
        # @return [String] JSON
        def self.json(status, message, wire = nil)
          return JSON.generate(wire.error_body(status, message)) if wire.respond_to?(:error_body)

          type, code = KINDS.fetch(status) { [(status >= 500) ? "server_error" : "invalid_request_error", nil] }
          JSON.generate({error: {message: message, type: type, param: nil, code: code}})
        end
      end
    end
  end
end
