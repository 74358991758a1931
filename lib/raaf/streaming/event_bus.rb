# frozen_string_literal: true

require_relative "native"
require_relative "notifications"
require_relative "thread_pool"
require_relative "timers"
require_relative "event_bus/drain"
require_relative "event_bus/event"
require_relative "event_bus/job"
require_relative "event_bus/subscription"
require_relative "event_bus/types"
require_relative "event_bus/waits"

module RAAF
  module Streaming
    # Tells handlers what happens: events with a type and a payload.
    #
    # @example
    #   bus = RAAF::Streaming::EventBus.new
    #   bus.on(:agent_complete) { |event| puts "#{event[:agent]}: #{event[:result]}" }
    #   bus.emit(:agent_complete, agent: "Writer", result: "Once upon a time …")
    #   bus.drain(5)
    #
    # **Delivery**, of a bus and, where it says so, of a handler:
    #
    # * `:ordered` (the default): on the threads of a pool; emit does not wait. A handler gets the events in the order
    #   in which they were emitted, one at a time.
    # * `:parallel`: likewise, but up to {MOST_PARALLEL} events of the handler are handled at once, in no order.
    # * `:inline`: on the emitter's thread, before emit returns.
    #
    # All buses share the pool. A handler that waits holds one of its {ThreadPool::MOST_THREADS} threads meanwhile.
    #
    # **Queues.** A handler that is not inline has a queue of `queue_size` events (2,000). When it is full, `when_full`
    # says what becomes of the next event:
    #
    # * `:block` (the default): emit waits until there is room; under a Fiber scheduler other fibers run meanwhile. The
    #   other handlers have got the event by then. An emit in a handler waits too, so that a slow handler slows down
    #   those who work for it; but not where it would wait for itself: a handler that emits to itself, or to one that
    #   waits for it. That one may fill the queue to twice its size, and beyond gets a {Errors::QueueFullError}.
    # * `:drop_oldest`: the event that has waited longest goes.
    # * `:raise`: emit raises {Errors::QueueFullError} once the other handlers have got the event.
    #
    # What was dropped or refused is counted ({#stats}).
    #
    # **Failures.** A handler that raises stops no other one, and gets the next event like any other. The error goes to
    # {#on_error}, or, where nobody asked for it there, to the log; and to ActiveSupport's subscribers of
    # "event_error.raaf". What is no failure (Thread#kill, `exit`, `throw` out of an inline handler) takes its way.
    #
    # **Interrupts.** An emit that is interrupted (Thread#kill, Timeout) while it waits for room has reached the
    # handlers with room, and not the others.
    #
    # **Forks.** A child has the handlers, but not the events that waited: those stay the parent's. At the exit of a
    # process that emitted, handlers get {SHUTDOWN_SECONDS} for what waits.
    class EventBus
      # How events come to handlers.
      DELIVERIES = %i[ordered parallel inline].freeze
      # What becomes of an event for which a handler's queue has no room.
      WHEN_FULL = %i[block drop_oldest raise].freeze
      # Events that a handler's queue holds, by default. (More cost more: the garbage collector goes through all that
      # wait, again and again. With 10,000 an event cost half as much again as with 2,000.)
      QUEUE_SIZE = 2_000
      # Events that it can be made to hold.
      MOST_QUEUE_SIZE = 10_000_000
      # Events of one handler that are handled at once with `:parallel`.
      MOST_PARALLEL = 8

      # What a handler may raise without any harm to others.
      FAILURES = [StandardError, ScriptError, SystemStackError].freeze
      # Longest sleep of who waits, in seconds; whoever has news for him wakes him. Without any limit async 2.24 on
      # Ruby 3.1 would lose a fiber.
      NAP = 10
      private_constant :FAILURES, :NAP

      # @param delivery [Symbol] one of {DELIVERIES}, for handlers that name none
      # @param queue_size [Integer] events in a handler's queue at most
      # @param when_full [Symbol] one of {WHEN_FULL}
      # @raise [ArgumentError] for anything else
      def initialize(delivery: :ordered, queue_size: QUEUE_SIZE, when_full: :block)
        @settings = check_settings(delivery: delivery, queue_size: queue_size, when_full: when_full)
        @lock = Mutex.new # covers the lists, which are frozen, and changed by putting another one in their place
        @subscriptions = [].freeze
        @error_handlers = [].freeze
        @drain_lock = Mutex.new # covers the rest
        @drains = []
        @drained = ConditionVariable.new
      end

      # Has a handler called with every event of these types.
      #
      # @example
      #   bus.on(:agent_complete, :agent_error) { |event| log(event.type, event[:agent]) }
      #   bus.on("agent_*") { |event| … }           # or /\Aagent_/
      #   bus.on(:*, delivery: :inline, &tracer)    # all
      #   bus.on(:agent_chunk, Painter.new)         # anything with `call`
      #
      # @param types [Array<Symbol, String, Regexp, #call>] a String is the same as its Symbol; a `*` in one stands for
      #   any characters. None, or `:*`: all types. The last one may be the handler
      # @param delivery [Symbol, nil] one of {DELIVERIES}; nil: the bus's
      # @param queue_size [Integer, nil] nil: the bus's
      # @param when_full [Symbol, nil] one of {WHEN_FULL}; nil: the bus's
      # @yieldparam event [Event]
      # @return [Subscription] to take it off again
      # @raise [ArgumentError] without a handler, or for a setting that is none
      # @raise [TypeError] for a type that is none
      def on(*types, delivery: nil, queue_size: nil, when_full: nil, &handler)
        subscribe(types, handler, once: false, delivery: delivery, queue_size: queue_size, when_full: when_full)
      end

      # As {#on}, for the next event only.
      #
      # @param types [Array<Symbol, String, Regexp, #call>]
      # @param delivery [Symbol, nil]
      # @yieldparam event [Event]
      # @return [Subscription]
      # @raise [ArgumentError, TypeError] as {#on}
      def once(*types, delivery: nil, &handler)
        subscribe(types, handler, once: true, delivery: delivery)
      end

      # Takes handlers off. They get nothing any longer, also none of the events that wait for them; an event that is
      # being handled is handled to its end.
      #
      # @example
      #   bus.off(subscription)
      #   bus.off(:agent_chunk)             # all handlers of this type, as they were given it
      #   bus.off(:agent_chunk, painter)    # this one; or &block
      #
      # @param what [Subscription, Symbol, String, Regexp] a handler with several types keeps the others
      # @param handler [#call, nil] nil: all
      # @yieldparam event [Event] the block instead of handler
      # @return [Boolean] whether there was something to take off
      def off(what, handler = nil, &block)
        return take_off(what) if what.is_a?(Subscription)

        take_off_type(Types.normalize(what), handler || block)
      end

      # Has a callable see every event before the handlers do, on the emitter's thread, in the order in which they were
      # added. It may change the event's type and payload. It ends the event's way by `event.stop!` only, whatever it
      # returns. What it raises is the emitter's to rescue, and the event goes no further.
      #
      # @param callable [#call, nil]
      # @yieldparam event [Event] instead of it
      # @return [self]
      # @raise [ArgumentError] without one
      def use_middleware(callable = nil, &middleware)
        callable = Subscription.callable(callable || middleware)
        @lock.synchronize { add_middleware(callable) }
        self
      end

      # Has a callable called with what handlers raise, on the handler's thread. What it raises itself is logged.
      #
      # @param callable [#call, nil]
      # @yieldparam error [Exception]
      # @yieldparam event [Event]
      # @yieldparam subscription [Subscription] whose handler raised
      # @return [self]
      # @raise [ArgumentError] without one
      def on_error(callable = nil, &handler)
        callable ||= handler
        raise ArgumentError, "a block is needed, or something with `call`" unless callable.respond_to?(:call)

        @lock.synchronize { @error_handlers = [*@error_handlers, callable].freeze }
        self
      end

      # Waits until all that was emitted before has been handled, and what handlers of this bus have emitted because of
      # it. What others emit meanwhile is not waited for.
      #
      # @param timeout [Numeric, nil] seconds; nil: no limit
      # @return [Boolean] false: the time was over
      # @raise [ThreadError] in a handler of this bus that is not inline: it would wait for itself
      def drain(timeout = nil)
        if Job.current&.subscription&.bus.equal?(self)
          raise ThreadError, "drain was called by a handler of the bus: it would wait for itself"
        end

        deadline = timeout && (Timers.now + timeout)
        @subscriptions.each(&:resume)
        ThreadPool.handlers.stand_aside { wait_until(deadline) }
      end

      # From now on emit raises {Errors::BusClosedError}, in handlers too. What waits is still handled ({#drain} tells
      # when it has been), unless it is to be dropped. Closing twice changes nothing.
      #
      # @param drop [Boolean] whether to drop what waits
      # @return [self]
      def close(drop: false)
        end_it
        @subscriptions.each(&:stop) if drop
        self
      end

      # @!method closed?
      #   @return [Boolean]

      # @!method emit(type, payload = {})
      #   Tells the handlers of this type, in the order in which they were added. Does not wait for them (see above).
      #
      #   @example
      #     bus.emit(:agent_complete, agent: "Writer", result: "…")
      #   @param type [Symbol, String] a String is the same as its Symbol
      #   @param payload [Hash, Object] or as keywords; the very object is what handlers get
      #   @return [Event]
      #   @raise [TypeError] for a type that is neither
      #   @raise [Errors::BusClosedError] after {#close}
      #   @raise [Errors::QueueFullError] see above
      #   @raise [ThreadError] where the process takes no new threads and there is none for a handler
      #   @raise [StandardError] what middleware raised

      # Counts, over all handlers there have been but for the first two:
      #
      # * handlers: those there are now
      # * queued: events that wait in their queues
      # * emitted: events that no middleware has stopped
      # * handled: calls of handlers, also those that failed
      # * failed: calls of handlers that raised
      # * dropped: events that never came to a handler: for want of room, or because it was taken off first
      #
      # @return [Hash{Symbol=>Integer}]
      def stats
        emitted, handled, failed, dropped = counts
        {handlers: @subscriptions.count(&:active?), queued: @subscriptions.sum(&:queued), emitted: emitted,
         handled: handled, failed: failed, dropped: dropped}
      end

      # @return [Integer] events that never came to a handler (see {#stats})
      def dropped
        stats.fetch(:dropped)
      end

      # @return [String]
      def inspect
        "#<#{self.class} #{stats.map { |name, count| "#{name}=#{count}" }.join(" ")}#{" closed" if closed?}>"
      end

      # A handler has raised.
      #
      # @param error [Exception]
      # @param event [Event]
      # @param subscription [Subscription]
      # @return [void]
      # @api private
      def report(error, event, subscription)
        Notifications.publish("event_error", type: event.type, error: error.class.name)
        handlers = @error_handlers
        log("a handler of #{event.type.inspect}", error) if handlers.empty?
        handlers.each do |handler|
          handler.call(error, event, subscription)
        rescue *FAILURES => e
          log("what on_error was given", e)
        end
      end

      # A drain may be over.
      #
      # @return [void]
      # @api private
      def announce
        @drain_lock.synchronize { @drained.broadcast } if drainers.positive?
      end

      private

      def check_settings(settings)
        Subscription.check_settings(settings)
        settings.freeze
      end

      def subscribe(types, handler, once:, **settings)
        handler ||= types.pop unless types.empty? || Types.type?(types.last)
        settings = check_settings(@settings.merge(settings.compact))
        subscription = Subscription.new(self, Types.new(types), handler, settings, once: once)
        change { |all| [*all, subscription] }
        subscription
      end

      # Those that have got all they are to get leave with the next change.
      def change
        @lock.synchronize do
          @subscriptions = yield(@subscriptions.reject(&:over?)).freeze
          handlers_changed
        end
      end

      def take_off(subscription)
        found = @subscriptions.include?(subscription) && subscription.active?
        subscription.stop if found
        change { |all| all }
        found
      end

      def take_off_type(type, handler)
        found = []
        change do |all|
          found = all.select { |one| one.active? && one.given?(type, handler) }
          found.each { |one| one.give_up(type) }
          all
        end
        !found.empty?
      end

      # Called by emit, once a type: the handlers, in the order in which they were added.
      def find_handlers(type)
        @subscriptions.select { |one| one.wants?(type) }.freeze
      end

      # Called by emit, for handlers whose queues are full.
      def deliver_late(event, subscriptions)
        refused = subscriptions.reject { |one| one.accept(event) }
        return if refused.empty?

        raise Errors::QueueFullError, "the queue of a handler of #{event.type.inspect} is full " \
                                      "(queue_size: #{refused.first.queue_size})"
      end

      # Called by emit: a handler has got its only event.
      def spent
        change { |all| all }
      end

      # Called by emit while somebody waits in drain: what a handler emits is waited for like the event it handles. That
      # one may still have to be followed itself, by another thread that is here: then it counts as if it were.
      def follow(subscription)
        job = Job.current or return
        @drain_lock.synchronize do
          late = following > 1
          @drains.each { |drain| drain.follow(job.subscription, late ? nil : job.number, subscription) }
        end
      end

      # Counted before it looks at the handlers, so that no event comes between: who emits one from then on follows it.
      def wait_until(deadline)
        @drain_lock.synchronize do
          count_drainer(1)
          @drains << (drain = Drain.new(@subscriptions))
          until drain.over?
            left = deadline ? deadline - Timers.now : NAP
            break if left <= 0

            @drained.wait(@drain_lock, [left, NAP].min)
          end
          drain.over?
        ensure
          @drains.delete(drain)
          count_drainer(-1)
        end
      end

      def log(who, error)
        Streaming.logger.error("#{who} raised #{error.class}: #{error.message} (#{error.backtrace&.first})")
      end
    end
  end
end
