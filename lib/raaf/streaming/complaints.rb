# frozen_string_literal: true

module RAAF
  module Streaming
    # What goes wrong again and again, for the log: counted, and written once in a while.
    #
    # @api private
    class Complaints
      # Seconds between two lines.
      SECONDS = 60

      def initialize
        @lock = Mutex.new # covers the rest
        @count = 0
        @written_at = -Float::INFINITY
      end

      # @yieldparam times [Integer] how often there has been one
      # @yieldreturn [String] the line; asked for only where it is written
      # @return [void]
      def add
        times = @lock.synchronize { note }
        Streaming.logger.warn(yield(times)) if times
      rescue ThreadError # in a signal's handler
        nil
      end

      # @return [Integer] how often there has been one
      def count
        @lock.synchronize { @count }
      end

      private

      # Under the lock.
      def note
        @count += 1
        return if Timers.now - @written_at < SECONDS

        @written_at = Timers.now
        @count
      end
    end
  end
end
