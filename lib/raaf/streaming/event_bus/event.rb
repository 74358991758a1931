# frozen_string_literal: true

module RAAF
  module Streaming
    class EventBus
      # What happened. The hot part is native: {#type}, {#payload}, {#[]}, {#id}, {#stop!}.
      #
      # All handlers see the same event, which is frozen once the middleware has seen it, and the very payload that was
      # given to emit, which is not: give each emit a Hash of its own, and do not change it in a handler.
      #
      # @example
      #   case event
      #   in [:agent_error, {agent:, error:}] then warn "#{agent}: #{error}"
      #   in {type: :agent_complete, payload: {result:}} then puts result
      #   else nil
      #   end
      class Event
        # @!method initialize(type, payload = {})
        #   As emit makes it: for tests of handlers.
        #   @param type [Symbol, String]
        #   @param payload [Hash, Object]
        #   @raise [TypeError] for a type that is neither Symbol nor String

        # @!method type
        #   @return [Symbol]

        # @!method type=(type)
        #   For middleware: who gets the event is decided after it.
        #   @param type [Symbol, String]
        #   @raise [FrozenError] elsewhere
        #   @raise [TypeError] for a type that is neither Symbol nor String

        # @!method payload
        #   @return [Hash, Object] what was given to emit; nothing is an empty Hash

        # @!method payload=(payload)
        #   For middleware.
        #   @param payload [Hash, Object]
        #   @raise [FrozenError] elsewhere

        # @!method [](key)
        #   @param key [Object]
        #   @return [Object, nil] the payload's value

        # @!method id
        #   @return [String] a UUID, the same for all who ask; made when somebody asks

        # @!method stop!
        #   For middleware: no handler gets the event, and no further middleware.
        #   @return [self]
        #   @raise [FrozenError] elsewhere

        # @!method stopped?
        #   @return [Boolean] whether middleware has stopped it

        # When it was emitted.
        #
        # @return [Time] with ActiveSupport and a `Time.zone` an ActiveSupport::TimeWithZone, as Time.current is
        def timestamp
          time, clock = native_time, ::Time #: [untyped, untyped]
          (clock.respond_to?(:zone) && clock.zone) ? time.in_time_zone : time
        end

        # @return [Hash{Symbol=>Object}] type, payload, timestamp, id
        def to_h
          {type: type, payload: payload, timestamp: timestamp, id: id}
        end

        # @param keys [Array<Symbol>, nil] those that a pattern asks for; nil: all
        # @return [Hash{Symbol=>Object}] of those of {#to_h}
        def deconstruct_keys(keys)
          return to_h unless keys

          known = keys & %i[type payload timestamp id]
          known.to_h { |key| [key, public_send(key)] }
        end

        # @return [Array] type and payload
        def deconstruct
          [type, payload]
        end

        # @return [String] with the payload's keys, but not its values: those may be long, or private
        def inspect
          keys = payload.is_a?(Hash) ? payload.keys.inspect : payload.class
          "#<#{self.class} #{type.inspect} #{keys}#{" stopped" if stopped?}>"
        end
      end
    end
  end
end
