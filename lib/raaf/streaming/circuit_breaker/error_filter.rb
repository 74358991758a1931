# frozen_string_literal: true

module RAAF
  module Streaming
    class CircuitBreaker
      # Says which errors of a block are failures of what it calls.
      #
      # @api private
      class ErrorFilter
        # @param errors [Module, #call, Array<Module, #call>, nil] nil: all
        # @param ignored [Module, #call, Array<Module, #call>, nil] nil: none
        # @raise [ArgumentError]
        def initialize(errors, ignored)
          @errors = tests("errors", errors || StandardError)
          @ignored = tests("ignore", ignored)
        end

        # Where a callable raises, the error counts: a mistake in it shall not hide failures.
        #
        # @param error [Exception]
        # @return [Boolean]
        def counts?(error)
          @errors.any? { |test| test.call(error) } && @ignored.none? { |test| test.call(error) }
        rescue => e
          Streaming.logger.error("a circuit breaker's filter of errors raised #{e.class}: #{e.message}")
          true
        end

        private

        def tests(name, given)
          list = given.is_a?(Array) ? given : [given].compact
          list.map { |one| test(name, one) }
        end

        def test(name, given)
          check_class(name, given) if given.is_a?(Class)
          return ->(error) { given === error } if given.is_a?(Module) # rubocop:disable Style/CaseEquality
          return given if given.respond_to?(:call)

          raise ArgumentError, "#{name} takes classes of errors and what answers to call, not #{given.inspect}"
        end

        def check_class(name, given)
          return if given <= StandardError

          raise ArgumentError, "#{name}: only a StandardError counts as a failure, and #{given} is none"
        end
      end
    end
  end
end
