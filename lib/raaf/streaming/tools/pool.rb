# frozen_string_literal: true

module RAAF
  module Streaming
    class Tool
      # Runs tools: a few threads of the process, made when there is something to run, gone when there is nothing.
      #
      # A tool may itself run an agent with tools and wait for it. So that such runs never wait for the very threads
      # that wait for them, a job that comes from one of the pool's threads gets a thread of its own where none is idle.
      #
      # One a process, another one in a forked child.
      #
      # @api private
      class Pool
        # Threads at most, but for those of nested runs.
        MOST_THREADS = 32
        # For which an idle thread waits for the next job.
        IDLE_SECONDS = 5

        @lock = Mutex.new

        class << self
          # Runs the block on another thread, soon.
          #
          # @yieldreturn [void] must raise nothing
          # @return [void]
          def post(&job)
            current.post(job)
          end

          # @return [Pool] this process's
          def current
            @lock.synchronize { @current&.here? ? @current : (@current = new) }
          end
        end

        def initialize
          @pid = Process.pid
          @lock = Mutex.new # covers the rest
          @added = ConditionVariable.new
          @jobs = []
          @threads = 0
          @idle = 0
        end

        # @return [Boolean] whether it belongs to this process
        def here?
          @pid == Process.pid
        end

        # @param job [Proc]
        # @return [void]
        def post(job)
          Thread.handle_interrupt(Object => :never) do
            @lock.synchronize do
              @jobs << job
              add_thread if @idle < @jobs.size && (@threads < MOST_THREADS || inside?)
              @added.signal
            end
          end
        end

        # @return [Integer] threads there are
        def size
          @lock.synchronize { @threads }
        end

        private

        def inside?
          Thread.current.thread_variable_get(:raaf_tool) == @pid
        end

        # Under the lock. A new thread takes over which interrupts are put off; a tool shall not.
        def add_thread
          @threads += 1
          Thread.new { Thread.handle_interrupt(Object => :immediate) { work } }.name = "raaf-tool"
        rescue ThreadError
          @threads -= 1
          raise if @threads.zero?
        end

        def work
          Thread.current.thread_variable_set(:raaf_tool, @pid)
          while (job = next_job)
            job.call
            job = nil # an idle thread keeps nothing of it alive
          end
        ensure
          @lock.synchronize do
            @threads -= 1
            add_thread if here? && @idle < @jobs.size # a tool ended its own thread
          end
        end

        def next_job
          @lock.synchronize do
            if @jobs.empty?
              @idle += 1
              begin
                @added.wait(@lock, IDLE_SECONDS)
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
end
