# frozen_string_literal: true

module RAAF
  module Streaming
    class EventBus
      # What somebody waits for: each handler's events up to a certain one.
      #
      # @api private
      class Drain
        # @param subscriptions [Array<Subscription>]
        def initialize(subscriptions)
          @last = subscriptions.to_h { |one| [one, one.pushed] }
        end

        # A handler has emitted an event while it handled one: if that is waited for, so is the new one.
        #
        # @param from [Subscription] of the handler
        # @param number [Integer, nil] of the event it handles; nil: it is waited for in any case
        # @param to [Subscription] that has just got the new one
        # @return [void]
        def follow(from, number, to)
          @last[to] = to.pushed if number.nil? || number.between?(1, @last.fetch(from, 0))
        end

        # @return [Boolean] whether all is handled
        def over?
          @last.all? { |one, number| one.settled?(number) }
        end
      end
      private_constant :Drain
    end
  end
end
