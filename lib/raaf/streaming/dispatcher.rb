# frozen_string_literal: true

require_relative "executor"
require_relative "native"

module RAAF
  module Streaming
    # Runs the callbacks of streams ({Stream#on}): a few threads for any number of streams.
    #
    # A stream is served by one thread at a time, for at most {MOST_CHUNKS} or {MOST_SECONDS}, and then goes behind the
    # others, so that none starves. A callback that blocks holds one thread and its own stream; when all threads have
    # been held for {HELD_SECONDS}, there is one more, up to {MOST_THREADS}.
    #
    # One a process, another one in a forked child. It is started by the first callback, and again by the first one
    # after it was stopped; its queue stays, since native streams point to it.
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
          current.attach(handle)
        end

        # There is something to do for a stream's callbacks besides chunks. Any thread.
        #
        # @param native [NativeStream] the handle's
        # @return [void]
        def poke(native)
          current.poke(native)
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
        @served_now = {}.compare_by_identity # handle => whether it was attached meanwhile
        @held = 0
        @served = 0
        @run = Object.new # another one once it was stopped
      end

      # @return [Boolean] whether it belongs to this process
      def here?
        @pid == Process.pid
      end

      # (see Dispatcher.attach)
      def attach(handle)
        @lock.synchronize do
          start
          # After a redirect it has another native stream, which nobody may serve while the callbacks still run.
          if @served_now.key?(handle)
            @served_now[handle] = true
          else
            @queue.attach(handle.native, handle)
          end
        end
      end

      # (see Dispatcher.poke)
      def poke(native)
        @queue.poke(native)
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
        threads, handles = @lock.synchronize do
          until @queue.size.zero? || Dispatcher.inside? || (left = deadline - now) <= 0
            @delivered.wait(@lock, left)
          end
          [forget_threads, forget_handles]
        end
        (threads - [Thread.current]).each(&:kill)
        handles.each(&:abandon)
      end

      private

      # Under the lock, as the next one.
      def forget_threads
        threads = [*@threads, @watcher].compact
        @run = Object.new
        @threads = []
        @watcher = nil
        threads
      end

      def forget_handles
        handles = @queue.handles
        handles.each { |handle| @queue.detach(handle.native) }
        until @queue.lag.zero? # who stands in the queue and has no handle any longer is let go by looking for the next
          handle = @queue.next(0)
          @queue.done(handle.native, false) if handle
        end
        handles
      end

      def start
        add_thread while @threads.size < FIRST_THREADS
        run = @run
        # Somebody may have killed it; with as many threads as there may be it has ended by itself.
        @watcher = nil unless @watcher&.alive? || @threads.size >= MOST_THREADS
        # Whoever starts it may have put interrupts off, and a thread takes over what holds for the one that starts it.
        @watcher ||= named_thread("raaf-dispatch-watcher") do
          Thread.handle_interrupt(Object => :immediate) { watch(run) }
        end
      end

      def add_thread
        run = @run
        @threads << named_thread("raaf-dispatch-#{@threads.size + 1}") { work(run) }
      end

      def named_thread(name, &block)
        Thread.new(&block).tap { |thread| thread.name = name }
      end

      # A claimed stream has to be given back whatever happens to the thread, so only waiting and the callbacks
      # themselves can be interrupted.
      def work(run)
        Thread.current.thread_variable_set(:raaf_dispatcher, @pid)
        Thread.handle_interrupt(Object => :never) do
          serve_next while goes_on?(run)
        end
      ensure
        replace_thread(run)
      end

      # A method by itself, so that a thread that sleeps keeps no stream alive: the one it served last.
      def serve_next
        handle = Thread.handle_interrupt(Object => :on_blocking) { @queue.next(IDLE_SECONDS) }
        serve(handle) if handle
      end

      def goes_on?(run)
        here? && run.equal?(@run)
      end

      # A callback ended its own thread. In a child that was forked there, nothing is left to do here.
      def replace_thread(run)
        @lock.synchronize do
          next unless goes_on?(run)

          @threads.delete(Thread.current)
          add_thread
        end
      rescue ThreadError
        nil # the process is ending and takes no new threads
      end

      def serve(handle)
        native = handle.native
        more = true # also where the thread is ended at the very moment at which the callbacks are through
        hold(handle)
        more = Thread.handle_interrupt(Object => :immediate) { dispatch(handle) }
      ensure
        handle.served
        give_back(handle, native, more)
      end

      def dispatch(handle)
        Streaming.in_executor { handle.dispatch(MOST_CHUNKS, MOST_SECONDS) }
      end

      def hold(handle)
        @lock.synchronize do
          @served_now[handle] = false
          @held += 1
          @all_held.signal if @held >= @threads.size
        end
      end

      def give_back(handle, native, more)
        return unless @pid == Process.pid # a callback has forked, and this is the child

        @lock.synchronize do
          @held -= 1
          @served += 1
          attached = @served_now.delete(handle)
          redirected = !handle.native.equal?(native)
          over = redirected || handle.settled?
          @queue.detach(native) if over
          # Stopped meanwhile, it has no threads, and what stood in the queue now would stay there.
          @queue.done(native, !over && !@threads.empty? && (more || handle.finished?))
          # Only now, so that no other thread serves the handle while this one still does.
          @queue.attach(handle.native, handle) if (redirected || attached) && !handle.settled?
          @delivered.broadcast if @queue.size.zero?
        end
      end

      # Sleeps until all threads are held; if none of them gets through anything in a while, there is one more.
      def watch(run)
        while size < MOST_THREADS
          before = @lock.synchronize do
            @all_held.wait(@lock) while @held < @threads.size
            @served
          end
          sleep(HELD_SECONDS)
          @lock.synchronize { add_thread if goes_on?(run) && @held >= @threads.size && @served == before }
        end
      end

      def now
        Process.clock_gettime(Process::CLOCK_MONOTONIC)
      end
    end
  end
end
