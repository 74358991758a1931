# frozen_string_literal: true

module RAAF
  module Streaming
    class EventBus
      # Has a handler handle what is in its queue, on a thread of the pool: for at most {MOST_EVENTS} or
      # {MOST_NANOSECONDS}, and then behind the others who wait for a thread, so that none starves.
      #
      # @api private
      class Job
        MOST_EVENTS = 1024
        MOST_NANOSECONDS = 5_000_000

        # @!method subscription
        #   @return [Subscription]

        # @!method number
        #   @return [Integer] of the event that is being handled; 0: none

        # @!method rest
        #   It was not posted after all.
        #   @return [void]

        # A handler may end its own thread; only in the handler can others interrupt it.
        #
        # @return [void]
        def call
          Thread.handle_interrupt(Object => :never) { run if start }
        end

        private

        def run
          loop { break if !serve_some || ThreadPool.handlers.behind? }
        ensure
          again = leave
          subscription.bus.announce
          post_again if again
        end

        def serve_some
          Thread.handle_interrupt(Object => :immediate) { serve(MOST_EVENTS, MOST_NANOSECONDS) }
        rescue *FAILURES => e
          event = failed
          Thread.handle_interrupt(Object => :immediate) { subscription.bus.report(e, event, subscription) } if event
          true
        ensure
          subscription.bus.announce
        end

        def post_again
          ThreadPool.handlers.post(self)
        rescue ThreadError => e
          rest
          Streaming.logger.error("no thread for a handler of events: #{e.message}")
        end
      end
      private_constant :Job
    end
  end
end
