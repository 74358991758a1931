# frozen_string_literal: true

require_relative "settings"

module RAAF
  module Streaming
    class CircuitBreaker
      # Where the breakers of several processes and hosts tell each other that they have opened or closed. {RedisStore}
      # is one; another one inherits from this class and has the four methods.
      #
      # A breaker always decides by its own native state. The store is asked by one call in `refresh` seconds, and when
      # the state changes, on a thread of a pool; the call waits for the answer, but no longer than `patience`. While
      # the store is slow or away nobody waits for it. So a call costs nothing but one time in `refresh` seconds, when
      # it costs one answer of the store; and what one process knows the others know `refresh` seconds later.
      #
      # What is shared is that a breaker is open or closed, not what it has counted: each process sees its own failures.
      # Once the timeout has passed, one process at a time has the right to probe.
      #
      # All methods are called on threads of the breakers' own, one at a time for each breaker, and may raise.
      class Store
        # What the store knows of a breaker: an id for the change that made it so, :open or :closed, and for :open the
        # seconds that are left, by the store's own clock; 0 or less: a probe is due.
        Record = Struct.new(:id, :state, :seconds)

        # @return [Float] seconds between two looks at the store
        attr_reader :refresh

        # @return [Float] seconds that a call waits for it at most
        attr_reader :patience

        # @param refresh [Numeric] seconds
        # @param patience [Numeric] seconds
        # @raise [ArgumentError] for a negative time
        def initialize(refresh: 1, patience: 0.05)
          @refresh = Settings.seconds("refresh", refresh)
          @patience = Settings.seconds("patience", patience)
        end

        # @param name [String] the breaker's
        # @return [Record, nil] nil: nothing is known
        def read(name)
          raise NotImplementedError, "#{self.class} has no read"
        end

        # Whatever is known, it is open now.
        #
        # @param name [String]
        # @param id [String] of this change
        # @param seconds [Float]
        # @return [Record] what is known now
        def write_open(name, id:, seconds:)
          raise NotImplementedError, "#{self.class} has no write_open"
        end

        # It is closed now; ends the right to probe.
        #
        # @param name [String]
        # @param id [String] of this change
        # @param after [String, nil] only where the record has this id, or where there is none; nil: in any case
        # @return [Record] what is known now
        def write_closed(name, id:, after:)
          raise NotImplementedError, "#{self.class} has no write_closed"
        end

        # Asks for the right to probe. It is refused where another one has it, and where the record has another id than
        # `known` and no probe is due.
        #
        # @param name [String]
        # @param known [String] the id of the record that the process goes by; "": none
        # @param owner [String] who asks; may ask again
        # @param seconds [Float] after which another one may have it
        # @return [Array(Boolean, Record)] whether it is granted, and what is known; the record may be nil
        def claim_probe(name, known:, owner:, seconds:)
          raise NotImplementedError, "#{self.class} has no claim_probe"
        end
      end
    end
  end
end
