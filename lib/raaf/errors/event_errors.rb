# frozen_string_literal: true

require_relative "error"

module RAAF
  module Errors
    # The queue of an event handler is full, and its handler was to be told so (`when_full: :raise`), or the emit came
    # from a handler that could only have waited for itself. The handlers with room have got the event.
    class QueueFullError < Error
      # (see Error.default_message)
      def self.default_message
        "the queue of an event handler is full; emit less, do less in the handler, or raise queue_size"
      end

      # @return [Boolean] true: there is room once the handler has got on
      def retryable?
        true
      end
    end

    # The event bus was closed, and takes no more events.
    class BusClosedError < Error
      # (see Error.default_message)
      def self.default_message
        "the event bus is closed"
      end
    end
  end
end
