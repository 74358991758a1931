# frozen_string_literal: true

require "monitor"

module RAAF
  module Testing
    class ModelServer
      # What has happened so far, and a way to wait until something has. Every method may be called from
      # any thread.
      class Journal
        # @param keep [Integer] how many requests to remember; older ones are forgotten
        def initialize(keep:)
          @keep = keep
          @monitor = Monitor.new
          @changed = @monitor.new_cond
          @requests = []
          @forgotten = 0
          @errors = []
          @connections = 0
          @waiters = 0
        end

        # @return [Array<Request>] oldest first
        def requests
          @monitor.synchronize { @requests.dup }
        end

        # @return [Array<Exception>] raised by block scripts, oldest first
        def errors
          @monitor.synchronize { @errors.dup }
        end

        # @return [Integer] how many sockets were accepted
        def connections
          @monitor.synchronize { @connections }
        end

        # @return [Integer] how many requests were received, forgotten ones included
        def request_count
          @monitor.synchronize { @forgotten + @requests.size }
        end

        # @param number [Integer] counted from 1
        # @return [Request, nil]
        def request(number)
          @monitor.synchronize do
            place = number - 1 - @forgotten
            place.negative? ? nil : @requests[place]
          end
        end

        # @return [Integer] the new connection's number
        def add_connection
          change { @connections += 1 }
        end

        # @param request [Request]
        # @return [void]
        def add_request(request)
          change do
            @requests << request
            next unless @requests.size > @keep

            @requests.shift
            @forgotten += 1
          end
        end

        # @param error [Exception]
        # @return [void]
        def add_error(error)
          change { @errors << error }
        end

        # Wakes whoever waits. A write happens thousands of times a second, a waiter is rare: without one
        # this takes no lock.
        # @return [void]
        def touch
          return if @waiters.zero?

          change { nil }
        end

        # @param timeout [Numeric] seconds
        # @yieldreturn [Object] anything true ends the wait; called under the journal's lock at every change
        # @return [Object, nil] what the block returned; nil when the time was over
        def wait(timeout)
          deadline = Clock.now + timeout
          @monitor.synchronize do
            @waiters += 1
            wait_until(deadline) { yield }
          ensure
            @waiters -= 1
          end
        end

        private

        def wait_until(deadline)
          loop do
            found = yield
            return found if found

            left = deadline - Clock.now
            return nil unless left.positive?

            @changed.wait(left)
          end
        end

        def change
          @monitor.synchronize do
            result = yield
            @changed.broadcast if @waiters.positive?
            result
          end
        end
      end
    end
  end
end
