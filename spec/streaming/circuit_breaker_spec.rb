# frozen_string_literal: true

# A breaker in front of a model: what counts are the requests that the server has seen.
RSpec.describe "A circuit breaker in front of a model" do
  include_context "with a model server"
  include CircuitBreakers
  include LifecycleForks
  include LifecycleScripts

  let(:clock) { CircuitBreakers::StoppedClock.new }
  let(:runner) { runner_for(server.base_url, max_retries: 0) }

  # As the guide makes one.
  let(:breaker) { RAAF::Streaming::CircuitBreaker.new(failure_threshold: 5, timeout: 60, clock: clock) }

  # @return [String, Class] the answer, or the class of the error
  def ask
    breaker.call { runner.run_and_stream("Hi").final_output }
  rescue RAAF::Errors::Error => e
    e.class
  end

  it "opens after five failures, sends nothing while it is open, and closes after a probe that succeeds" do
    server.default_script(status: 503, repeat: true)
    expect(Array.new(8) { ask }).to eq([RAAF::Errors::ServerError] * 5 + [RAAF::Errors::CircuitOpenError] * 3)
    clock.advance(59.9)
    20.times { ask }
    expect(server.requests.size).to eq(5)

    clock.advance(0.1)
    expect(ask).to be < RAAF::Errors::ProviderError # the very next call is the probe
    expect(Array.new(20) { ask }).to all(eq(RAAF::Errors::CircuitOpenError))
    expect(server.requests.size).to eq(6)

    server.default_script(deltas: %w[Hel lo], repeat: true)
    clock.advance(60)
    expect(Array.new(3) { ask }).to eq(["Hello"] * 3)
    expect(server.requests.size).to eq(9)
    expect(breaker.state).to eq(:closed)
  end

  it "lets no more requests through than there are permits while it is half-open" do
    probed = RAAF::Streaming::CircuitBreaker.new(half_open_permits: 2, success_threshold: 2, timeout: 60, clock: clock)
    gate = Queue.new
    server.default_script(repeat: true) do |_, response|
      gate.pop
      response.start(200, "content-type" => "text/event-stream")
      response.event({choices: [{index: 0, delta: {content: "Hi"}, finish_reason: "stop"}]}).event("[DONE]")
    end
    probed.trip
    clock.advance(60)
    refused = Queue.new
    threads = Array.new(8) do
      Thread.new do
        probed.call { runner.run_and_stream("Hi").final_output }
      rescue RAAF::Errors::CircuitOpenError => e
        refused << e
        nil
      end
    end
    eventually("six refusals") { refused.size == 6 }
    eventually("two requests") { server.requests.size == 2 }
    gate.close
    expect(threads.map(&:value).compact).to eq(%w[Hi Hi])
    expect(server.requests.size).to eq(2)
    expect(probed.state).to eq(:closed)
  end

  it "hears of the end of a stream from its callbacks" do
    server.script(deltas: %w[Hel lo]).script(status: 503)
    one = RAAF::Streaming::CircuitBreaker.new(failure_threshold: 1)
    2.times do
      permit = one.acquire
      stream = runner.stream("Hi")
      stream.on(:complete) { permit.success }.on(:error) { |chunk| permit.failure(chunk.exception) if chunk.terminal? }
      stream.wait
      expect(permit).to be_settled
    end
    expect(one.state).to eq(:open)
  end

  it "takes the permit of a probe back whose stream was cancelled" do
    server.script(**silence_after("Hel"))
    breaker.trip
    clock.advance(60)
    catch(:enough) { breaker.call { runner.stream("Hi").each { throw :enough } } }
    expect(breaker.to_h).to include(state: :half_open, probes: 0)
  end

  it "goes its own way in a forked child, where a probe of the parent's holds no permit" do
    breaker.trip
    clock.advance(60)
    held = Queue.new
    go_on = Queue.new
    thread = Thread.new { breaker.call { held << 1 && go_on.pop } }
    held.pop
    expect(breaker.to_h).to include(state: :half_open, probes: 1)
    child = in_child do
      eventually("the permit") do
        GC.start
        breaker.allow?
      end
      breaker.trip.state
    end
    expect(child).to eq(:open)
    go_on.close
    thread.join
    expect(breaker.state).to eq(:closed)
  end

  # Each in a process of its own: a heap that moves, or is collected at every allocation, is no place for RSpec.
  describe "where objects move, or are collected all the time," do
    life = <<~RUBY
      broken = Class.new(StandardError)
      now = 0.0
      changes = []
      breaker = RAAF::Streaming::CircuitBreaker.new(name: "a" * 40, clock: -> { now }, failure_threshold: 2, timeout: 1,
        ignore: ArgumentError, failure_rate: 0.9, window_size: 10, minimum_calls: 5)
      breaker.on { |change| changes << change }
      one = lambda do
        raise "value" unless breaker.call { +"value" } == "value"
        2.times { breaker.call { raise broken } rescue nil }
        refused = begin
          breaker.call { raise "called" }
        rescue RAAF::Errors::CircuitOpenError => e
          e
        end
        raise "refusal" unless refused.message.include?(breaker.name) && refused.retry_after == 1.0
        now += 1
        breaker.call { break }
        breaker.call { raise ArgumentError } rescue nil
        catch(:out) { breaker.call { throw :out } }
        permit = breaker.acquire
        Thread.new { permit.success }.join
        raise "closed" unless breaker.state == :closed && permit.breaker.equal?(breaker)
      end
      check = -> { raise "changes" unless changes.each_slice(3).all? { |some| some.map(&:to) == %i[open half_open closed] } }
    RUBY

    it "works on when the heap is compacted" do
      script = run_script(life + <<~RUBY)
        moving = true
        mover = Thread.new { (GC.compact && sleep(0.001)) while moving }
        200.times { one[] }
        moving = false
        mover.join
        permit = breaker.acquire
        options = RUBY_VERSION >= "3.2" ? {expand_heap: true} : {double_heap: true}
        GC.verify_compaction_references(toward: :empty, **options)
        permit.success
        one[]
        check[]
        puts "whole"
      RUBY
      expect([script.output, script.errors]).to eq(["whole\n", ""])
    end

    it "works on under GC.stress" do
      script = run_script(life + <<~RUBY, within: 60)
        GC.stress = 1 # the young ones only
        one[]
        GC.stress = true
        one[]
        GC.stress = false
        check[]
        puts "whole"
      RUBY
      expect([script.output, script.errors]).to eq(["whole\n", ""])
    end

    it "keeps no memory of calls that are over" do
      script = run_script(life + <<~RUBY)
        permits = -> { GC.start; ObjectSpace.each_object(RAAF::Streaming::CircuitBreaker::Permit).count }
        100.times { one[] }
        changes.clear
        before = permits[]
        1000.times { one[] && changes.clear }
        100.times { breaker.acquire }
        raise "kept: \#{before}, \#{permits[]}" if permits[] > before + 10
        require "objspace"
        size = ObjectSpace.memsize_of(breaker)
        raise size.to_s unless size.between?(300, 3000)
        puts "whole"
      RUBY
      expect([script.output, script.errors]).to eq(["whole\n", ""])
    end

    it "leaves breakers to the collector, before and after their permits" do
      script = run_script(<<~RUBY)
        make = -> { RAAF::Streaming::CircuitBreaker.new(timeout: 0).trip }
        permits = Array.new(100) { make[].acquire }
        GC.start
        permits.each(&:success)
        1000.times { make[].acquire && make[].call { break } }
        GC.start
        count = ObjectSpace.each_object(RAAF::Streaming::CircuitBreaker).count
        raise count.to_s if count > 200
        puts "whole"
      RUBY
      expect([script.output, script.errors]).to eq(["whole\n", ""])
    end
  end

  it "tells a Ractor other than the main one plainly that it is not for it" do
    script = run_script(<<~RUBY)
      Warning[:experimental] = false
      there = Ractor.new do
        RAAF::Streaming::CircuitBreaker.new.call { 1 }
      rescue => e
        "\#{e.class}: \#{e.message}"
      end
      puts there.take
    RUBY
    expect(script.output).to match(/Ractor::UnsafeError: .*main/)
    expect_no_crash(script)
  end
end
