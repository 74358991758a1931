# frozen_string_literal: true

require "json"

module RAAF
  module Testing
    class ModelServer
      # Writes the JSON body of an error as the provider does that is asked; OpenAI's API:
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

        # @param request [Request] tells which provider's
        # @param status [Integer] the HTTP status
        # @param message [String]
        # @return [String] JSON
        def self.for(request, status, message)
          wire = Wires.class_for(request)
          wire.respond_to?(:error_body) ? wire.error_body(status, message) : json(status, message)
        end

        # As OpenAI's API writes it.
        # @param status [Integer] the HTTP status
        # @param message [String]
        # @return [String] JSON
        def self.json(status, message)
          type, code = KINDS.fetch(status) { [(status >= 500) ? "server_error" : "invalid_request_error", nil] }
          JSON.generate({error: {message: message, type: type, param: nil, code: code}})
        end
      end
    end
  end
end
