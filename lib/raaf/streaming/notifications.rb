# frozen_string_literal: true

module RAAF
  module Streaming
    # What happens here, told to whoever subscribed by ActiveSupport::Notifications; without ActiveSupport, nobody.
    #
    # Names end in ".raaf", as ActiveSupport's own end in the name of their library:
    #
    # * `stream.raaf`, at the end of each run: stream_id, session_id, user_id, provider, model, status (:complete,
    #   :failed or :cancelled), error (the name of its class, or nil), duration and first_token (seconds; nil where none
    #   came), usage (tokens of all turns), turns
    # * `tool_call.raaf`, when a tool has come to an end: stream_id, tool_name, tool_id, status (:complete or :failed),
    #   error (the name of the class), duration
    # * `retry.raaf`, when a request that failed will be sent again: stream_id, provider, model, error (the name of its
    #   class; nil where the native part repeats it, of which nothing was delivered), reason (such as "429"), http_status
    #   (native only, nil where there was none), attempt (from 1), delay (seconds), mode (:again, :continue or :reset),
    #   next_provider, next_model
    # * `circuit.raaf`, when a circuit breaker changes: name, from and to (:closed, :open or :half_open), reason (see
    #   {CircuitBreaker::Change})
    # * `chunk.raaf`, for each chunk, to those who have subscribed before the stream began: stream_id, seq, chunk_type,
    #   size (characters of its delta), terminal, tool_name. It costs some microseconds a chunk
    # * `event_error.raaf`, when a handler of an {EventBus} or a processor of chunks has raised: type, error (the name of
    #   the class)
    # * `chunk_buffer_error.raaf`, when the block of a {ChunkBuffer} has raised: exception, exception_object
    #
    # @api private
    module Notifications
      module_function

      # @param name [String] without the ending
      # @return [Boolean] whether anybody has subscribed
      def listening?(name)
        return false unless defined?(::ActiveSupport::Notifications)

        ::ActiveSupport::Notifications.notifier.listening?("#{name}.raaf")
      end

      # @param name [String] without the ending
      # @param payload [Hash{Symbol=>Object}] no key, no word of a conversation
      # @return [void]
      def publish(name, **payload)
        return unless defined?(::ActiveSupport::Notifications)

        ::ActiveSupport::Notifications.instrument("#{name}.raaf", payload)
      rescue => e
        # A subscriber that raises shall not fail a stream.
        Streaming.logger.error("a subscriber of #{name}.raaf raised #{e.class}: #{e.message}")
      end
    end
  end
end
