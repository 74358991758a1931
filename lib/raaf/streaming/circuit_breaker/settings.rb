# frozen_string_literal: true

module RAAF
  module Streaming
    class CircuitBreaker
      # What a breaker is made with, checked.
      #
      # @api private
      module Settings
        # Stands for a failure threshold that was not given.
        DEFAULT = Object.new.freeze
        # Failures in a row that open a breaker, unless rates do.
        FAILURE_THRESHOLD = 5
        # Calls in the window.
        WINDOW_SIZE = 100
        # Calls in the window before a rate says anything.
        MINIMUM_CALLS = 20
        # As in core/circuit_breaker.h and core/call_window.h.
        MOST_FAILURES = 1_000_000
        MOST_PROBES = 65_535
        MOST_CALLS = 100_000

        class << self
          # @param given [Hash{Symbol=>Object}] the settings of {CircuitBreaker#initialize} that are numbers
          # @return [Hash{Symbol=>Object}] for the native part: what is missing is nil, times are Floats
          # @raise [ArgumentError]
          def check(given)
            threshold = given[:failure_threshold]
            threshold = (given[:failure_rate] ? nil : FAILURE_THRESHOLD) if DEFAULT.equal?(threshold)
            settings = {
              timeout: seconds("timeout", given[:timeout]),
              failure_threshold: number("failure_threshold", threshold, MOST_FAILURES, nil_allowed: true),
              half_open_permits: number("half_open_permits", given[:half_open_permits], MOST_PROBES),
              success_threshold: number("success_threshold", given[:success_threshold], MOST_PROBES),
              failure_rate: rate("failure_rate", given[:failure_rate]),
              slow_call_rate: rate("slow_call_rate", given[:slow_call_rate])
            }
            check_rule(settings)
            settings.merge(slow_calls(given)).merge(window(given))
          end

          # @param name [String] of what is given
          # @param value [Object]
          # @param zero [Boolean] whether 0 is allowed
          # @return [Float]
          # @raise [ArgumentError]
          def seconds(name, value, zero: true)
            number = float(value)
            return number if number&.finite? && (zero ? number >= 0 : number.positive?)

            raise ArgumentError, "#{name} must be a number of seconds#{zero ? ", 0 or more" : " above 0"}, " \
                                 "not #{value.inspect}"
          end

          # @param store [Object, nil]
          # @param name [String, nil] the breaker's
          # @return [Store, nil]
          # @raise [ArgumentError]
          def check_store(store, name)
            return if store.nil?

            raise ArgumentError, "store must be a CircuitBreaker::Store, not #{store.inspect}" unless store.is_a?(Store)
            return store unless name.to_s.empty?

            raise ArgumentError, "a breaker with a store needs a name, by which other processes know it"
          end

          # @param clock [Object, nil]
          # @return [void]
          # @raise [ArgumentError]
          def check_clock(clock)
            return if clock.nil?

            raise ArgumentError, "clock must answer to call" unless clock.respond_to?(:call)

            seconds("the clock's time", clock.call)
          end

          private

          # A Duration says that it is a Numeric; a String says nothing of the kind.
          def float(value)
            Float(value, exception: false) if value.is_a?(Numeric)
          end

          def number(name, value, most, nil_allowed: false)
            return value if value.is_a?(Integer) && value.between?(1, most)
            return if value.nil? && nil_allowed

            raise ArgumentError, "#{name} must be a number from 1 to #{most}#{" or nil" if nil_allowed}, " \
                                 "not #{value.inspect}"
          end

          def rate(name, value)
            return if value.nil?

            number = float(value)
            return number if number&.positive? && number <= 1

            raise ArgumentError, "#{name} must be a share above 0 and up to 1 (0.5 is half), not #{value.inspect}"
          end

          def check_rule(settings)
            return if settings.values_at(:failure_threshold, :failure_rate, :slow_call_rate).any?

            raise ArgumentError, "nothing would open it: failure_threshold, failure_rate or slow_call_rate is needed"
          end

          def slow_calls(given)
            duration = given[:slow_call_duration]
            if given[:slow_call_rate].nil? != duration.nil?
              raise ArgumentError, "slow_call_rate and slow_call_duration go together"
            end

            {slow_call_duration: duration && seconds("slow_call_duration", duration, zero: false)}
          end

          def window(given)
            size, duration, minimum = given.values_at(:window_size, :window_duration, :minimum_calls)
            unless given[:failure_rate] || given[:slow_call_rate]
              return no_window(window_size: size, window_duration: duration, minimum_calls: minimum)
            end
            raise ArgumentError, "window_size or window_duration, not both" if size && duration

            duration &&= seconds("window_duration", duration, zero: false)
            size = number("window_size", size || WINDOW_SIZE, MOST_CALLS) unless duration
            {window_size: size, window_duration: duration, minimum_calls: minimum_calls(minimum, size)}
          end

          def minimum_calls(given, size)
            most = size || MOST_FAILURES
            number("minimum_calls", given || [MINIMUM_CALLS, most].min, most)
          end

          def no_window(given)
            name, = given.find { |_name, value| value }
            raise ArgumentError, "#{name} says nothing without failure_rate or slow_call_rate" if name

            {}
          end
        end
      end
    end
  end
end
