# frozen_string_literal: true

require_relative "chunk"
require_relative "dispatcher"
require_relative "messages"
require_relative "native"
require_relative "stream/callbacks"
require_relative "stream/text"

module RAAF
  module Streaming
    # A running answer, as a handle: it is there at once, and the answer is taken from it in one of three ways.
    #
    # - {#each} (and all of Enumerable) takes the chunks on the caller's thread or fiber;
    # - {#on} has callbacks run by the dispatcher, so that no thread waits for the stream;
    # - {#wait} and {#result} take the whole answer.
    #
    # Who holds no handle any longer has given the answer up: the garbage collector ends the request. A stream with
    # callbacks is held by the dispatcher until it has ended.
    #
    # @example
    #   stream = runner.stream("Tell me a story")
    #   stream.each { |chunk| print chunk.delta if chunk.content? }
    #   stream.result.usage
    class Stream
      include Enumerable

      # @return [NativeStream] the running one; another one after a redirect
      # @api private
      attr_reader :native

      # Starts the stream. Made by a runner.
      #
      # @param call [ModelCall]
      # @api private
      def initialize(call)
        @call = call
        @lock = Mutex.new # covers the rest, but for native streams, which have their own
        @ended = ConditionVariable.new
        @callbacks = nil
        @consuming = false
        @redirect = nil
        @finished = false
        @native = call.start
      end

      # @return [String] the stream's id, as in every chunk's metadata
      def id
        @call.run_context.stream_id
      end

      # Takes the chunks, and waits for them. The last one is `:complete`, or `:error`, after which the error is raised.
      # Leaving early (break, raise, throw, Thread#kill, Timeout) ends the request and closes its connection. Of a run
      # that has ended there is nothing left to take.
      #
      # @yieldparam chunk [Chunk]
      # @return [self, Enumerator] an Enumerator without a block
      # @raise [Errors::Error] where the run fails; or where another thread, or callbacks, take the chunks
      # @raise [Errors::ForkedError] in a child of the process that started the stream
      def each(&block)
        return enum_for(:each) unless block

        consume(&block)
        raise @error if @error

        self
      end

      # The answer's text alone.
      #
      # @return [Stream::Text] its pieces (Enumerable); `to_s` waits for all of it
      # @example
      #   stream.text.each { |piece| print piece }
      def text
        Text.new(self)
      end

      # Calls the block for each chunk of these types, on one of the dispatcher's threads, one chunk after another. What
      # arrived before is delivered first (pieces of text joined). A block that raises ends its stream and is logged,
      # and {#result} raises its error. A block that blocks holds up its own stream only.
      #
      # @param types [Array<Symbol>] of {Chunk::TYPES}; none, or `:*`: every chunk
      # @yieldparam chunk [Chunk]
      # @return [self]
      # @raise [ArgumentError] for an unknown type or a missing block
      # @raise [Errors::Error] where {#each} or {#wait} take the chunks
      def on(*types, &block)
        check_here
        @lock.synchronize do
          raise Errors::Error, "each or wait take the chunks of this stream already" if @consuming

          (@callbacks ||= Callbacks.new).add(types, block)
        end
        Dispatcher.current.attach(self)
        self
      end

      # Waits until the run has ended, well or not. Takes the chunks if nobody else does.
      #
      # @param timeout [Numeric, nil] seconds, where callbacks or another thread take the chunks; nil: no limit
      # @return [self, nil] nil after the timeout
      # @raise [Errors::Error] inside a callback, for a stream with callbacks: it would wait for itself
      def wait(timeout = nil)
        return self if finished?

        check_here
        return wait_for_others(timeout) if @lock.synchronize { @callbacks || @consuming }

        consume { |_| nil }
        self
      end

      # What the run came to; waits for it.
      #
      # @return [Result]
      # @raise [Errors::Error] why the run failed
      def result
        wait
        raise @error if @error

        @result
      end

      # @return [Symbol] :connecting, :waiting (for the first token), :streaming, :complete, :failed or :cancelled
      def status
        return running_status unless finished?
        return :complete unless @error

        @error.is_a?(Errors::CancelledError) ? :cancelled : :failed
      end

      # @return [Boolean] whether the terminal chunk has been taken
      def finished?
        @finished
      end

      # Ends the request at once, also while the model is silent. Whoever takes the chunks gets an `:error` chunk with a
      # CancelledError. Any thread, any number of times; a run that has ended is left as it is.
      #
      # @return [self]
      def cancel
        @lock.synchronize do
          @redirect = nil
          native.cancel
        end
        self
      end

      # Stops the answer and goes on in the same conversation with a new instruction. What was said until now stays in
      # the conversation; whoever takes the chunks gets a `:status` chunk (status `:redirected`) and then the new
      # answer, whose `cumulative` begins anew. Any thread.
      #
      # @param message [String, Array<Hash>] what the user says next
      # @return [self]
      # @raise [ArgumentError] for a message that is none
      # @raise [Errors::Error] for a run that has ended
      def redirect(message)
        Messages.list(message) # a wrong one is refused here, not where the chunks are taken
        check_here
        @lock.synchronize do
          raise Errors::Error, "the run has ended: start a new one from its result's messages" if finished?

          @redirect = message
          native.cancel
        end
        self
      end

      # @return [String] short; no text, no key
      def inspect
        "#<#{self.class.name} #{id} #{status} model=#{@call.run_context.model.inspect}>"
      end

      # Runs callbacks for what is there. Called by the dispatcher, on one thread at a time.
      #
      # @param most [Integer] chunks
      # @param seconds [Float]
      # @return [Boolean] whether there is more to do
      # @api private
      def dispatch(most, seconds)
        through = false
        state = run_callbacks(most, seconds)
        through = true
        state == :more
      rescue => e
        through = true
        fail_callbacks(e)
        false
      ensure
        # A killed thread. The stream must not stay without an end.
        fail_callbacks(Errors::CancelledError.new("the thread that ran the callbacks was ended")) unless through
      end

      # @return [Boolean] whether the dispatcher has nothing more to do for it
      # @api private
      def settled?
        finished? && !@callbacks.late?
      end

      private

      def check_here
        return if native.here?

        raise Errors::ForkedError
      end

      # ---- taking chunks on the caller's thread ----

      def consume
        check_here
        return if finished?

        claim
        begin
          loop do
            last = settle(native.each { |chunk| yield chunk })
            yield last
            break if last.terminal?
          end
        ensure
          release
        end
      end

      def claim
        @lock.synchronize do
          raise Errors::Error, "the callbacks of this stream take its chunks" if @callbacks
          raise Errors::Error, "the stream is already being consumed, by this or another thread" if @consuming

          @consuming = true
        end
      end

      # Whoever leaves before the end has ended it.
      def release
        @lock.synchronize do
          @consuming = false
          unless finished?
            native.cancel
            finish(error: left_early)
          end
        end
      end

      def left_early
        Errors::CancelledError.new("the chunks were not taken to the end, and the request was ended",
          reason: :cancelled, partial_text: native.delivered_text)
      end

      def wait_for_others(timeout)
        if @callbacks && Dispatcher.inside?
          raise Errors::Error, "a callback cannot wait for its stream, or for another that is run by callbacks: it " \
                               "would hold the thread that is to end it"
        end
        deadline = timeout && (now + timeout)
        @lock.synchronize do
          until finished?
            left = deadline && (deadline - now)
            return nil if left && left <= 0

            @ended.wait(@lock, left)
          end
        end
        self
      end

      def now
        Process.clock_gettime(Process::CLOCK_MONOTONIC)
      end

      # ---- what the end of a native stream means ----

      # @param terminal [Chunk] the native stream's last, not frozen
      # @return [Chunk] what to hand over: the run's last chunk, or the notice that it goes on
      def settle(terminal)
        @lock.synchronize do
          message, @redirect = @redirect, nil
          next go_on(terminal, message) if message

          outcome = native.outcome
          (outcome[:code] == :ok) ? complete(terminal) : failed(terminal, @call.error(outcome, native.delivered_text))
        end
      end

      def go_on(terminal, message)
        said = native.delivered_text
        following = @call.continue(said, message)
        following_native = following.start(terminal.seq + 1)
        @call, @native = following, following_native
        Chunk.new(type: :status, status: :redirected, seq: terminal.seq, cumulative: said, stream_id: id).freeze
      rescue Errors::Error => e
        failed(terminal, e)
      end

      def complete(terminal)
        finish(result: @call.result(native, native.delivered_text))
        terminal.final_response = @result.final_output
        terminal.usage = @result.usage
        terminal.finish_reason = @result.finish_reason
        terminal.freeze
      end

      def failed(terminal, error)
        finish(error: error)
        terminal.type = :error
        terminal.delta = error.message
        terminal.error = error.message
        terminal.exception = error
        terminal.freeze
      end

      # Under the lock. At most once.
      def finish(result: nil, error: nil)
        @result = result
        @error = error
        @finished = true
        @ended.broadcast
      end

      def running_status
        stage = native.stage
        %i[new ended].include?(stage) ? :streaming : stage
      end

      # ---- callbacks ----

      def run_callbacks(most, seconds)
        @callbacks.catch_up
        return :idle if finished?

        state = native.drain(most, seconds) { |chunk| @callbacks.deliver(chunk) }
        return state if state.is_a?(Symbol)

        @callbacks.deliver(settle(state))
        :idle
      end

      def fail_callbacks(error)
        Streaming.logger.error("a callback of stream #{id} raised #{error.class}: #{error.message}")
        chunk = @lock.synchronize do
          next if finished?

          native.cancel
          finish(error: error)
          Chunk.error(error.message, exception: error, stream_id: id).freeze
        end
        @callbacks.deliver(chunk) if chunk
      rescue => e
        Streaming.logger.error("a callback for that error raised #{e.class}: #{e.message}")
      end
    end
  end
end
