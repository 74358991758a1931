# frozen_string_literal: true

require_relative "delivery"
require_relative "event_bus"
require_relative "executor"
require_relative "origin"

module RAAF
  module Streaming
    # What a fiber knows besides its arguments, taken along to the thread on which its work goes on: where streams come
    # from ({Origin}), which stream and chunk it deals with ({Delivery}), and what the framework keeps for a request
    # (see {Streaming.executor}).
    #
    # Callbacks, tools, handlers of events and the threads of workflows run with what held where they were asked for,
    # and leave nothing of it behind.
    #
    # @api private
    class Carried
      class << self
        # From now on the handlers of events get it too. Called by who sets something that can be carried: an emit that
        # asks for nothing costs nothing.
        #
        # @return [void]
        def keep
          EventBus.carrier = self
        end

        # @param delivery [Delivery, nil] the stream that it is about, if any
        # @param chunk [Chunk, nil] of it
        # @return [Carried, nil] nil: nothing is known here
        def take(delivery = nil, chunk = nil)
          origin = Origin.current
          framework = Streaming.carry
          framework = nil if framework && framework.empty?
          new(origin, framework, delivery, chunk) if origin || framework || delivery
        end

        # As {take}, for work that goes on where something else may be known that is none of its business: also what is
        # not known here is not known there.
        #
        # @return [Carried]
        def exactly
          new(Origin.current, Streaming.carry)
        end

        # For an event: with the stream and the chunk that the emitter deals with. Called by emit.
        #
        # @return [Carried, nil]
        def for_event
          delivery = Delivery.current
          take(delivery, delivery&.chunk)
        end

        # @param carried [Carried, nil]
        # @yieldreturn [Object]
        # @return [Object] what the block returned
        def within(carried, &block)
          carried ? carried.within(&block) : yield
        end
      end

      # @param origin [Origin, nil]
      # @param framework [#call, nil] runs a block with what the framework keeps
      # @param delivery [Delivery, nil]
      # @param chunk [Chunk, nil]
      def initialize(origin, framework, delivery = nil, chunk = nil)
        @origin = origin
        @framework = framework
        @delivery = delivery
        @chunk = chunk
      end

      # @yieldreturn [Object]
      # @return [Object] what the block returned
      def within(&block)
        framework = @framework
        Delivery.within(@delivery, @chunk) do
          Origin.within(@origin) { framework ? framework.call(&block) : yield }
        end
      end

      # Called by the native part, for each event and handler.
      #
      # @param handler [#call]
      # @param event [EventBus::Event]
      # @return [Object]
      def hand_over(handler, event)
        within { handler.call(event) }
      end

      # @param other [Object]
      # @return [Boolean] whether code would see no difference
      def ==(other)
        other.is_a?(Carried) && state == other.state
      end

      # @return [String] short: nothing of what is carried
      def inspect
        "#<#{self.class.name}>"
      end

      protected

      def state
        [@origin, @framework, @delivery, @chunk]
      end
    end
  end
end
