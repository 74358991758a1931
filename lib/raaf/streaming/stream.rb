# frozen_string_literal: true

require_relative "carried"
require_relative "chunk"
require_relative "chunk_processing"
require_relative "delivery"
require_relative "dispatcher"
require_relative "live_run"
require_relative "messages"
require_relative "native"
require_relative "stream/callbacks"
require_relative "stream/objects"
require_relative "stream/past"
require_relative "stream/reporting"
require_relative "stream/settling"
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
      include Settling
      include Reporting

      # Who takes the chunks of a stream.
      Consumer = Struct.new(:thread, :fiber) do
        # @implements Consumer

        # @return [Boolean] whether the calling fiber would hold it up by waiting
        def here?
          fiber.equal?(Fiber.current) || (thread.equal?(Thread.current) && Fiber.current_scheduler.nil?)
        end
      end
      private_constant :Consumer

      # What fails a run, where code of the application's, or the making of a result, raises it. Everything else that
      # can be raised ends the thread or the process.
      FAILURES = [StandardError, ScriptError, SystemStackError].freeze
      private_constant :FAILURES

      # @return [NativeStream] the running one; another one after a redirect
      # @api private
      attr_reader :native

      # Made by a runner.
      #
      # @param run [Run]
      # @api private
      def initialize(run)
        @run = run
        @live = LiveRun.new(run.context, run.config)
        @live.belongs_to(self) if run.context.origin
        @lock = Mutex.new # covers the rest, but for native streams, which have their own
        @ended = ConditionVariable.new # or nobody takes the chunks any longer
        @past = nil # what a wait with a timeout has taken
        @callbacks = nil
        @unheard = false # whether callbacks have not heard everything yet
        @consumer = nil # who takes the chunks
        @redirect = nil
        @closing = false # the end has been settled, and a redirect comes too late
        @tools = nil # those that run, while they do; the consumer's
        @notice = nil # a chunk that comes before those of the native stream; the consumer's
        @record = nil # tells the analytics of the run
        @finished = false
        @reported = false
        @started_at = nil
        @delivery = nil # made when it is asked for
        @carried = Carried.take # for what runs on other threads than the caller's
        @observers = observers
        @native = run.prepare
      end

      # Sends the question, or has it wait for its place. Made by a runner, once.
      #
      # @return [self]
      # @raise [Errors::StreamLimitError]
      # @api private
      def start
        record = @run.call.record # its time runs before the request does
        @started_at = now
        record_delivery
        @live.count_message(@run.call.details) { @run.call.start(native, @live) }
        native.cancel if @live.cancelled? # when there was nothing to cancel yet
        @record = record&.begin
        started = true
        self
      ensure
        @delivery&.over unless started
      end

      # Sends the question and takes the chunks. Unlike {#start} and {#each} one after the other this leaves no moment
      # at which a Thread#kill or a Timeout could leave the request running.
      #
      # @yieldparam chunk [Chunk]
      # @return [self]
      # @raise (see #each)
      # @api private
      def run(&block)
        consume(starting: true, &delivering(block || ->(_) {}))
        raise_error if raises?
        self
      end

      # @return [String] the stream's id, as in every chunk's metadata
      def id
        @run.context.stream_id
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

        consume(&delivering(block))
        raise_error if raises?
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

      # An answer in JSON, as an object that grows.
      #
      # @return [Stream::Objects] the object after each change (Enumerable); `to_h` waits for the whole
      # @example
      #   stream.objects.each { |recipe| show(recipe[:title], recipe[:steps]) }
      def objects
        Objects.new(self)
      end

      # Calls the block for each chunk of these types, on one of the dispatcher's threads, one chunk after another. What
      # arrived before is delivered first (pieces of text joined). A block that raises ends its stream and is logged,
      # and {#result} raises its error. A block that blocks holds up its own stream only.
      #
      # @param types [Array<Symbol>] of {Chunk::TYPES}; none, or `:*`: every chunk
      # @yieldparam chunk [Chunk]
      # @return [self]
      # @raise [ArgumentError] for an unknown type or a missing block
      # @raise [Errors::Error] where {#each} or {#wait} take the chunks, or have taken them
      def on(*types, &block)
        check_here
        Callbacks.check(types, block)
        Thread.handle_interrupt(Object => :never) do
          @lock.synchronize do
            if @consumer || (finished? && !@callbacks)
              raise Errors::Error, "each or wait take the chunks of this stream, or have taken them"
            end

            attach_callback(types, carrying(delivering(block)))
          end
        end
        self
      end

      # Waits until the run has ended, well or not, and all its callbacks have returned: also from its last chunk, and
      # also those that came after the end. (A callback is not waited for inside a callback.) Takes the chunks if nobody
      # else does. What it has taken until a timeout is there for {#each}, or for callbacks, that come later: first,
      # with pieces of text joined.
      #
      # @param timeout [Numeric, nil] seconds; nil: no limit
      # @return [self, nil] nil after the timeout; the run, or its callbacks, go on
      # @raise [Errors::Error] where it would wait for itself: inside the block that takes the chunks, or inside a
      #   callback for a stream with callbacks
      def wait(timeout = nil)
        deadline = timeout && (now + timeout)
        consume(deadline: deadline, waiting: true) { |chunk| (@past ||= Past.new).add(chunk) if deadline }
        self if over?
      end

      # What the run came to; waits for it, and for callbacks, as {#wait} does.
      #
      # @return [Result]
      # @raise [Errors::Error] why the run failed
      def result
        wait
        raise_error if raises?
        @result
      end

      # @return [Symbol] :queued (waits for its place among those of the process, where stream_queue_timeout lets it),
      #   :connecting, :waiting (for the first token), :streaming, :running_tools, :complete, :failed or :cancelled
      def status
        return @tools ? :running_tools : running_status unless finished?
        return :complete unless @error

        @error.is_a?(Errors::CancelledError) ? :cancelled : :failed
      end

      # @return [Boolean] whether the terminal chunk has been taken
      def finished?
        @finished
      end

      # Ends the request at once, also while the model is silent. Tools that run are left alone; nobody waits for them.
      # Whoever takes the chunks gets an `:error` chunk with a
      # CancelledError. Any thread, also in a signal handler, any number of times; a run that has ended is left as it
      # is.
      #
      # @return [self]
      def cancel
        @live.cancelled! # before the look at the native one: a redirect that replaces it looks at this afterwards
        native.cancel
        wake_tools
        self
      end

      # Stops the answer and goes on in the same conversation with a new instruction. What was said until now stays in
      # the conversation; whoever takes the chunks gets a `:status` chunk (status `:redirected`) and then the new
      # answer, whose `cumulative` begins anew. Any thread.
      #
      # @param message [String, Array<Hash>] what the user says next
      # @return [self]
      # @raise [ArgumentError] for a message that is none
      # @raise [Errors::Error] for a run that has ended or was cancelled
      # @raise [Errors::StreamLimitError] where messages_per_minute_per_user allows no further message; the run goes on
      #   as if nobody had asked
      def redirect(message)
        Messages.list(message) # a wrong one is refused here, not where the chunks are taken
        check_here
        @lock.synchronize do
          raise Errors::Error, "the run has ended: start a new one from its result's messages" if finished? || @closing
          raise Errors::Error, "the run was cancelled: start a new one" if @live.cancelled?

          @live.count_message(@run.call.details) { @redirect = message }
          native.interrupt
        end
        wake_tools
        self
      end

      # @return [String] short; no text, no key
      def inspect
        "#<#{self.class.name} #{id} #{status} model=#{@run.context.model.inspect}>"
      end

      # Runs callbacks for what is there. Called by the dispatcher, on one thread at a time.
      #
      # @param most [Integer] chunks
      # @param seconds [Float]
      # @return [Boolean] whether there is more to do
      # @api private
      def dispatch(most, seconds)
        Carried.within(@carried) { serve_callbacks(most, seconds) }
      end

      # @return [Boolean] whether the dispatcher has nothing more to do for it
      # @api private
      def settled?
        finished? && !@callbacks.late?
      end

      # Lets those go on who wait until all callbacks have run, if they have. Called by the dispatcher before it gives
      # the stream back, without a lock of its own.
      #
      # @return [void]
      # @api private
      def served
        @lock.synchronize { heard if settled? }
      end

      # Ends a run whose callbacks nobody will run any longer, for those who wait for its end.
      #
      # @return [void]
      # @api private
      def abandon
        @lock.synchronize do
          heard
          next if finished?

          give_up("the process, or its streaming, was shut down", :shutdown)
          @callbacks.keep(error_chunk) # for a callback that comes later, and is run by another thread
        end
        report
        end_delivery
      end

      private

      # A run that has a result raises nothing, also where it failed.
      def raises?
        !@error.nil? && @result.nil?
      end

      # At the end of the process every thread that streams gets one. Ruby ends threads then without a word, and it
      # shall not look as if all of them had crashed.
      def raise_error
        Thread.current.report_on_exception = false if shut_down? && Streaming.exiting?
        raise @error
      end

      def check_here
        return if native.here?

        raise Errors::ForkedError
      end

      # With {Delivery.current} while the block runs, where somebody wants it.
      def delivering(block)
        return block unless Delivery.kept?

        Delivery.around(delivery, block)
      end

      def delivery
        @delivery ||= Delivery.new(self, @live).tap { |made| @run.context.origin&.last = made }
      end

      # So that it can be stopped before the first token. A job may have waited so long that it was stopped meanwhile.
      def record_delivery
        origin = @run.context.origin or return

        delivery.record
        raise cancelled_error if origin.owner && @live.cancelled?
      end

      # Behind the last chunk. What a job was doing when it was interrupted may go on in another process.
      def end_delivery
        @delivery&.over(interrupted: !@error.nil? && ($!.is_a?(SignalException) || shut_down?)) if finished?
      end

      def shut_down?
        @error.is_a?(Errors::CancelledError) && @error.reason == :shutdown
      end

      # With what holds where the callback is given, where that is something else than held where the stream began.
      def carrying(block)
        carried = Carried.take
        return block if carried.nil? || carried == @carried

        ->(chunk) { carried.within { block.call(chunk) } }
      end

      # What the stream's tools run with.
      def carried_by_tools
        return @carried unless Delivery.kept?

        Carried.within(@carried) { Carried.take(delivery) }
      end

      # ---- taking chunks on the caller's thread ----

      # Everything that can be interrupted stands where `leave` follows.
      def consume(deadline: nil, starting: false, waiting: false, &block)
        return if waiting ? over? : finished?

        check_here
        consumer = Consumer.new(Thread.current, Fiber.current)
        begin
          next_turn = waiting ? wait_for_turn(consumer, deadline) : claim(consumer)
          return unless next_turn

          start if starting
          hand_over_past(&block) unless waiting
          late = true unless take_all(deadline, &observed(block))
        ensure
          # Twice, for an interrupt that comes before the first has put interrupts off. It would be shorter to put them
          # off all the time and to let them in for the block only; but Ruby keeps that by thread, so that it would
          # hold for all fibers of a thread while one of them sleeps here, and undo what the application has put off.
          begin
            leave(consumer, late)
          ensure
            leave(consumer, late)
          end
        end
      end

      # What somebody has taken who only waited for some time.
      def hand_over_past
        past = @past or return
        @past = nil
        past.chunks.each { |chunk| yield chunk }
      end

      # @return [Boolean] false: the time was over before the end
      def take_all(deadline, &block)
        last = nil #: Chunk?
        until last&.terminal? # not `loop`, which swallows a StopIteration of the block's
          last = @tools ? take_tools(deadline, &block) : take_chunks(deadline, &block)
          return false if last == false

          yield last if last
        end
        true
      end

      # @return [Chunk, nil, false] what follows, as {Settling#settle} has it; false: the time was over before
      def take_chunks(deadline, &block)
        notice = take_notice
        return notice if notice

        terminal = native.each(deadline && (deadline - now), &block)
        terminal ? settle(terminal) : false
      end

      def claim(consumer)
        @lock.synchronize do
          raise Errors::Error, "the callbacks of this stream take its chunks" if @callbacks
          raise Errors::Error, "the stream is already being consumed, by this or another thread" if @consumer

          @consumer = consumer
        end
      end

      # @return [Boolean] whether there is nothing to wait for any longer. In another process than its own nobody runs
      #   callbacks; and inside one, it may be the very one that would have to return first.
      def over?
        finished? && !(@unheard && native.here? && !Dispatcher.inside?)
      end

      # @return [Boolean] false: the run has ended, or the time was over
      def wait_for_turn(consumer, deadline)
        @lock.synchronize do
          until over?
            return @consumer = consumer unless @callbacks || @consumer

            check_not_waiting_for_itself
            left = deadline && (deadline - now)
            return false if left && left <= 0

            @ended.wait(@lock, left)
          end
        end
        false
      end

      def leave(consumer, late)
        return unless @consumer.equal?(consumer)

        Thread.handle_interrupt(Object => :never) do
          release(consumer, late)
          end_delivery
        end
      end

      # Whoever leaves before the end has ended it, unless he only waited for some time.
      def release(consumer, late)
        given_up = @lock.synchronize do
          next unless @consumer.equal?(consumer)

          @consumer = nil
          left = (finished? || late) ? false : true
          give_up("the chunks were not taken to the end, and the request was ended", :cancelled) if left
          @ended.broadcast # one of those who wait goes on taking them
          left
        end
        return unless given_up

        if native.here?
          @run.call.give_back
          keep_what_was_said
          @batch&.flush # no last chunk comes that would do it
        end
        report
      end

      # Under the lock.
      def give_up(why, reason)
        native.cancel
        error = Errors::CancelledError.new(why, reason: reason, partial_text: native.delivered_text)
        finish_under_lock(error: native.here? ? caused(error) : Errors::ForkedError.new)
      end

      # An error that nobody raises here, and that shall say all the same why it was made.
      def caused(error)
        cause = $!
        return error unless cause

        begin
          raise error, cause: cause
        rescue Errors::Error => e
          e
        end
      end

      def check_not_waiting_for_itself
        if @callbacks && Dispatcher.inside?
          raise Errors::Error, "a callback cannot wait for its stream, or for another that is run by callbacks: it " \
                               "would hold the thread that is to end it"
        end
        return unless @consumer&.here?

        raise Errors::Error, "whoever takes the chunks of a stream cannot wait for its end meanwhile: it would wait " \
                             "for itself"
      end

      def now
        Process.clock_gettime(Process::CLOCK_MONOTONIC)
      end

      def running_status
        stage = native.stage
        LiveRun::STATUSES.fetch(stage, stage)
      end

      # ---- callbacks ----

      # Under the lock. Where no thread can be had for it, a stream without callbacks stays one.
      def attach_callback(types, block)
        before = [@callbacks, @unheard] #: [Callbacks?, bool]
        @callbacks ||= Callbacks.new(@past || Past.new, @observers)
        @callbacks.add(types, block)
        @unheard = true
        Dispatcher.attach(self)
      rescue ThreadError
        @callbacks, @unheard = before
        raise
      end

      # Under the lock.
      def heard
        @unheard = false
        @ended.broadcast
      end

      def serve_callbacks(most, seconds)
        through = false
        state = run_callbacks(most, seconds)
        through = true
        end_delivery
        state == :more
      rescue *FAILURES => e
        through = true
        fail_callbacks(e)
        false
      ensure
        # A killed thread. The stream must not stay without an end.
        fail_callbacks(Errors::CancelledError.new("the thread that ran the callbacks was ended")) unless through
      end

      def run_callbacks(most, seconds)
        @callbacks.catch_up
        return :idle if finished?
        return run_tool_callbacks if @tools

        state = native.drain(most, seconds) { |chunk| @callbacks.deliver(chunk) }
        return state if state.is_a?(Symbol)

        [settle(state), take_notice].compact.each { |chunk| @callbacks.deliver(chunk) }
        @tools ? :more : :idle
      end

      # Called again whenever a tool has come to an end.
      def run_tool_callbacks
        return :idle unless take_tools_now { |chunk| @callbacks.deliver(chunk) }

        chunk = leave_tools(@tools)
        @callbacks.deliver(chunk) if chunk
        :idle
      end

      def fail_callbacks(error)
        chunk = @lock.synchronize do
          next if finished?

          native.cancel
          finish_under_lock(error: error)
          error_chunk
        end
        @run.call.give_back if native.here?
        log("a callback of stream #{id} raised #{error.class}: #{error.message}")
        report
        @callbacks.deliver_each(chunk) { |e| log("a callback for that error raised #{e.class}: #{e.message}") } if chunk
        end_delivery
      end

      def error_chunk
        Chunk.error(@error.message, exception: @error, **@run.context.chunk_attributes).freeze
      end

      # A logger that raises shall not end the thread that runs the callbacks of others.
      def log(message)
        Streaming.logger.error(message)
      rescue *FAILURES
        nil
      end
    end
  end
end
