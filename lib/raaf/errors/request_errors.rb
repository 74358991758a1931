# frozen_string_literal: true

require_relative "error"

module RAAF
  module Errors
    # Something is set up wrongly on this side: a missing key, an unknown setting, a bad URL. Nothing was sent.
    class ConfigurationError < Error
      # (see Error.default_message)
      def self.default_message
        "the configuration is not valid"
      end
    end

    # Streaming was asked for in another Ractor than the main one, where this version cannot run.
    class RactorError < ConfigurationError
      # (see Error.default_message)
      def self.default_message
        "streaming works in the main Ractor only; start the stream there"
      end
    end

    # HTTP 401: the key is missing, wrong or revoked.
    #
    # No {ProviderError}: another provider would answer, and nobody would learn that a key is wrong.
    class AuthenticationError < Error
      # (see Error.default_message)
      def self.default_message
        "the provider refused the API key"
      end
    end

    # HTTP 403: the key is good, but may not do this (model, region, organization).
    class PermissionError < Error
      # (see Error.default_message)
      def self.default_message
        "the provider does not permit this request"
      end
    end

    # HTTP 404: no such model or no such address.
    class NotFoundError < Error
      # (see Error.default_message)
      def self.default_message
        "the provider knows no such model or address"
      end
    end

    # HTTP 400, 422 and every 4xx without a class of its own: the provider cannot work with the request as it is.
    class InvalidRequestError < Error
      # The statuses among them by which a server asks for another attempt: Request Timeout, Conflict, Too Early.
      # Source: RFC 9110, sections 15.5.9 and 15.5.10, RFC 8470; the official OpenAI clients retry 408 and 409.
      RETRYABLE_STATUSES = [408, 409, 425].freeze

      # (see Error.default_message)
      def self.default_message
        "the provider cannot work with this request"
      end

      # @return [Boolean] for HTTP 408, 409 and 425
      def retryable?
        RETRYABLE_STATUSES.any?(status)
      end
    end

    # A guardrail of the agent refused what the user said, or what the model answered.
    class GuardrailError < Error
      # @return [String, nil] the guardrail's name
      attr_reader :triggered_by
      # @return [Object, nil] what it refused; in neither {#to_h} nor {#inspect}
      attr_reader :content
      # @return [Hash] what it says of it
      attr_reader :metadata

      # @param message [String, nil]
      # @param triggered_by [#to_s, nil]
      # @param content [Object, nil]
      # @param metadata [Hash]
      # @param details [Hash] as for {Error#initialize}
      def initialize(message = nil, triggered_by: nil, content: nil, metadata: {}, **details)
        super(message, **details)
        @triggered_by = triggered_by&.to_s
        @content = content
        @metadata = metadata
      end

      # (see Error.default_message)
      def self.default_message
        "a guardrail of the agent refused it"
      end

      private

      def detail_names
        super + [:triggered_by]
      end
    end

    # A guardrail refused what the user said. Nothing was sent.
    class InputGuardrailError < GuardrailError
      # (see Error.default_message)
      def self.default_message
        "a guardrail of the agent refused the message"
      end
    end

    # A guardrail refused the model's answer, which has been delivered piece by piece: take it off the screen.
    class OutputGuardrailError < GuardrailError
      # (see Error.default_message)
      def self.default_message
        "a guardrail of the agent refused the answer"
      end
    end

    # The conversation is longer than the model's context window.
    class ContextLengthError < InvalidRequestError
      # (see Error.default_message)
      def self.default_message
        "the conversation is longer than the model's context window"
      end
    end

    # HTTP 429: too many requests or tokens, or the quota is used up.
    #
    # No {ProviderError}, so that a `rescue ProviderError` that switches to a backup provider does not see it: waiting
    # {#retry_after} seconds is what helps.
    class RateLimitError < Error
      # The code of a used-up quota, which no waiting brings back. Source: OpenAI's API error codes.
      QUOTA_CODE = "insufficient_quota"

      # (see Error.default_message)
      def self.default_message
        "rate limited"
      end

      # @return [Boolean] true, unless the quota is used up
      def retryable?
        code != QUOTA_CODE && type != QUOTA_CODE
      end
    end
  end
end
