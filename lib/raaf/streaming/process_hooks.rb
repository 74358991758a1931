# frozen_string_literal: true

require_relative "config_api"

module RAAF
  # How the native thread lives with its process: its start, forks, and the exit.
  module Streaming
    # Seconds that {shutdown} waits for the native thread.
    SHUTDOWN_SECONDS = 2

    class << self
      # Ends all streams of this process (each gets its terminal `:error` chunk, a retryable CancelledError) and the
      # native thread. A later stream starts a new one. What has been told to callbacks, to handlers of events and to
      # processors of chunks is handled to its end, and what was sent is written to the replay_store. Called at exit;
      # call it yourself where a process goes on without streaming.
      #
      # @param timeout [Numeric] seconds to wait for the native thread, for callbacks, for handlers and for the store,
      #   each
      # @return [Boolean] whether the thread has ended in that time; if not, nothing of it was freed
      def shutdown(timeout: SHUTDOWN_SECONDS)
        stopped = Reactor.stop(timeout)
        Dispatcher.shutdown(timeout)
        ChunkProcessing::Batch.flush_all
        ThreadPool.handlers.settle(timeout)
        ReplayStore::Recording.finish_all
        ReplayStore.flush_used(timeout)
        stopped
      end

      # The exit hook is registered with a start and not when the gem is required, so that it runs before what was
      # registered earlier (a test runner's own, which still streams). Of those there is one at a time, and another one
      # where what runs after it starts the thread again. A child inherits it.
      #
      # @return [void]
      # @api private
      def register_exit_hook
        return if @exit_hook

        @exit_hook = true
        at_exit do
          @exit_hook = false
          @exiting = true
          shutdown
        end
      end

      # @return [Boolean] whether the process is ending
      # @api private
      def exiting?
        @exiting == true
      end

      # In a child process, right after the fork: what the parent has is its own.
      #
      # @return [void]
      # @api private
      def after_fork
        Reactor.after_fork
      end

      private

      # Called by the native part before it starts the thread.
      def prepare_reactor
        backend = ENV["RAAF_STREAMING_BACKEND"].to_s
        pipe = ENV["RAAF_STREAMING_WAKER"] == "pipe"
        Reactor.set_options(backend.empty? ? nil : backend.to_sym, pipe, configuration.connection_pool_size)
        Reactor.wake_by_pipe = true if pipe
        register_exit_hook
      end
    end

    # Tells a forked child at once. Where a process is made without Process._fork, the comparison of process ids at
    # each entry finds it out.
    #
    # @api private
    module ForkHook
      # @return [Integer] as Process._fork
      def _fork
        super.tap { |pid| Streaming.after_fork if pid.zero? }
      end
    end

    Process.singleton_class.prepend(ForkHook)
  end
end
