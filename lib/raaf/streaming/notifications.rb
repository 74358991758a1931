# frozen_string_literal: true

module RAAF
  module Streaming
    # What happens here, told to whoever subscribed by ActiveSupport::Notifications; without ActiveSupport, nobody.
    #
    # Names end in ".raaf", as ActiveSupport's own end in the name of their library.
    #
    # @api private
    module Notifications
      module_function

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
