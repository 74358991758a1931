# frozen_string_literal: true

require "async"

RSpec.describe RAAF::Streaming::CircuitBreaker::Store do
  include CircuitBreakers
  include LifecycleHelpers
  include LifecycleForks

  let(:clock) { CircuitBreakers::StoppedClock.new }
  let(:store) { CircuitBreakers::TroubledStore.new }
  let(:open_error) { RAAF::Errors::CircuitOpenError }

  # One of a process of its own, as far as the store can tell; it looks there at every call.
  def breaker(clock: nil, store: self.store, **settings)
    RAAF::Streaming::CircuitBreaker.new(name: "model", store: store, clock: clock, **settings)
  end

  describe "of a breaker that" do
    it "opens lets the others refuse, for as long" do
      here, there, elsewhere = Array.new(3) { breaker(failure_threshold: 2, timeout: 60) }
      fail_in(here, 2)
      expect(there.state).to eq(:open)
      expect(refusal_of(there).retry_after).to be_between(30, 61)
      expect(refusal_of(elsewhere)).to be_a(open_error)
      expect(elsewhere.to_h).to include(state: :open)
    end

    it "has opened is known to one that is made afterwards" do
      breaker.trip
      expect(refusal_of(breaker)).to be_a(open_error)
    end

    it "closes lets the others call" do
      here, there = breaker(timeout: 60), breaker
      here.trip
      expect(there.state).to eq(:open)
      here.reset
      expect(there.call { 1 }).to eq(1)
    end

    it "closes after a probe lets the others call" do
      here, there = Array.new(2) { breaker(failure_threshold: 1, timeout: 0) }
      fail_in(here)
      expect(there.state).to eq(:open)
      here.call { nil }
      expect([here.state, there.state]).to eq(%i[closed closed])
    end

    it "is tripped for a time of its own is so everywhere" do
      breaker(timeout: 60).trip(3600)
      expect(breaker(timeout: 60).retry_after).to be_between(3000, 3601)
    end

    it "is tripped again while it is open is so everywhere" do
      here, there = breaker(timeout: 60), breaker
      here.trip
      there.state
      here.trip(3600)
      expect(there.retry_after).to be > 3000
    end

    it "is reset though it is closed closes those that are open" do
      here, there = breaker(clock: clock), breaker
      there.trip
      expect(store.read("model").state).to eq(:open)
      here.reset
      expect(there.state).to eq(:closed)
    end

    it "counts alone does not add to what others count" do
      here, there = Array.new(2) { breaker(failure_threshold: 2) }
      fail_in(here)
      fail_in(there)
      expect([here.state, there.state]).to eq(%i[closed closed])
    end

    it "has another name has another state" do
      breaker.trip
      other = RAAF::Streaming::CircuitBreaker.new(name: "other", store: store)
      expect(other.call { 1 }).to eq(1)
    end

    it "hears of a change tells its own listeners" do
      heard = []
      there = breaker.on { |change| heard << [change.from, change.to, change.reason] }
      here = breaker
      here.trip
      there.allow?
      here.reset
      there.allow?
      expect(heard).to eq([%i[closed open shared], %i[open closed shared]])
    end

    it "hears of a change while a call is on its way does not count that call" do
      here, there = breaker(failure_threshold: 1), breaker
      expect do
        here.call do
          there.trip
          here.state
          there.reset
          here.state
          raise CircuitBreakers::Broken
        end
      end.to raise_error(CircuitBreakers::Broken)
      expect(here.state).to eq(:closed)
    end
  end

  describe "and probes" do
    # Two whose timeout has passed. Their clocks are stopped, the store's is not.
    let(:pair) do
      Array.new(2) { breaker(clock: clock, timeout: 10, half_open_permits: 2) }.tap do |here, there|
        here.trip(0)
        there.state
      end
    end

    it "lets those of one process through at a time" do
      here, there = pair
      permit = here.acquire
      expect(permit).to be_probe
      expect(refusal_of(there)).to be_a(open_error)
      expect(here.acquire).to be_probe
      permit.success
      expect(there.call { there.state }).to eq(:closed)
    end

    it "asks again soon where another process has the right" do
      store = CircuitBreakers::MemoryStore.new(refresh: 3)
      here, there = Array.new(2) { breaker(clock: clock, store: store, timeout: 10) }
      here.trip(0)
      there.state
      here.acquire.tap do |permit|
        expect(refusal_of(there).retry_after).to eq(3)
        permit.success
      end
      clock.advance(3)
      expect(there.call { there.state }).to eq(:closed)
    end

    it "does not probe what another process has just found out of order" do
      here, there = pair
      here.acquire.failure
      expect(refusal_of(there).retry_after).to be_between(5, 11)
    end

    it "leaves the right with the process whose probe was cancelled" do
      here, there = pair
      here.acquire.cancel
      expect(refusal_of(there)).to be_a(open_error)
      expect(here.call { here.state }).to eq(:half_open)
    end

    it "probes where the store does not say who may" do
      here, there = pair
      store.trouble = IOError
      without_log do
        expect(here.call { here.state }).to eq(:half_open)
        expect(there.call { there.state }).to eq(:half_open)
      end
    end
  end

  describe "that fails" do
    it "never breaks a call, and is logged once" do
      store.trouble = IOError.new("gone")
      without_log do |log|
        alone = breaker(failure_threshold: 2, timeout: 0)
        expect(Array.new(3) { |i| alone.call { i } }).to eq([0, 1, 2])
        fail_in(alone, 2)
        expect(alone.state).to eq(:open)
        expect(alone.call { 4 }).to eq(4)
        alone.trip.reset.trip
        expect(alone.to_h).to include(state: :open)
        eventually("the questions") { store.questions >= 2 }
        eventually("a line of the log") { log.string.include?("gone") }
        expect(log.string.scan("model").size).to eq(1)
      end
    end

    it "is left alone until the next look at it" do
      seldom = CircuitBreakers::TroubledStore.new(refresh: 3600)
      seldom.trouble = IOError
      without_log { breaker(store: seldom).trip }
      pool = RAAF::Streaming::ThreadPool.stores
      eventually("its rest", within: 10) { pool.instance_variable_get(:@idle) == pool.size }
      expect(seldom.questions).to eq(1)
    end

    it "shows no secret in the log" do
      store.trouble = IOError.new("api_key=sk-abcdefghijklmnopqrstuvwxyz0123456789 refused")
      without_log do |log|
        breaker.state
        eventually("a line of the log") { log.string.include?("refused") }
        expect(log.string).not_to include("abcdefghijkl")
      end
    end

    it "hears of the last change when it is back" do
      here = breaker
      store.trouble = IOError
      without_log { here.trip.reset.trip(3600) }
      store.trouble = nil
      there = breaker
      eventually("the news") { here.state == :open && there.state == :open }
      expect(there.retry_after).to be > 3000
    end

    it "and knows something new when it is back is believed" do
      here, there = breaker, breaker
      there.state
      without_log do
        store.trouble = IOError
        eventually("a question that fails") { there.state && store.questions > 2 }
        store.trouble = nil
        here.trip
        eventually("the news") { there.state == :open }
      end
    end

    it "and has lost what it knew is told again" do
      here = breaker
      here.trip
      store.forget
      here.state
      expect(refusal_of(breaker)).to be_a(open_error)
    end

    it "because it lacks a method never breaks a call" do
      without_log do |log|
        hollow = breaker(store: described_class.new(refresh: 0, patience: CircuitBreakers::PATIENCE))
        expect(hollow.trip.reset.call { 1 }).to eq(1)
        eventually("a line of the log") { log.string.include?("NotImplementedError") }
      end
    end

    it "because it answers nonsense never breaks a call" do
      nonsense = Class.new(described_class) do
        def read(*) = 5
        def write_open(*, **) = "open"
        def write_closed(*, **) = [:closed]
        def claim_probe(*, **) = nil
      end
      without_log do
        puzzled = breaker(store: nonsense.new(refresh: 0, patience: CircuitBreakers::PATIENCE), timeout: 0)
        expect(puzzled.call { 1 }).to eq(1)
        expect(puzzled.trip.call { 2 }).to eq(2)
        expect(puzzled.reset.state).to eq(:closed)
      end
    end
  end

  describe "that hangs" do
    let(:store) { CircuitBreakers::TroubledStore.new(patience: 0.01) }

    after { store.go_on if store.instance_variable_get(:@gate) }

    # Each would wait for its patience: the watchdog would end the example.
    it "holds up one call, and no other" do
      asked = store.hang
      alone = breaker(failure_threshold: 1_000_000)
      20_000.times { alone.call { nil } }
      fail_in(alone, 100)
      expect(alone.trip.reset.call { 1 }).to eq(1)
      expect(asked.size).to eq(1) # only one thread asks
    end

    it "is heard when it goes on, by the next call" do
      rarely = CircuitBreakers::TroubledStore.new(refresh: 3600, patience: 0.01)
      here, there = breaker(store: rarely), breaker(store: rarely)
      there.trip
      asked = rarely.hang
      expect(here.state).to eq(:closed)
      asked.pop
      rarely.go_on
      eventually("the news") { here.state == :open }
    end

    it "hears of a change that was made while it was asked, though nobody calls any more" do
      here = breaker
      here.trip
      asked = store.hang
      here.state
      asked.pop
      here.reset
      store.go_on
      eventually("the change") { store.read("model").state == :closed }
    end

    it "hears of what was changed meanwhile, the last change only" do
      here = breaker
      asked = store.hang
      here.state
      asked.pop
      here.trip.reset.trip(3600)
      store.go_on
      eventually("the last change") { store.read("model")&.state == :open }
      expect(store.read("model").seconds).to be > 3000
    end

    it "does not keep a forked child from asking" do
      here = breaker
      asked = store.hang
      here.state
      asked.pop
      child = in_child do
        store.go_on
        here.trip
        eventually("the answer") { store.read("model")&.state == :open }
        here.state
      end
      expect(child).to eq(:open)
    end
  end

  it "is asked once in a refresh time, by whoever calls first" do
    once = CircuitBreakers::TroubledStore.new(refresh: 5)
    asking = breaker(clock: clock, store: once)
    50.times { asking.call { nil } }
    expect(once.questions).to eq(1)
    clock.advance(5)
    50.times { asking.state }
    expect(once.questions).to eq(2)
  end

  it "is asked every second, for at most 50 ms, unless told otherwise" do
    expect(described_class.new).to have_attributes(refresh: 1.0, patience: 0.05)
    expect { described_class.new(refresh: -1) }.to raise_error(ArgumentError, /refresh/)
    expect { described_class.new(patience: nil) }.to raise_error(ArgumentError, /patience/)
  end

  it "does not break a call in a signal's handler" do
    alone = breaker
    answers = Queue.new
    before = trap("USR2") { answers << [alone.call { 1 }, alone.trip.state] }
    Process.kill("USR2", Process.pid)
    expect(answers.pop).to eq([1, :open])
  ensure
    trap("USR2", before)
  end

  # See spec/streaming/fiber_spec.rb for valgrind.
  it "lets other fibers go on while one waits for it", valgrind: false do
    asked = store.hang
    order = []
    Sync do |task|
      waiting = task.async { breaker.call { order << :call } }
      task.async do
        task.sleep(0.001) while asked.empty?
        order << :other
        store.go_on
      end
      waiting.wait
    end
    expect(order).to eq(%i[other call])
  end

  it "lets a call be interrupted that waits for it" do
    asked = store.hang
    thread = Thread.new { breaker.call { nil } }
    asked.pop
    until_asleep(thread)
    expect(thread.kill.join(LifecycleHelpers::PATIENCE)).to equal(thread)
    store.go_on
  end

  it "is asked in a child of a process that has asked" do
    here = breaker
    here.state
    child = in_child { [here.trip.state, store.read("model").state] }
    expect(child).to eq(%i[open open])
    expect(here.state).to eq(:closed)
  end
end
