# frozen_string_literal: true

require_relative "error"

module RAAF
  module Errors
    # The provider, or the way to it, failed: another provider could have answered. That is the rule for what stands
    # below this class, so that `rescue ProviderError` is the place to switch to a backup:
    #
    # * {ServerError}, {OverloadedError} and errors inside a 200 stream that have no class of their own,
    # * {ConnectionError}, {TimeoutError}, {TruncatedStreamError}, {ProtocolError}: no answer, or none that is whole,
    # * {CircuitOpenError}: the provider has failed so often that it is not asked.
    #
    # Not below it: {RateLimitError} (wait instead), {AuthenticationError}, {PermissionError}, {NotFoundError},
    # {InvalidRequestError} (the request or the account must be put right), {CancelledError} and the limits of this
    # process.
    class ProviderError < Error
      # (see Error.default_message)
      def self.default_message
        "the provider failed"
      end

      # @return [Boolean] true: a later attempt may succeed, unless a subclass says otherwise
      def retryable?
        true
      end
    end

    # HTTP 5xx, or a server error inside a stream.
    class ServerError < ProviderError
      # (see Error.default_message)
      def self.default_message
        "the provider had an internal error"
      end
    end

    # HTTP 529, a 503 that says so, or an overload reported inside a stream.
    class OverloadedError < ProviderError
      # (see Error.default_message)
      def self.default_message
        "the provider is overloaded"
      end
    end

    # No connection, or one that broke before an answer came.
    class ConnectionError < ProviderError
      # What can go wrong: the name's look-up, connecting, the TLS handshake or certificate, a broken connection.
      REASONS = %i[resolve connect tls lost].freeze

      # @return [Symbol, nil] one of {REASONS}
      attr_reader :reason

      # @param message [String, nil]
      # @param reason [Symbol, nil] one of {REASONS}
      # @param details [Hash] as for {Error#initialize}
      def initialize(message = nil, reason: nil, **details)
        super(message, **details)
        @reason = reason
      end

      # (see Error.default_message)
      def self.default_message
        "the connection to the provider failed"
      end

      # @return [Boolean] true, unless TLS failed: a certificate that is not trusted now will not be in a second
      def retryable?
        reason != :tls
      end

      private

      def detail_names
        super + [:reason]
      end
    end

    # One of the time limits passed.
    class TimeoutError < ProviderError
      # Which limit: to connect, to the first token, between two pieces of the answer, for the whole stream.
      PHASES = %i[connect first_token idle total].freeze

      # @return [Symbol, nil] one of {PHASES}
      attr_reader :phase

      # @param message [String, nil]
      # @param phase [Symbol, nil] one of {PHASES}
      # @param details [Hash] as for {Error#initialize}
      def initialize(message = nil, phase: nil, **details)
        super(message, **details)
        @phase = phase
      end

      # (see Error.default_message)
      def self.default_message
        "the provider took too long"
      end

      # @return [Boolean] true, unless the limit for the whole stream passed: there is no time left
      def retryable?
        phase != :total
      end

      private

      def detail_names
        super + [:phase]
      end
    end

    # The stream ended before its provider's terminal mark: the answer may lack its end.
    class TruncatedStreamError < ProviderError
      # (see Error.default_message)
      def self.default_message
        "the stream ended before the answer was complete"
      end
    end

    # What came is not what the protocol allows: no event stream, broken JSON or HTTP, or more than a cap permits.
    class ProtocolError < ProviderError
      # (see Error.default_message)
      def self.default_message
        "the provider's answer could not be understood"
      end

      # @return [Boolean] false: the same server will most likely say the same again
      def retryable?
        false
      end
    end

    # A circuit breaker is open: the provider has failed too often and is not asked for a while.
    class CircuitOpenError < ProviderError
      # (see Error.default_message)
      def self.default_message
        "the circuit breaker is open"
      end
    end
  end
end
