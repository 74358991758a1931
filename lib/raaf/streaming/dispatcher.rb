# frozen_string_literal: true

require_relative "native"

module RAAF
  module Streaming
    # Runs the callbacks of streams ({Stream#on}): a few threads for any number of streams.
    #
    # A stream is served by one thread at a time, for at most {MOST_CHUNKS} or {MOST_SECONDS}, and then goes behind the
    # others, so that none starves. A callback that blocks holds one thread and its own stream; when all threads have
    # been held for {HELD_SECONDS}, there is one more, up to {MOST_THREADS}.
    #
    # One a process: started by the first callback, anew in a forked child.
    #
    # @api private
    class Dispatcher
      FIRST_THREADS = 2
      MOST_THREADS = 16
      HELD_SECONDS = 0.05
      MOST_CHUNKS = 64
      MOST_SECONDS = 0.005
      # For which an idle thread sleeps at most; it is woken when there is something to do.
      IDLE_SECONDS = 30

      @lock = Mutex.new

      class << self
        # @return [Dispatcher] this process's
        def current
          running = @current
          return running if running&.here?

          @lock.synchronize { @current = new unless @current&.here? }
          @current
        end

        # From now on the callbacks of the handle are run by this process's threads; also to have late ones run.
        #
        # @param handle [Stream]
        # @return [void]
        def attach(handle)
          nil until current.attach(handle)
        end

        # Lets the threads deliver what there is, and ends them. Does nothing where there are none.
        #
        # @param timeout [Numeric] seconds
        # @return [void]
        def shutdown(timeout)
          @current.stop(timeout) if @current&.here?
        end

        # @return [Boolean] whether the calling thread is one of a dispatcher's; in a child that was forked there it is
        #   the main thread
        def inside?
          Thread.current.thread_variable_get(:raaf_dispatcher) == Process.pid
        end
      end

      def initialize
        @pid = Process.pid
        @queue = DispatchQueue.new
        @lock = Mutex.new # covers the rest, and attaching against giving back
        @all_held = ConditionVariable.new
        @delivered = ConditionVariable.new
        @threads = []
        @held = 0
        @served = 0
        @stopping = false
      end

      # @return [Boolean] whether it belongs to this process and runs
      def here?
        @pid == Process.pid && !@stopping
      end

      # (see Dispatcher.attach)
      # @return [Boolean] false where it has been stopped meanwhile
      def attach(handle)
        @lock.synchronize do
          next false if @stopping

          start
          @queue.attach(handle.native, handle)
          true
        end
      end

      # @return [Integer] threads that run callbacks
      def size
        @lock.synchronize { @threads.size }
      end

      # Streams whose callbacks have not come to an end in that time are ended for those who wait for them.
      #
      # @param timeout [Numeric] seconds to wait for callbacks
      # @return [void]
      def stop(timeout)
        deadline = now + timeout
        threads = @lock.synchronize do
          until @queue.size.zero? || Dispatcher.inside? || (left = deadline - now) <= 0
            @delivered.wait(@lock, left)
          end
          @stopping = true
          [*@threads, @watcher].compact
        end
        (threads - [Thread.current]).each(&:kill)
        @queue.handles.each(&:abandon)
      end

      private

      def start
        add_thread while @threads.size < FIRST_THREADS
        @watcher ||= named_thread("raaf-dispatch-watcher") { watch }
      end

      def add_thread
        @threads << named_thread("raaf-dispatch-#{@threads.size + 1}") { work }
      end

      def named_thread(name, &block)
        Thread.new(&block).tap { |thread| thread.name = name }
      end

      # A claimed stream has to be given back whatever happens to the thread, so only waiting and the callbacks
      # themselves can be interrupted.
      def work
        Thread.current.thread_variable_set(:raaf_dispatcher, @pid)
        Thread.handle_interrupt(Object => :never) do
          while here?
            handle = Thread.handle_interrupt(Object => :on_blocking) { @queue.next(IDLE_SECONDS) }
            serve(handle) if handle
          end
        end
      ensure
        replace_thread
      end

      # A callback ended its own thread. In a child that was forked there, nothing is left to do here.
      def replace_thread
        @lock.synchronize do
          @threads.delete(Thread.current)
          add_thread if here?
        end
      rescue ThreadError
        nil # the process is ending and takes no new threads
      end

      def serve(handle)
        native = handle.native
        more = false
        hold
        more = Thread.handle_interrupt(Object => :immediate) { handle.dispatch(MOST_CHUNKS, MOST_SECONDS) }
      ensure
        give_back(handle, native, more)
      end

      def hold
        @lock.synchronize do
          @held += 1
          @all_held.signal if @held >= @threads.size
        end
      end

      def give_back(handle, native, more)
        return unless @pid == Process.pid # a callback has forked, and this is the child

        @lock.synchronize do
          @held -= 1
          @served += 1
          redirected = !handle.native.equal?(native)
          over = redirected || handle.settled?
          @queue.detach(native) if over
          @queue.done(native, !over && (more || handle.finished?))
          # Only now, so that no other thread serves the handle while this one still does.
          @queue.attach(handle.native, handle) if redirected
          @delivered.broadcast if @queue.size.zero?
        end
      end

      # Sleeps until all threads are held; if none of them gets through anything in a while, there is one more.
      def watch
        while size < MOST_THREADS
          before = @lock.synchronize do
            @all_held.wait(@lock) while @held < @threads.size
            @served
          end
          sleep(HELD_SECONDS)
          @lock.synchronize { add_thread if @held >= @threads.size && @served == before }
        end
      end

      def now
        Process.clock_gettime(Process::CLOCK_MONOTONIC)
      end
    end
  end
end
