# frozen_string_literal: true

module RAAF
  module Streaming
    # Counts the messages of each user over the last minute, in this process; for `messages_per_minute_per_user`.
    #
    # A window that slides: in no minute, wherever it begins, are there more than the limit. Of a user it keeps the
    # times of the messages that count, at most as many as the limit, and nothing once they are a minute old.
    #
    # @api private
    class MessageRate
      # Seconds for which a message counts.
      WINDOW = 60

      @lock = Mutex.new

      class << self
        # @return [MessageRate] this process's
        def current
          @lock.synchronize { @current&.here? ? @current : (@current = new) }
        end
      end

      def initialize
        @pid = Process.pid
        @lock = Mutex.new # covers the rest
        @sent = {} # user => times, oldest first; who sent something last stands last
      end

      # @return [Boolean] whether it belongs to this process
      def here?
        @pid == Process.pid
      end

      # Counts one more message, if it is allowed.
      #
      # @param user [String]
      # @param most [Integer] messages in a minute
      # @param now [Float] seconds, monotonic
      # @return [Float, nil] nil: it counts; else the seconds after which there is room for it
      def count(user, most, now = monotonic)
        @lock.synchronize do
          forget(now - WINDOW)
          times = @sent.delete(user) || []
          times.shift while times.any? && times.first <= now - WINDOW
          left = times[-most] && (times[-most] + WINDOW - now)
          times << now unless left
          @sent[user] = times
          left
        end
      end

      # The last message of the user has not been sent after all.
      #
      # @param user [String]
      # @return [void]
      def take_back(user)
        @lock.synchronize { @sent[user]&.pop }
      end

      # @return [Integer] users that are remembered
      def size
        @lock.synchronize { @sent.size }
      end

      private

      # Who has been silent for a minute stands first.
      def forget(before)
        @sent.each do |user, times|
          break if times.any? && times.last > before

          @sent.delete(user)
        end
      end

      def monotonic
        Process.clock_gettime(Process::CLOCK_MONOTONIC)
      end
    end
  end
end
