# frozen_string_literal: true

require_relative "executor"

module RAAF
  module Streaming
    # Runs the application's code on a few threads of the process: made when there is something to run, gone when there
    # is nothing.
    #
    # There is one pool for tools and one for what handles events and text, so that neither waits for the other. A
    # forked child has its own.
    #
    # A tool may itself run an agent with tools and wait for it. So that such runs never wait for the very threads that
    # wait for them, a job that comes from one of the tools' threads gets a thread of its own where none is idle.
    #
    # @api private
    class ThreadPool
      # Threads at most, but for those of nested jobs.
      MOST_THREADS = 32
      # For which an idle thread waits for the next job.
      IDLE_SECONDS = 5

      @lock = Mutex.new
      @pools = {}

      class << self
        # @return [ThreadPool] this process's, for the tools that models call
        def tools
          of("raaf-tool", nested: true)
        end

        # @return [ThreadPool] this process's, for handlers of events and receivers of text. Jobs give their thread back
        #   soon; one that has more to do is posted again
        def handlers
          of("raaf-handler")
        end

        # @return [ThreadPool] this process's, for what asks a store that several processes share, and waits for it
        def stores
          of("raaf-store")
        end

        private

        def of(name, **options)
          @lock.synchronize do
            pool = @pools[name]
            pool&.here? ? pool : (@pools[name] = new(name, **options))
          end
        end
      end

      # @param name [String] of its threads
      # @param nested [Boolean] whether a job may wait for one that it has posted
      def initialize(name = "raaf-pool", nested: false)
        @pid = Process.pid
        @name = name
        @nested = nested
        @lock = Mutex.new # covers the rest
        @added = ConditionVariable.new
        @jobs = []
        @threads = 0
        @idle = 0
        @away = 0 # threads whose job waits for other jobs
        @through = ConditionVariable.new # with all jobs
      end

      # @return [Boolean] whether it belongs to this process
      def here?
        @pid == Process.pid
      end

      # Runs the job on another thread, soon.
      #
      # @param job [#call, nil] must raise nothing. It is called with interrupts (Thread#kill, Timeout) put off, so that
      #   it always begins: it lets them in itself, where it can be left
      # @yieldreturn [void] instead of it; may be interrupted anywhere, and then perhaps never begins
      # @return [void]
      # @raise [ThreadError] where the process takes no new threads and there is none; the job is not run then
      def post(job = nil, &block)
        Thread.handle_interrupt(Object => :never) do
          @lock.synchronize do
            @jobs << (job || interruptible(&block))
            add_thread if short? || (@nested && inside? && @idle < @jobs.size)
            @added.signal
          rescue ThreadError
            @jobs.pop
            raise
          end
        end
      end

      # For a job that has to wait until others of the pool have got on: meanwhile another thread takes its place. Does
      # nothing but yield on a thread that is not the pool's.
      #
      # @yieldreturn [Object]
      # @return [Object] what the block returns
      def stand_aside(&wait)
        return yield unless inside?

        Thread.handle_interrupt(Object => :never) do
          aside(1)
          Thread.handle_interrupt(Object => :immediate, &wait)
        ensure
          aside(-1)
        end
      end

      # Waits until there is nothing to do. A job of the pool's own does not wait.
      #
      # @param seconds [Numeric] at most
      # @return [Boolean] false: the time was over, or a job has asked
      def settle(seconds)
        return false if inside?

        deadline = Timers.now + seconds
        @lock.synchronize do
          until quiet? || (left = deadline - Timers.now) <= 0
            @through.wait(@lock, left)
          end
          quiet?
        end
      end

      # @return [Boolean] whether there are jobs for which there is no thread yet
      def behind?
        !@jobs.empty?
      end

      # @return [Integer] threads there are
      def size
        @lock.synchronize { @threads }
      end

      # @return [Boolean] whether the calling thread is one of its own
      def inside?
        Thread.current.thread_variable_get(:raaf_pool).equal?(self) && here?
      end

      private

      def quiet?
        @jobs.empty? && @idle >= @threads
      end

      # @return [Boolean] whether there has to be another thread, and may be
      def short?
        @idle < @jobs.size && @threads < MOST_THREADS + @away
      end

      def aside(by)
        Thread.handle_interrupt(Object => :never) do
          @lock.synchronize do
            @away += by
            add_thread if short?
          end
        end
      end

      def interruptible(&block)
        -> { Thread.handle_interrupt(Object => :immediate, &block) }
      end

      # Under the lock, with interrupts put off. A new thread takes that over: whoever waits for a job may be ended,
      # whoever has one may not, before the job says so.
      def add_thread
        @threads += 1
        Thread.new { work }.name = @name
      rescue ThreadError
        @threads -= 1
        raise if @threads.zero?
      end

      # However the thread is ended, it is counted no longer.
      def work
        run_jobs
      ensure
        leave
      end

      # A job that forks goes on in the child too, where the other jobs are the parent's.
      def run_jobs
        Thread.current.thread_variable_set(:raaf_pool, self)
        while here? && (job = next_job)
          run(job)
          job = nil # an idle thread keeps nothing of it alive
        end
      end

      def leave
        @lock.synchronize do
          @threads -= 1
          next unless here?

          add_thread if @idle < @jobs.size # a job ended its own thread
          @added.signal unless @jobs.empty? # the one that woke this thread
          @through.broadcast if quiet?
        rescue ThreadError
          nil # the process is ending and takes no new threads
        end
      end

      # A method by itself, so that an idle thread keeps no block and what it holds.
      def run(job)
        Streaming.in_executor { job.call }
      end

      def next_job
        @lock.synchronize do
          if @jobs.empty?
            @idle += 1
            @through.broadcast if quiet?
            begin
              Thread.handle_interrupt(Object => :on_blocking) { @added.wait(@lock, IDLE_SECONDS) }
            ensure
              @idle -= 1
            end
          end
          @jobs.shift
        end
      end
    end
  end
end
