# frozen_string_literal: true

require_relative "async_runner"
require_relative "thread_pool"
require_relative "timers"

module RAAF
  module Streaming
    # One agent's run on callbacks: no thread waits for it. Its chunks come one after another, the terminal one always
    # and last, also where the run could not be started; then, once, what it came to.
    #
    # @api private
    class AgentRun
      # What may be raised without ending a thread or the process.
      FAILURES = [StandardError, ScriptError, SystemStackError].freeze

      # @param runner [AsyncRunner]
      # @param timeout [Numeric, nil] seconds for the whole run, tools included
      # @param on_chunk [#call] called with each chunk; must raise nothing
      # @param on_end [#call] called with a Result and nil, or nil and an Exception; must raise nothing
      def initialize(runner, timeout:, on_chunk:, on_end:)
        @runner = runner
        @timeout = timeout
        @on_chunk = on_chunk
        @on_end = on_end
        @lock = Mutex.new # covers whether it is over
        @over = false
        @stream = nil
        @begun = false # or said to have failed
        @why = nil # it was stopped
      end

      # @param message [String, Array<Hash>]
      # @param options [Hash{Symbol=>Object}] as {AsyncRunner#stream}
      # @return [void]
      def start(message, **options)
        raise Errors::CancelledError.new(reason: :cancelled) if @why

        stream = @stream = @runner.stream(message, **options)
        seconds = @timeout
        @timer = Timers.after(seconds) { stop(:timeout) } if seconds
        stream.cancel if @why
        stream.on { |chunk| take(chunk) }
        @begun = true
      rescue *FAILURES => e
        fail_later(e)
      end

      # For an `ensure` round {#start}: a run that could not begin, since the thread was ended, comes to its end.
      #
      # @return [void]
      def give_up
        return if @begun

        fail_later(Errors::CancelledError.new("the thread that was to begin it was ended", reason: :cancelled))
      end

      # Ends the request at once. A run that has ended is left as it is. Any thread, also in a signal handler.
      #
      # @param why [Symbol] :cancelled or :timeout
      # @return [void]
      def stop(why = :cancelled)
        @why ||= why
        @stream&.cancel
      end

      # Ends a run whose callbacks nobody runs any longer: streaming was shut down.
      #
      # @return [void]
      def check
        stream = @stream
        return unless stream&.finished? && !@over && !Dispatcher.inside? && stream.wait(0)

        begin
          finish(stream.result, nil)
        rescue Errors::Error => e
          fail_with(e)
        end
      end

      private

      def take(chunk)
        @on_chunk.call(chunk)
        return unless chunk.terminal?

        chunk.complete? ? finish(@stream.result, nil) : finish(nil, named(chunk.exception))
      end

      # Not on the caller's thread, who may start the next one at the end of this one.
      def fail_later(error)
        @begun = true
        @stream&.cancel
        carried = Carried.take
        ThreadPool.handlers.post { Carried.within(carried) { fail_with(error) } }
      rescue ThreadError
        fail_with(error) # the process takes no new threads
      end

      def fail_with(error)
        return if @over

        @on_chunk.call(Chunk.error(error.message, exception: error).freeze)
        finish(nil, error)
      end

      # Why it was stopped, where that is why it has ended.
      def named(error)
        return error unless @why == :timeout && error.is_a?(Errors::CancelledError)

        Errors::TimeoutError.new("the agent #{@runner.agent.name} took longer than #{@timeout} s", phase: :total,
          model: @runner.agent.model, partial_text: error.partial_text)
      end

      def finish(result, error)
        return if @lock.synchronize { @over.tap { @over = true } }

        Timers.cancel(@timer)
        @on_end.call(result, error)
      end
    end
  end
end
