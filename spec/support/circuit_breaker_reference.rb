# frozen_string_literal: true

# What a circuit breaker has to do, written as plainly as possible: lists, no bits, no threads. Times are whole
# milliseconds. A call is begun at a place (a fiber), and ended with an outcome.
class CircuitBreakerReference
  # A call that was let through. `era`: how often the state had changed until then.
  Permit = Struct.new(:era, :probe, :begun_at, :place)

  # A call inside a probe of the same fiber: part of it.
  INSIDE = Object.new.freeze

  # @return [Symbol]
  attr_reader :state
  # @return [Array<Array(Symbol, Symbol, Symbol)>] from, to, reason
  attr_reader :changes
  # @return [Integer]
  attr_reader :failures, :successes

  def initialize(now:, failure_threshold: nil, timeout: 60_000, permits: 1, success_threshold: 1, failure_rate: nil,
    slow_call_rate: nil, slow_call: nil, window_size: nil, window_duration: nil, minimum_calls: 1)
    @now = now
    @failure_threshold = failure_threshold
    @timeout = timeout
    @permits = permits
    @success_threshold = success_threshold
    @failure_rate = failure_rate
    @slow_call_rate = slow_call_rate
    @slow_call = slow_call
    @window_size = window_size
    @window_duration = window_duration
    @minimum_calls = minimum_calls
    @changes = []
    @era = 0
    enter(:closed)
  end

  # @return [Permit, INSIDE, nil] nil: refused
  def begin_call(place)
    return Permit.new(@era, false, @now.call, place) if state == :closed
    return INSIDE if state == :half_open && @places.include?(place)

    change(:half_open, :timeout) if state == :open && @now.call >= @open_until
    return if state == :open || @probes.size >= @permits

    Permit.new(@era, true, @now.call, place).tap do |permit|
      @probes << permit
      @places << place if place
    end
  end

  # @param outcome [Symbol] :success, :failure or :none
  def end_call(permit, outcome)
    return if permit.equal?(INSIDE)

    @places.delete(permit.place) if permit.probe
    return if permit.era != @era

    @probes.delete_if { |probe| probe.equal?(permit) }
    permit.probe ? end_probe(permit, outcome) : end_closed(permit, outcome)
  end

  def trip(duration = @timeout)
    (@state == :open) ? enter(:open, duration) : change(:open, :by_hand, duration)
  end

  def reset
    (@state == :closed) ? enter(:closed) : change(:closed, :by_hand)
  end

  # @return [Integer, nil] milliseconds; nil: nobody knows
  def wait
    return 0 if state == :closed
    return [@open_until - @now.call, 0].max if state == :open

    0 if @probes.size < @permits
  end

  # @return [Integer]
  def probes
    @probes.size
  end

  # @return [Array(Integer, Integer, Integer)] calls, failures and slow calls of the window
  def counts
    calls = window
    [calls.size, calls.count { |call| call[:failed] }, calls.count { |call| call[:slow] }]
  end

  private

  def change(to, reason, duration = @timeout)
    @changes << [state, to, reason]
    enter(to, duration)
  end

  def enter(state, duration = @timeout)
    @state = state
    @era += 1
    @failures = @successes = 0
    @probes = []
    @calls = []
    @places ||= []
    @open_until = @now.call + duration if state == :open
  end

  def slow?(permit)
    !@slow_call.nil? && @now.call - permit.begun_at >= @slow_call
  end

  def end_probe(permit, outcome)
    return if outcome == :none
    return change(:open, :probe_failed) if outcome == :failure || (@slow_call_rate && slow?(permit))

    @successes += 1
    change(:closed, :probe_succeeded) if @successes == @success_threshold
  end

  def end_closed(permit, outcome)
    return if outcome == :none

    @failures = (outcome == :failure) ? @failures + 1 : 0
    return change(:open, :failures) if @failures == @failure_threshold

    @calls << {at: @now.call, failed: outcome == :failure, slow: slow?(permit)}
    look_at_rates
  end

  # A window by time has twenty parts, and the oldest goes as a whole.
  def window
    return @calls.last(@window_size) if @window_size
    return [] unless @window_duration

    part = @window_duration / 20
    @calls.select { |call| call[:at] / part > @now.call / part - 20 }
  end

  def look_at_rates
    calls, failures, slow = counts
    return if calls < @minimum_calls || calls.zero?
    return change(:open, :failure_rate) if @failure_rate && failures >= calls * @failure_rate

    change(:open, :slow_call_rate) if @slow_call_rate && slow >= calls * @slow_call_rate
  end
end
