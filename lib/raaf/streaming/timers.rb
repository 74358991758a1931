# frozen_string_literal: true

module RAAF
  module Streaming
    # Has things done later: one thread of the process for all that wait, made with the first of them.
    #
    # What is done there must be short and must not wait: the application's code goes to {ThreadPool.handlers}. To put
    # something off costs nothing if it is let run and looks whether it is due.
    #
    # @api private
    class Timers
      # Something to be done.
      Timer = Struct.new(:at, :job)

      # For which the thread stays when there is nothing to do.
      IDLE_SECONDS = 5

      @lock = Mutex.new

      class << self
        # @param seconds [Numeric] from now
        # @yieldreturn [void] what it raises is logged
        # @return [Timer] for {cancel}
        # @raise [ThreadError] where the process takes no new threads
        def after(seconds, &job)
          current.add(Timer.new(now + seconds, job))
        end

        # It may be running, or over.
        #
        # @param timer [Timer, nil]
        # @return [void]
        def cancel(timer)
          timer.job = nil if timer
        end

        # @return [Timers] this process's
        def current
          @lock.synchronize { @current&.here? ? @current : (@current = new) }
        end

        # @return [Float] seconds, monotonic
        def now
          Process.clock_gettime(Process::CLOCK_MONOTONIC)
        end
      end

      def initialize
        @pid = Process.pid
        @lock = Mutex.new # covers the rest
        @changed = ConditionVariable.new
        @waiting = [] # by time, the last one first
        @thread = nil
      end

      # @return [Boolean] whether it belongs to this process
      def here?
        @pid == Process.pid
      end

      # @param timer [Timer]
      # @return [Timer]
      def add(timer)
        Thread.handle_interrupt(Object => :never) do
          @lock.synchronize do
            start # first: where there is no thread, nothing waits for one
            place = @waiting.bsearch_index { |other| other.at <= timer.at } || @waiting.size
            @waiting.insert(place, timer)
            @changed.signal if place == @waiting.size - 1
          end
        end
        timer
      end

      # @return [Integer] what waits, cancelled ones included until their time
      def size
        @lock.synchronize { @waiting.size }
      end

      private

      # Under the lock. Somebody may have killed the thread.
      def start
        return if @thread&.alive?

        @thread = Thread.new { Thread.handle_interrupt(Object => :immediate) { work } }.tap do |thread|
          thread.name = "raaf-timers"
        end
      end

      def work
        while (timer = next_due)
          run(timer)
          timer = nil # what is done is not kept alive
        end
      end

      def run(timer)
        timer.job&.call
      rescue => e
        Streaming.logger.error("a timer raised #{e.class}: #{e.message}")
      end

      # @return [Timer, nil] nil: nothing has waited for a while, and the thread is to end
      def next_due
        @lock.synchronize do
          loop do
            first = @waiting.last
            return give_up if !first && !@changed.wait(@lock, IDLE_SECONDS) && @waiting.empty?
            next unless first

            left = first.at - Timers.now
            return @waiting.pop if left <= 0

            @changed.wait(@lock, left)
          end
        end
      end

      def give_up
        @thread = nil
      end
    end
  end
end
