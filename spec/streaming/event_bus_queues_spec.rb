# frozen_string_literal: true

require "async"

RSpec.describe "An event bus's queues" do
  include LifecycleHelpers

  let(:bus) { RAAF::Streaming::EventBus.new }
  let(:heard) { Queue.new }
  let(:gate) { Queue.new }
  let(:full_error) { RAAF::Errors::QueueFullError }

  # Opens the gates of all who wait, so that no thread of the pool is held beyond its example.
  after { 50.times { gate << :open } && gate.close }

  def drained
    expect(bus.drain(LifecycleHelpers::PATIENCE)).to be(true)
    Array.new(heard.size) { heard.pop }
  end

  # A handler that is in the middle of an event until the gate is opened, with `room` places left in its queue.
  def held(type = :a, **settings, &also)
    bus.on(type, **settings) do |event|
      heard << event[:n]
      gate.pop if event[:n].zero?
      also&.call(event)
    end.tap do
      bus.emit(type, n: 0)
      eventually { !heard.empty? }
    end
  end

  def emit(*numbers, type: :a)
    numbers.each { |n| bus.emit(type, n: n) }
  end

  # A thread that sleeps in an emit.
  def blocked(&block)
    Thread.new(&block).tap { |thread| until_asleep(thread) }
  end

  describe "with :ordered" do
    it "hand over events one after another, in the order of emit, off the emitter's thread" do
      at_once = 0
      most = 0
      bus.on(:a) do |event|
        most = [most, at_once += 1].max
        Thread.pass
        heard << [event[:n], Thread.current]
        at_once -= 1
      end
      emit(*0...500)
      got = drained
      expect(got.map(&:first)).to eq((0...500).to_a)
      expect(got.map(&:last)).not_to include(Thread.current)
      expect(most).to eq(1)
    end

    it "do not let emit wait, nor a slow handler hold up another one" do
      held
      bus.on(:a) { |event| heard << [:other, event[:n]] }
      emit(1, 2)
      eventually { heard.size == 3 }
      expect(Array.new(3) { heard.pop }).to eq([0, [:other, 1], [:other, 2]])
    end

    it "let all handlers have their turn, however much one of them has to do" do
      busy = 0
      done = false
      bus.on(:busy) { |event| (busy += 1) && !done && bus.emit(:busy, event.payload) } # never through
      bus.emit(:busy)
      other = RAAF::Streaming::EventBus.new
      100.times { other.on(:a) { heard << :other } }
      other.emit(:a)
      eventually { heard.size == 100 }
      done = true
      expect(bus.drain(LifecycleHelpers::PATIENCE)).to be(true)
    end
  end

  describe "with :parallel" do
    it "hand over several events of a handler at once, but no more than so many" do
      most = RAAF::Streaming::EventBus::MOST_PARALLEL
      bus.on(:a, delivery: :parallel) { |event| heard << event[:n] && gate.pop }
      emit(*0...(most + 5))
      eventually { heard.size == most }
      expect(bus.stats).to include(queued: 5, handled: 0)
      (most + 5).times { gate << :go }
      expect(drained).to match_array(0...(most + 5))
    end
  end

  describe "with :inline" do
    it "call the handler before emit returns, on its thread" do
      bus.on(:a, delivery: :inline) { heard << Thread.current }
      bus.emit(:a)
      expect(heard.pop(true)).to equal(Thread.current)
    end

    it "let Thread#kill and Timeout through to who emits" do
      bus.on(:a, delivery: :inline) { heard << :here && gate.pop }
      thread = blocked { bus.emit(:a) }
      thread.kill
      expect(thread.join(LifecycleHelpers::PATIENCE)).to equal(thread)
      expect { Timeout.timeout(0.01) { bus.emit(:a) } }.to raise_error(Timeout::Error)
      expect(bus.stats).to include(handled: 2, failed: 0)
    end
  end

  describe "that are full" do
    it "let emit wait until there is room, and lose nothing" do
      held(queue_size: 3)
      emit(1, 2, 3)
      thread = blocked { emit(4, 5, 6, 7, 8) }
      expect(bus.stats[:queued]).to eq(3)
      gate << :go
      thread.join
      expect(drained).to eq((0..8).to_a)
      expect(bus.dropped).to eq(0)
    end

    it "let the other handlers have the event at once" do
      held(queue_size: 1)
      emit(1)
      bus.on(:a) { |event| heard << [:late, event[:n]] }
      thread = blocked { emit(2) }
      eventually { heard.size == 2 }
      expect(Array.new(2) { heard.pop }).to eq([0, [:late, 2]])
      gate << :go
      thread.join
      expect(drained).to eq([1, 2])
    end

    it "drop the oldest where that was asked for, and count it" do
      subscription = held(queue_size: 2, when_full: :drop_oldest)
      emit(*1..10)
      gate << :go
      expect(drained).to eq([0, 9, 10])
      expect([subscription.dropped, bus.dropped, subscription.handled]).to eq([8, 8, 3])
    end

    it "make emit raise where that was asked for, once the others have the event" do
      subscription = held(queue_size: 2, when_full: :raise)
      bus.on(:a) { |event| heard << [:late, event[:n]] }
      emit(1, 2)
      expect { emit(3) }.to raise_error(full_error, /:a .*queue_size: 2/)
      gate << :go
      expect(drained).to contain_exactly(0, 1, 2, [:late, 1], [:late, 2], [:late, 3])
      expect(subscription.dropped).to eq(1)
      expect(full_error.new).to be_retryable
    end

    it "let who waits be killed, or run into a timeout, and are as they were" do
      subscription = held(queue_size: 1)
      emit(1)
      blocked { emit(2) }.kill.join
      expect { Timeout.timeout(0.01) { emit(3) } }.to raise_error(Timeout::Error)
      thread = blocked do
        emit(4)
      rescue IOError
        heard << :raised
      end
      thread.raise(IOError)
      thread.join
      expect(subscription.send(:waiters)).to eq(0)
      gate << :go
      expect(drained).to eq([0, :raised, 1])
      emit(5)
      expect(drained).to eq([5])
    end

    it "let go who waits for room in the queue of a handler that is taken off" do
      subscription = held(queue_size: 1)
      emit(1)
      thread = blocked { emit(2) }
      subscription.off
      expect(thread.join(LifecycleHelpers::PATIENCE)).to equal(thread)
      gate << :go
      expect(drained).to eq([0])
    end

    it "let other fibers of a scheduler run while one waits", valgrind: false do
      held(queue_size: 1)
      emit(1)
      Sync do
        waiting = Async { emit(2, 3, 4) }
        eventually { bus.stats[:queued] == 1 }
        Async { |task| task.sleep(0.001) && gate << :go } # nobody else would
        waiting.wait
      end
      expect(drained).to eq([0, 1, 2, 3, 4])
    end

    it "let many emitters in, and keep the order of each" do
      bus.on(:a, queue_size: 2) { |event| heard << event[:n] }
      Array.new(8) { |t| Thread.new { emit(*Array.new(200) { |i| [t, i] }) } }.each(&:join)
      by_thread = drained.group_by(&:first).transform_values { |pairs| pairs.map(&:last) }
      expect(by_thread).to eq(Array.new(8) { |t| [t, (0...200).to_a] }.to_h)
    end
  end

  describe "that a handler fills" do
    it "hold up a handler that works for a slow one" do
      slow = held(:slow, queue_size: 2)
      most = 0
      bus.on(:work) { |event| bus.emit(:slow, n: event[:n]) && most = [most, slow.queued].max }
      emit(*1..50, type: :work)
      eventually { slow.queued == 2 }
      gate << :go
      expect(drained).to eq((0..50).to_a)
      expect(most).to be <= 2
      expect(bus.dropped).to eq(0)
    end

    it "hold up no handler for itself: it may go to twice the size, and then gets an error" do
      bus.on_error { |error, event, _| heard << [error.class, event[:n]] }
      bus.on(:a, queue_size: 4) do |event|
        heard << event[:n]
        10.times { |i| bus.emit(:a, n: i + 1) } if event[:n].zero?
      end
      emit(0)
      expect(drained).to eq([0, [full_error, 0], *1..8])
      expect(bus.stats).to include(failed: 1, dropped: 1)
    end

    it "hold up no handlers that emit to each other, however long their circle" do
      left = 2_000
      types = %i[a b c]
      types.each_with_index do |type, i|
        bus.on(type, queue_size: 1) do
          next if left <= 0

          left -= 1
          bus.emit(types[(i + 1) % 3])
        end
      end
      bus.on_error { |error, _, _| heard << error }
      types.each { |type| bus.emit(type) }
      expect(bus.drain(LifecycleHelpers::PATIENCE)).to be(true)
      expect([left, heard.size]).to eq([0, 0])
    end

    it "hold up no handlers of several buses that emit to each other" do
      buses = Array.new(2) { RAAF::Streaming::EventBus.new(queue_size: 1) }
      buses.each { |one| one.on_error { |error, _, _| heard << error.class } }
      left = 500
      buses.each_with_index do |one, i|
        one.on(:a) { (left -= 1).positive? && 2.times { buses[1 - i].emit(:a) } }
      end
      2.times { buses.each { |one| one.emit(:a) } }
      eventually("the end") { buses.sum { |one| one.stats[:queued] }.zero? && left <= 0 }
      expect(buses.map { |one| one.drain(LifecycleHelpers::PATIENCE) }).to eq([true, true])
      expect(Array.new(heard.size) { heard.pop }.uniq - [full_error]).to eq([])
    end

    it "hold up nobody for want of threads, however many handlers wait for one that has none yet" do
      most = RAAF::Streaming::ThreadPool::MOST_THREADS
      target = bus.on(:target, queue_size: 1) { heard << :target }
      go = Queue.new
      (most + 8).times do |i|
        bus.on(:"work#{i}") { heard << :ready && go.pop && 3.times { bus.emit(:target) } }
      end
      (most + 8).times { |i| bus.emit(:"work#{i}") }
      eventually { heard.size == most } # all threads are held
      (most + 8).times { go << :go }
      expect(drained.count(:target)).to eq(3 * (most + 8))
      expect(target.dropped).to eq(0)
    end
  end

  describe "and drain" do
    it "wait for all that was emitted before" do
      bus.on(:a) do |event|
        Thread.pass
        heard << event[:n]
      end
      emit(*1..100)
      expect(bus.drain).to be(true)
      expect(heard.size).to eq(100)
      expect(bus.drain(0)).to be(true)
    end

    it "give up when the time is over" do
      held
      expect([bus.drain(0), bus.drain(0.01)]).to eq([false, false])
      gate << :go
      expect(bus.drain(LifecycleHelpers::PATIENCE)).to be(true)
    end

    it "do not wait for what others emit meanwhile" do
      started = Queue.new
      bus.on(:a) { |event| event[:n].zero? && started << 1 && gate.pop }
      stuck = bus.on(:b) { gate.pop }
      emit(0)
      started.pop
      draining = blocked { bus.drain }
      bus.emit(:b)
      gate << :go # one of the two
      eventually { stuck.queued.zero? }
      gate << :go unless draining.join(0.05)
      expect(draining.value).to be(true)
    end

    it "wait for what handlers emit because of it, however far that goes" do
      bus.on(:a) { |event| (event[:n] < 50) ? bus.emit(:b, n: event[:n]) : heard << :end }
      bus.on(:b) { |event| bus.emit(:a, n: event[:n] + 1) }
      emit(0)
      expect(bus.drain).to be(true)
      expect(heard.size).to eq(1)
    end

    it "come to an end while others emit without pause" do
      bus.on(:a) { |event| bus.emit(:b, event.payload) }
      bus.on(:b) { heard << 1 if heard.size < 10 }
      stop = false
      busy = Array.new(2) { Thread.new { bus.emit(:a) until stop } }
      5.times { expect(bus.drain(LifecycleHelpers::PATIENCE)).to be(true) }
      stop = true
      busy.each(&:join)
    end

    it "count what was dropped, failed or taken off as done" do
      without_log do
        held(queue_size: 2, when_full: :drop_oldest)
        bus.on(:a) { raise "bad" }
        off = held(:b)
        draining = blocked { emit(*1..10) && emit(1, 2, type: :b) && bus.drain }
        off.off
        2.times { gate << :go }
        expect(draining.value).to be(true)
      end
    end

    it "raise in a handler, which would wait for itself, but not in an inline one" do
      bus.on_error { |error, _, _| heard << error.class }
      bus.on(:a) { bus.drain }
      bus.on(:b, delivery: :inline) { heard << bus.drain(LifecycleHelpers::PATIENCE) }
      other = RAAF::Streaming::EventBus.new
      other.on(:c) { heard << bus.drain(LifecycleHelpers::PATIENCE) }
      bus.emit(:a)
      bus.emit(:b)
      other.emit(:c)
      other.drain
      expect(drained).to eq([ThreadError, true, true])
    end

    it "can be interrupted" do
      held
      thread = blocked { bus.drain }
      thread.kill.join
      expect(bus.send(:drainers)).to eq(0)
    end

    it "let other fibers of a scheduler run meanwhile", valgrind: false do
      held
      done = Sync do
        waiting = Async { bus.drain }
        Async { |task| task.sleep(0.001) && gate << :go }
        waiting.wait
      end
      expect(done).to be(true)
    end
  end

  describe "and close" do
    it "take no further event, and hand over what waits" do
      held
      emit(1, 2)
      expect(bus.close).to equal(bus)
      expect { emit(3) }.to raise_error(RAAF::Errors::BusClosedError, /closed/)
      gate << :go
      expect(drained).to eq([0, 1, 2])
      expect(bus.close).to be_closed
      expect(bus.inspect).to include("closed")
    end

    it "drop what waits where that was asked for" do
      held
      emit(1, 2)
      bus.close(drop: true).close(drop: true)
      gate << :go
      expect(drained).to eq([0])
      expect(bus.dropped).to eq(2)
    end

    it "let a handler close its own bus" do
      bus.on_error { |error, _, _| heard << error.class }
      bus.on(:a) { |event| event[:n].zero? ? bus.close : bus.emit(:a, n: 2) }
      emit(0, 1)
      expect(drained).to eq([RAAF::Errors::BusClosedError])
    end
  end
end
