# frozen_string_literal: true

# What one handler got: how much, and whether every emitter's events came in its order, without a gap.
class EventAccount
  attr_reader :count, :inversions, :gaps

  def initialize(emitters)
    @last = Array.new(emitters, -1)
    @count = @inversions = @gaps = 0
  end

  def add(emitter, number)
    @count += 1
    @inversions += 1 if number <= @last[emitter]
    @gaps += 1 if number != @last[emitter] + 1
    @last[emitter] = number
  end
end

RSpec.describe "An event bus under load" do
  include LifecycleHelpers

  let(:events) { ENV["RAAF_SLOW"] ? 8_000 : 1_000_000 }
  let(:emitters) { 8 }
  let(:queue_size) { RAAF::Streaming::EventBus::QUEUE_SIZE }
  let(:bus) { RAAF::Streaming::EventBus.new }

  def account_for(subscriptions, **settings, &also)
    account = EventAccount.new(emitters)
    subscriptions << bus.on(:tick, **settings) do |event|
      account.add(event[:emitter], event[:number])
      also&.call(event)
    end
    account
  end

  def emit_all
    each = events / emitters
    Array.new(emitters) do |emitter|
      Thread.new { each.times { |number| bus.emit(:tick, emitter: emitter, number: number) } }
    end.each(&:join)
  end

  # Kilobytes of memory that this process holds.
  def resident
    File.read("/proc/self/status")[/VmRSS:\s+(\d+)/, 1].to_i
  end

  # Looks now and then how long the queues are.
  def watching(subscriptions)
    longest = 0
    over = false
    thread = Thread.new do
      until over
        longest = [longest, *subscriptions.map(&:queued)].max
        sleep(0.005)
      end
    end
    yield
    longest
  ensure
    over = true
    thread.join
  end

  it "loses nothing and keeps each emitter's order: a million events, 10 ordered handlers, 8 threads" do
    subscriptions = []
    echoed = 0
    last = nil
    plain = Array.new(5) { account_for(subscriptions) }
    slow = account_for(subscriptions) { |event| sleep(0.001) if (event[:number] % 5_000).zero? }
    raising = account_for(subscriptions) { |event| raise "odd" if event[:number].odd? && event[:number] < 1_000 }
    emitting = account_for(subscriptions) { |event| bus.emit(:echo, event.payload) if (event[:number] % 10).zero? }
    leaving = account_for(subscriptions) { |event| event[:number] == 500 && last.off }
    last = subscriptions.last
    short = account_for(subscriptions, queue_size: 100)
    subscriptions << bus.on(:echo) { echoed += 1 }
    errors = 0
    bus.on_error { |error, _, _| (error.message == "odd") ? errors += 1 : raise(error) }
    before = resident

    longest = watching(subscriptions) do
      emit_all
      expect(bus.drain(LifecycleHelpers::PATIENCE * 5)).to be(true)
    end

    whole = [*plain, slow, raising, emitting, short]
    expect(whole.map(&:count)).to all(eq(events))
    expect(whole.sum(&:gaps)).to eq(0)
    expect(leaving.inversions).to eq(0)
    expect(leaving.count).to be_between(501, events - 1)
    expect(leaving.count).to eq(last.handled)
    expect(errors).to eq(emitters * 500)
    expect(echoed).to eq(events / 10)
    expect(bus.stats).to include(queued: 0, failed: errors, dropped: last.dropped)
    expect(longest).to be_between(1, queue_size)
    expect(resident - before).to be < 300_000 # all events at once would be gigabytes
  end
end
