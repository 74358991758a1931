# frozen_string_literal: true

require_relative "../timers"

module RAAF
  module Streaming
    # Interrupts the jobs of a worker that is told to stop, a little before its time is over. Sidekiq does that itself,
    # by Sidekiq::Shutdown; Solid Queue ends the process (by `exit!`, where the supervisor is faster), and nobody would
    # tell the browser.
    #
    # Jobs that come to their end until then are left alone.
    #
    # @api private
    module JobShutdown
      # Raised in the thread of a job. As Sidekiq's it is an Interrupt, which a `rescue => e` lets pass.
      class Shutdown < Interrupt
        # @param message [String]
        def initialize(message = "the worker is shut down")
          super
        end
      end

      # Seconds before the end of the worker's time at which its jobs are interrupted; half of the time, where it is
      # short.
      MARGIN = 2

      @lock = Mutex.new # covers the threads, and what is raised in them
      @threads = {}

      class << self
        # @yieldreturn [Object] the block may be interrupted
        # @return [Object] what it returned
        # @raise [Shutdown]
        def allow(&block)
          return yield if @lock.synchronize { @threads.key?(Thread.current) } # a job in a job

          Thread.handle_interrupt(Shutdown => :never) do
            @lock.synchronize { @threads[Thread.current] = true }
            Thread.handle_interrupt(Shutdown => :immediate, &block)
          ensure
            leave
          end
        end

        # A worker of this process takes no further jobs.
        #
        # @param seconds [Numeric] that it gives those that run
        # @return [void]
        def worker_stops(seconds)
          Timers.after([seconds - MARGIN, seconds / 2.0].max) { interrupt }
        end

        # @return [void]
        def interrupt
          @lock.synchronize do
            @threads.each_key { |thread| thread.raise(Shutdown) }
            @threads.clear
          end
        end

        private

        # One that came too late, after the block, is not raised in what follows.
        def leave
          @lock.synchronize { @threads.delete(Thread.current) }
          Thread.handle_interrupt(Shutdown => :immediate) { Thread.pass }
        rescue Shutdown
          nil
        end
      end
    end
  end
end
