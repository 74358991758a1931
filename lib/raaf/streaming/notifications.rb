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
