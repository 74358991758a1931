# frozen_string_literal: true

require_relative "circuit_breaker_reference"

# Random calls of every kind, and a clock that goes on by random steps, for a breaker and its reference side by side.
class CircuitBreakerComparison
  # Not a StandardError: the breaker under test shall not take it for a failure.
  class Different < Exception; end # rubocop:disable Lint/InheritException

  # How a block is left, and what that says.
  WAYS = {value: :success, raise: :failure, ignored: :none, break: :none, throw: :none, kill: :none}.freeze
  # What a permit is told, and what that says.
  WORDS = {success: :success, failure: :failure, cancel: :none}.freeze
  DEEPEST = 3

  def initialize(seed)
    @random = Random.new(seed)
    @now = 1_000_000 # milliseconds
    @held = []
    @steps = 0
    @changes = []
    settings = random_settings
    @breaker = breaker_with(settings)
    @reference = CircuitBreakerReference.new(now: -> { @now }, **settings)
  end

  # @return [String, nil] the first difference; nil: there is none
  def run(steps)
    step(Object.new, 0) while @steps < steps
    nil
  rescue Different => e
    e.message
  end

  private

  def pick(*choices)
    choices[@random.rand(choices.size)]
  end

  def random_settings
    {failure_threshold: pick(1, 2, 5), timeout: pick(0, 1, 50, 1000), permits: pick(1, 2, 4),
     success_threshold: pick(1, 2, 3)}.merge(pick({}, random_rates))
  end

  def random_rates
    window = pick({window_size: pick(4, 10)}, {window_duration: pick(20, 200, 4000)})
    rates = {failure_rate: pick(0.25, 0.5, 1.0), minimum_calls: pick(1, 4), failure_threshold: pick(nil, 3)}
    {**window, **rates, **pick({}, {slow_call_rate: pick(0.5, 1.0), slow_call: pick(1, 20)})}
  end

  def breaker_with(settings)
    times = settings.slice(:timeout, :window_duration).transform_values { |ms| ms / 1000.0 }
    others = settings.slice(:failure_threshold, :success_threshold, :failure_rate, :slow_call_rate, :window_size,
      :minimum_calls)
    slow = settings[:slow_call]&./(1000.0)
    RAAF::Streaming::CircuitBreaker.new(clock: -> { @now / 1000.0 }, half_open_permits: settings[:permits],
      slow_call_duration: slow, ignore: ArgumentError, **times, **others)
      .on_state_change { |change| @changes << [change.from, change.to, change.reason] }
  end

  # One thing, at a place: a fiber.
  def step(place, depth)
    @steps += 1
    case @random.rand(20)
    when 0..2 then @now += pick(0, 1, 7, 60, 1000)
    when 3 then by_hand
    when 4..6 then acquire
    when 7..10 then settle
    else call(place, depth)
    end
    compare
  end

  def by_hand
    return [@breaker, @reference].each(&:reset) if @random.rand(2).zero?

    ms = pick(0, 5, 500)
    @breaker.trip(ms / 1000.0)
    @reference.trip(ms)
  end

  def acquire
    expected = @reference.begin_call(nil)
    permit = acquired
    different("acquire gave #{permit.inspect}, and not #{expected.inspect}") unless permit.nil? == expected.nil?
    @held << [permit, expected] if permit
  end

  def acquired
    @breaker.acquire
  rescue RAAF::Errors::CircuitOpenError
    nil
  end

  # From another thread, as for a stream.
  def settle
    return if @held.empty?

    permit, expected = @held.delete_at(@random.rand(@held.size))
    word = pick(*WORDS.keys)
    Thread.new { permit.public_send(word) }.join
    @reference.end_call(expected, WORDS[word])
  end

  def call(place, depth)
    way = pick(*WAYS.keys)
    elsewhere = way == :kill || @random.rand(3).zero?
    place = Object.new if elsewhere
    permit = @reference.begin_call(place)
    ran = false
    result = at(elsewhere) do
      leave(way) do
        ran = true
        compare
        @random.rand(3).times { step(place, depth + 1) } if depth < DEEPEST
      end
    end
    different("#{result}, ran: #{ran}; expected #{permit.inspect}") unless [result, ran] == expected_of(permit)
    @reference.end_call(permit, WAYS[way]) if permit
  end

  def expected_of(permit)
    permit ? [:left, true] : [:refused, false]
  end

  # In this fiber, or in another one of another thread.
  def at(elsewhere)
    return yield unless elsewhere

    result = :left # a thread that is killed says nothing
    Thread.new { result = yield }.tap { |thread| thread.report_on_exception = false }.join
    result
  end

  def leave(way)
    catch(:out) do
      @breaker.call do
        yield
        case way
        when :raise then raise IOError
        when :ignored then raise ArgumentError
        when :throw then throw :out
        when :kill then Thread.current.kill
        when :break then break
        end
      end
    end
    :left
  rescue IOError, ArgumentError
    :left
  rescue RAAF::Errors::CircuitOpenError
    :refused
  end

  def compare
    different("changes #{@changes.last(3)}, not #{@reference.changes.last(3)}") if @changes != @reference.changes
    own = @breaker.to_h
    expected = {state: @reference.state, failures: @reference.failures, probes: @reference.probes,
                successes: @reference.successes}
    different("#{own}, not #{expected}") unless own.slice(*expected.keys) == expected
    compare_window(own)
    compare_wait(own[:retry_after], @reference.wait)
  end

  def compare_window(own)
    counts = own.values_at(:window_calls, :window_failures, :window_slow_calls)
    different("window #{counts}, not #{@reference.counts}") unless counts.first.nil? || counts == @reference.counts
  end

  def compare_wait(seconds, ms)
    different("allow? #{@breaker.allow?}") unless @breaker.allow? == (ms == 0)
    different("retry_after #{seconds} s, not #{ms} ms") if ms && (seconds * 1000 - ms).abs > 0.001
  end

  def different(what)
    raise Different, "step #{@steps}: #{what}"
  end
end
