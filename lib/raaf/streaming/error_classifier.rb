# frozen_string_literal: true

require_relative "../errors"

module RAAF
  module Streaming
    # Which class of error it is that a provider reports: by the status of its response, or inside a stream that began
    # with 200 by the code, type and words of the report.
    #
    # @api private
    class ErrorClassifier
      # Classes of HTTP statuses. Every other 4xx is an InvalidRequestError, every other 5xx a ServerError.
      # Source: the error lists of OpenAI, Anthropic and Groq; 529 is Anthropic's for "overloaded", 498 Groq's for a
      # service tier without room.
      STATUSES = {
        401 => Errors::AuthenticationError,
        403 => Errors::PermissionError,
        404 => Errors::NotFoundError,
        429 => Errors::RateLimitError,
        498 => Errors::OverloadedError,
        529 => Errors::OverloadedError
      }.freeze

      # Classes of the codes and types that providers report; the first match counts.
      # Sources: OpenAI's API error codes, and those of a failed response; Anthropic's error types; Gemini's `status`
      # names (google.rpc.Code); OpenRouter's error types; the names of Python's exceptions, which vLLM gives.
      KINDS = [
        [/context_length|context_window/, Errors::ContextLengthError],
        [/image|invalid_prompt/, Errors::InvalidRequestError],
        [/rate_?limit|insufficient_quota|too_many_requests|resource_exhausted/, Errors::RateLimitError],
        [/overloaded|unavailable|slow_down/, Errors::OverloadedError],
        [/authentication|invalid_api_key|unauthenticated|unauthorized/, Errors::AuthenticationError],
        [/permission/, Errors::PermissionError],
        [/not_?found/, Errors::NotFoundError],
        [/server_error|api_error|internal|timeout|deadline_exceeded|\Aserver\z/, Errors::ServerError],
        [/bad_?request|invalid_|too_large|too_long|unprocessable|tool_use_failed|billing|payment|content_filter/,
          Errors::InvalidRequestError],
        [/content_policy|\Arefusal\z/, Errors::InvalidRequestError]
      ].freeze

      # How servers without a code for it say that a conversation is too long: OpenAI-compatible ones, Anthropic,
      # Gemini.
      TOO_LONG = /maximum context length|context (?:length|window)|prompt is too long|input token count.{0,80}exceeds/i

      # How servers that answer a wrong key with 400 say it: Gemini, xAI.
      BAD_KEY = /API key not valid|incorrect API key|invalid API key/i

      # Statuses by which servers answer to a conversation that is too long.
      TOO_LONG_STATUSES = [400, 413, 422].freeze

      private_constant :STATUSES, :KINDS, :TOO_LONG, :BAD_KEY, :TOO_LONG_STATUSES

      # @param code [String, nil] the provider's code
      # @param type [String, nil] the provider's type
      # @param message [String, nil] the provider's words
      def initialize(code: nil, type: nil, message: nil)
        @code = code
        @type = type
        @message = message.to_s
      end

      # @param status [Integer] the status of the response
      # @return [Class] below {Errors::Error}
      def of_response(status)
        case status
        when *TOO_LONG_STATUSES then of_bad_request(status)
        when 503 then overloaded? ? Errors::OverloadedError : Errors::ServerError
        else of_status(status)
        end
      end

      # @return [Class] below {Errors::Error}, for a report inside a stream
      def of_report
        found = kind(@code) || of_numeric_code || kind(@type) || Errors::ProviderError
        # OpenRouter gives the number for both, and only its type says which.
        return Errors::OverloadedError if found == Errors::ServerError && kind(@type) == Errors::OverloadedError

        (found <= Errors::InvalidRequestError && too_long?) ? Errors::ContextLengthError : found
      end

      private

      def of_bad_request(status)
        return Errors::ContextLengthError if too_long?
        return Errors::AuthenticationError if kind(@code) == Errors::AuthenticationError || BAD_KEY.match?(@message)

        of_status(status)
      end

      def of_status(status)
        STATUSES.fetch(status) do
          case status
          when 400..499 then Errors::InvalidRequestError
          when 500..599 then Errors::ServerError
          else Errors::ProtocolError # a redirect, which is never followed, or a status without an answer
          end
        end
      end

      def of_numeric_code
        number = Integer(@code.to_s, 10, exception: false)
        of_response(number) if number && (400..599).cover?(number)
      end

      def kind(word)
        KINDS.find { |pattern, _| pattern.match?(word.to_s.downcase) }&.last
      end

      def too_long?
        [@code, @type].any? { |word| kind(word) == Errors::ContextLengthError } || TOO_LONG.match?(@message)
      end

      # Not by Gemini's type UNAVAILABLE, which is its word for every 503.
      def overloaded?
        [@code, @type, @message].compact.any? { |text| text.match?(/overloaded/i) }
      end
    end
  end
end
