# frozen_string_literal: true

module RAAF
  module Streaming
    class EventBus
      # A handler of a bus. Its queue, and what is counted, are native.
      class Subscription
        # @return [EventBus]
        attr_reader :bus
        # @return [#call] as it was given
        attr_reader :handler
        # @return [Symbol] one of {EventBus::DELIVERIES}
        attr_reader :delivery
        # @return [Integer] events that wait at most
        attr_reader :queue_size
        # @return [Symbol] one of {EventBus::WHEN_FULL}
        attr_reader :when_full

        class << self
          # @param settings [Hash] delivery, queue_size, when_full
          # @return [void]
          # @raise [ArgumentError] for a value that is none
          # @api private
          def check_settings(settings)
            one_of(DELIVERIES, settings[:delivery], "delivery")
            one_of(WHEN_FULL, settings[:when_full], "when_full")
            queue_size = settings[:queue_size]
            return if queue_size.is_a?(Integer) && queue_size.between?(1, MOST_QUEUE_SIZE)

            raise ArgumentError, "queue_size is a number of events from 1 to #{MOST_QUEUE_SIZE}, " \
                                 "not #{queue_size.inspect}"
          end

          # @param handler [#call]
          # @return [#call] takes the event, also where the handler takes nothing
          # @raise [ArgumentError] for something without `call`
          # @api private
          def callable(handler)
            raise ArgumentError, "a block is needed, or something with `call`" unless handler.respond_to?(:call)
            return handler if handler.is_a?(Proc) && !handler.lambda?

            arity = (handler.is_a?(Proc) || handler.is_a?(Method)) ? handler.arity : handler.method(:call).arity
            arity.zero? ? proc { handler.call } : handler
          end

          private

          def one_of(known, given, name)
            return if known.include?(given)

            raise ArgumentError, "#{name} is one of #{known.map(&:inspect).join(", ")}, not #{given.inspect}"
          end
        end

        # Made by {EventBus#on}.
        #
        # @api private
        def initialize(bus, types, handler, settings, once:)
          @bus = bus
          @wanted = types
          @handler = handler
          @delivery, @queue_size, @when_full = settings.values_at(:delivery, :queue_size, :when_full)
          @lock = Mutex.new
          @room = ConditionVariable.new
          set_up(bus, Subscription.callable(handler), delivery == :inline, queue_size,
            (delivery == :parallel) ? MOST_PARALLEL : 1, once, when_full == :drop_oldest)
        end

        # @!method active?
        #   @return [Boolean] whether it gets events

        # @!method queued
        #   @return [Integer] events that wait

        # @!method handled
        #   @return [Integer] events that were handled, also those that failed

        # @!method failed
        #   @return [Integer] events with which the handler raised

        # @!method dropped
        #   @return [Integer] events that never came to the handler (see {EventBus#stats})

        # @!method pushed
        #   @return [Integer] events that ever stood in the queue
        #   @api private

        # @!method over?
        #   @return [Boolean] whether it gets no event any longer, and is through with those it got
        #   @api private

        # @!method settled?(number)
        #   @param number [Integer] of an event, as they came into the queue
        #   @return [Boolean] whether it, and all before it, are handled or dropped
        #   @api private

        # Takes the handler off (see {EventBus#off}).
        #
        # @return [Boolean] whether there was something to take off
        def off
          bus.off(self)
        end
        alias_method :unsubscribe, :off

        # @return [Array<Symbol, Regexp>] the types it is for
        def types
          @wanted&.list || []
        end

        # @return [String]
        def inspect
          "#<#{self.class} #{types.map(&:inspect).join(", ")} #{delivery}#{" off" unless active?}>"
        end

        # @param type [Symbol]
        # @return [Boolean] whether it is to get an event of this type
        # @api private
        def wants?(type)
          active? && @wanted&.include?(type)
        end

        # @param type [Symbol, Regexp]
        # @param handler [#call, nil]
        # @return [Boolean] whether it was given this type, and this handler
        # @api private
        def given?(type, handler)
          types.include?(type) && (handler.nil? || handler == @handler)
        end

        # @param type [Symbol, Regexp] it is not to get any longer
        # @return [void]
        # @api private
        def give_up(type)
          @wanted = @wanted&.without(type)
          stop unless @wanted
        end

        # It gets nothing any longer, and nobody has to wait for room.
        #
        # @return [void]
        # @api private
        def stop
          end_it
          announce
          bus.announce
        end

        # What waits may have been left without a thread, when the process took no new ones.
        #
        # @return [void]
        # @api private
        def resume
          schedule if queued.positive?
        end

        # Takes an event for which there is no room just now, or not, as `when_full` says.
        #
        # @param event [Event]
        # @return [Boolean]
        # @api private
        def accept(event)
          taken = when_full == :block && (wait_for_room(event) || offer(event, queue_size * 2, nil))
          refuse unless taken
          taken
        end

        # There may be room.
        #
        # @return [void]
        # @api private
        def announce
          @lock.synchronize { @room.broadcast } if waiters.positive?
        end

        private

        # Called where there is something in the queue, or will be, and not enough jobs are out.
        def schedule
          Streaming.register_exit_hook
          Thread.handle_interrupt(Object => :never) do
            job = take_job
            post(job) if job
          end
        end

        def post(job)
          ThreadPool.handlers.post(job)
        rescue ThreadError
          job.rest
          raise
        end

        # @return [Boolean] false: it would never end
        def wait_for_room(event)
          Waits.wait(Job.current&.subscription, self) do |edge|
            ThreadPool.handlers.stand_aside { enter(event, edge) }
          end
        end

        # The edge is told at the same moment at which the event gets in: else the handler that gets it might find a
        # circle that is none any longer.
        def enter(event, edge)
          count_waiter(1)
          begin
            @lock.synchronize { @room.wait(@lock, NAP) until offer(event, queue_size, edge) }
          ensure
            count_waiter(-1)
          end
        end
      end
    end
  end
end
