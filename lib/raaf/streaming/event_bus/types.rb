# frozen_string_literal: true

module RAAF
  module Streaming
    class EventBus
      # Which events a handler wants.
      #
      # @api private
      class Types
        # All events.
        ANY = :*

        class << self
          # @param given [Object]
          # @return [Boolean] whether it names types
          def type?(given)
            given.is_a?(Symbol) || given.is_a?(String) || given.is_a?(Regexp)
          end

          # @param given [Symbol, String, Regexp]
          # @return [Symbol, Regexp]
          # @raise [TypeError] for anything else
          def normalize(given)
            raise TypeError, "no type of events: #{given.inspect}" unless type?(given)

            given.is_a?(Regexp) ? given : given.to_sym
          end
        end

        # @return [Array<Symbol, Regexp>] as they were given
        attr_reader :list

        # @param list [Array<Symbol, String, Regexp>] none: all events
        # @raise [TypeError] for what names no types
        def initialize(list)
          @list = (list.empty? ? [ANY] : list.map { |given| Types.normalize(given) }).freeze
          @exact, patterns = @list.partition { |type| type.is_a?(Symbol) && !type.name.include?("*") }
          @patterns = patterns.map { |pattern| compile(pattern) }
        end

        # @param type [Symbol] an event's
        # @return [Boolean] whether the handler wants it
        def include?(type)
          @exact.include?(type) || @patterns.any? { |pattern| pattern.match?(type) }
        end

        # @param type [Symbol, Regexp]
        # @return [Types, nil] without it; nil: nothing is left
        def without(type)
          rest = @list - [type]
          Types.new(rest) unless rest.empty?
        end

        private

        def compile(pattern)
          return pattern if pattern.is_a?(Regexp)

          /\A#{pattern.name.split("*", -1).map { |part| Regexp.escape(part) }.join(".*")}\z/m
        end
      end
      private_constant :Types
    end
  end
end
