# frozen_string_literal: true

# What the specs of circuit breakers share.
module CircuitBreakers
  # A clock that goes on only when it is told to.
  class StoppedClock
    # @return [Float]
    attr_reader :seconds

    def initialize(seconds = 1000.0)
      @seconds = seconds
    end

    def call
      @seconds
    end

    # @return [self]
    def advance(seconds)
      @seconds += seconds
      self
    end
  end

  # What the blocks of these specs raise.
  class Broken < StandardError; end

  # Calls that fail.
  def fail_in(breaker, times = 1)
    times.times do
      breaker.call { raise Broken, "out of order" }
    rescue Broken
      nil
    end
  end

  # @return [RAAF::Errors::CircuitOpenError, nil] with which a call is refused; nil: it is let through
  def refusal_of(breaker)
    breaker.call { nil }
    nil
  rescue RAAF::Errors::CircuitOpenError => e
    e
  end
end
