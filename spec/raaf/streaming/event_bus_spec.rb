# frozen_string_literal: true

require "active_support"
require "active_support/notifications"
require "objspace"

RSpec.describe RAAF::Streaming::EventBus do
  include LifecycleHelpers

  subject(:bus) { described_class.new }

  let(:heard) { Queue.new }

  # What is in the queue, once the handlers are through.
  def drained
    expect(bus.drain(LifecycleHelpers::PATIENCE)).to be(true)
    Array.new(heard.size) { heard.pop }
  end

  describe "used as the guide uses it" do
    it "hands the handler of a type its events, with type, payload, timestamp and id" do
      bus.on(:agent_response) { |event| heard << event }
      before = Time.now
      bus.emit(:agent_response, {agent: "Writer", chunk: "Once"})
      after = Time.now

      event = drained.first
      expect(event).to be_a(RAAF::Streaming::EventBus::Event)
      expect([event.type, event[:agent]]).to eq([:agent_response, "Writer"])
      expect(event.payload).to eq(agent: "Writer", chunk: "Once")
      expect(event.timestamp).to be_between(before, after)
      expect(event.id).to match(/\A\h{8}-\h{4}-4\h{3}-[89ab]\h{3}-\h{12}\z/)
    end

    it "takes keywords for the payload, and none for an empty one" do
      bus.on(:*) { |event| heard << event.payload }
      bus.emit(:a, agent: "Writer", type: :sequential)
      bus.emit(:a)
      bus.emit(:a, nil)
      expect(drained).to eq([{agent: "Writer", type: :sequential}, {}, {}])
    end

    it "passes every event by the middleware, which may write into the payload and whose value means nothing" do
      bus.use_middleware { |event| event.payload[:seen] = 1 }
      bus.use_middleware { |event| (event.payload[:seen] += 1) && false }
      bus.use_middleware { |_| nil }
      bus.on(:a) { |event| heard << event[:seen] }
      bus.emit(:a, {seen: 0})
      bus.emit(:a, seen: 0)
      expect(drained).to eq([2, 2])
    end
  end

  describe "#on" do
    it "takes several types, a String for its Symbol, and keeps other events away" do
      bus.on(:a, "b") { |event| heard << event.type }
      %i[a b c].each { |type| bus.emit(type) }
      bus.emit("a")
      expect(drained).to eq(%i[a b a])
    end

    it "takes patterns: a Regexp, a star in a name, and :* for all" do
      {/\Aagent_(?!error)/ => %i[agent_start agent_end], "agent_*" => %i[agent_start agent_error agent_end],
       :"*_e*" => %i[agent_error agent_end], "*" => %i[agent_start agent_error work agent_end],
       "agent.start" => []}.each do |pattern, types|
        subscription = bus.on(pattern) { |event| heard << event.type }
        %i[agent_start agent_error work agent_end].each { |type| bus.emit(type) }
        expect(drained).to eq(types), "#{pattern.inspect} got others"
        subscription.off
      end
    end

    it "takes all types where none is named" do
      bus.on { |event| heard << event.type }
      bus.emit(:anything)
      expect(drained).to eq([:anything])
    end

    it "takes an event of two patterns once" do
      bus.on(:a, "a*", /a/) { |event| heard << event.type }
      bus.emit(:a)
      expect(drained).to eq([:a])
    end

    it "takes anything with `call`, also where that wants no event" do
      quiet = Class.new { define_method(:call) { QUEUE << :object } }
      quiet.const_set(:QUEUE, heard)
      heard_it = heard
      object = Object.new.tap { |one| one.define_singleton_method(:call) { |event| heard_it << [:object, event.type] } }
      bus.on(:a, heard.method(:push))
      bus.on(:a, -> { heard << :nothing })
      bus.on(:a, ->(event) { heard << [:lambda, event.type] })
      bus.on(:a, object)
      bus.on(:a, heard.method(:clear).unbind.bind(Queue.new))
      bus.emit(:a)
      expect(drained).to contain_exactly(an_instance_of(described_class::Event), :nothing, [:lambda, :a], [:object, :a])
    end

    it "calls the handlers of a type in the order in which they were added, patterns among them" do
      inline = described_class.new(delivery: :inline)
      inline.on("a*") { heard << 1 }
      inline.on(:a) { heard << 2 }
      inline.on { heard << 3 }
      inline.on(:a) { heard << 4 }
      inline.emit(:a)
      expect(Array.new(heard.size) { heard.pop }).to eq([1, 2, 3, 4])
    end

    it "refuses what is no handler, no type and no setting" do
      expect { bus.on(:a) }.to raise_error(ArgumentError, /block/)
      expect { bus.on(:a, 42) }.to raise_error(ArgumentError, /call/)
      expect { bus.on(:a, 42) { nil } }.to raise_error(TypeError, /42/)
      expect { bus.on(:a, delivery: :soon) { nil } }.to raise_error(ArgumentError, /:parallel, :inline.*:soon/)
      expect { bus.on(:a, when_full: :wait) { nil } }.to raise_error(ArgumentError, /when_full.*:wait/)
      [0, -1, 1.5, "9", 1 << 70].each do |size|
        expect { bus.on(:a, queue_size: size) { nil } }.to raise_error(ArgumentError, /queue_size/)
        expect { described_class.new(queue_size: size) }.to raise_error(ArgumentError, /queue_size/)
      end
      expect { described_class.new(delivery: nil) }.to raise_error(ArgumentError, /delivery/)
      expect(bus.stats[:handlers]).to eq(0)
    end

    it "says what it was given, and takes the bus's settings where it was given none" do
      block = proc {}
      subscription = described_class.new(when_full: :raise, queue_size: 3).on(:a, "b_*", delivery: :parallel, &block)
      expect([subscription.types, subscription.handler, subscription.delivery, subscription.queue_size,
        subscription.when_full]).to eq([%i[a b_*], block, :parallel, 3, :raise])
      expect(subscription).to be_active
      expect(subscription.inspect).to include(%(:a, :"b_*" parallel))
    end
  end

  describe "#once" do
    it "gets one event of its types, however fast they come" do
      subscription = bus.once("a*") { |event| heard << event.type }
      bus.emit(:b)
      100.times { |i| bus.emit(:"a#{i}") }
      expect(drained).to eq([:a0])
      expect(subscription).not_to be_active
      expect(bus.stats[:handlers]).to eq(0)
    end

    it "gets one event where many threads emit" do
      bus.once(:a) { heard << :one }
      bus.once(:a, delivery: :inline) { heard << :inline }
      gate = Queue.new
      threads = Array.new(8) { Thread.new { gate.pop && 50.times { bus.emit(:a) } } }
      8.times { gate << :go }
      threads.each(&:join)
      expect(drained).to contain_exactly(:one, :inline)
    end

    it "gets none where its own handler emits one" do
      bus.once(:a, delivery: :inline) { heard << :once && bus.emit(:a) }
      bus.emit(:a)
      expect(drained).to eq([:once])
    end
  end

  describe "#off" do
    it "takes a handler off, by the bus or by itself, once" do
      [bus.method(:off), :off.to_proc, :unsubscribe.to_proc].each do |off|
        subscription = bus.on(:a) { heard << :a }
        expect([off.call(subscription), off.call(subscription), subscription.active?]).to eq([true, false, false])
      end
      bus.emit(:a)
      expect(drained).to eq([])
    end

    it "takes all handlers of a type off, as they were given it" do
      bus.on(:a) { heard << :exact }
      bus.on("a*") { heard << :pattern }
      bus.on(:a, :b) { |event| heard << event.type }
      bus.on(/a/) { heard << :regexp }
      expect([bus.off(:a), bus.off(:a), bus.off("a*"), bus.off(/a/), bus.off(:unknown)])
        .to eq([true, false, true, true, false])
      bus.emit(:a)
      bus.emit(:b)
      expect(drained).to eq([:b])
    end

    it "takes one handler of a type off" do
      one = proc { heard << :one }
      bus.on(:a, one)
      bus.on(:a) { heard << :two }
      expect([bus.off(:a, &one), bus.off(:a, one)]).to eq([true, false])
      bus.emit(:a)
      expect(drained).to eq([:two])
    end

    it "takes none of another bus's off" do
      subscription = bus.on(:a) { heard << :a }
      expect(described_class.new.off(subscription)).to be(false)
      bus.emit(:a)
      expect(drained).to eq([:a])
    end

    it "keeps what waits from the handler" do
      gate = Queue.new
      subscription = bus.on(:a) { |event| heard << event[:n] && gate.pop }
      5.times { |n| bus.emit(:a, n: n) }
      eventually { heard.size == 1 }
      subscription.off
      gate << :go
      expect(drained).to eq([0])
      expect([subscription.dropped, bus.dropped, subscription.handled]).to eq([4, 4, 1])
    end

    it "gives nothing more to a handler that takes itself off" do
      subscription = bus.on(:a) { |event| heard << event[:n] && event[:n] == 3 && subscription.off }
      100.times { |n| bus.emit(:a, n: n) }
      expect(drained).to eq([0, 1, 2, 3])
    end
  end

  describe "#emit" do
    it "gives back the event, also where nobody wants it" do
      event = bus.emit(:a, n: 1)
      expect([event.type, event[:n], event.frozen?]).to eq([:a, 1, true])
    end

    it "hands the very payload to all, whatever it is" do
      payload = Object.new
      bus.on(:a) { |event| heard << event.payload }
      bus.on(:a) { |event| heard << event.payload }
      bus.emit(:a, payload)
      expect(drained).to all(equal(payload))
      expect(bus.emit(:a, [1, 2])[1]).to eq(2)
    end

    it "refuses what is no type, and more than a payload" do
      [nil, 1, Object, /a/].each { |type| expect { bus.emit(type) }.to raise_error(TypeError, /Symbol or a String/) }
      expect { bus.emit }.to raise_error(ArgumentError)
      expect { bus.emit(:a, {a: 1}, b: 2) }.to raise_error(ArgumentError)
      expect(bus.stats[:emitted]).to eq(0)
    end

    it "goes through the handlers there were when it began, whatever they add and take off" do
      inline = described_class.new(delivery: :inline)
      late = nil
      first = inline.on(:a) do
        heard << 1
        inline.on(:a) { heard << :added }
        late.off
      end
      inline.on(:a) { heard << 2 }
      late = inline.on(:a) { heard << :taken_off }
      inline.emit(:a)
      expect(drained).to eq([1, 2])
      first.off
      inline.emit(:a)
      expect(drained).to eq([2, :added])
    end

    it "sees handlers that come and go while other threads emit" do
      stop = false
      emitters = Array.new(2) { Thread.new { bus.emit(:a) until stop } }
      10.times do
        got = Queue.new
        subscription = bus.on("a*", when_full: :drop_oldest, queue_size: 10) { got << :a }
        got.pop
        subscription.off
      end
      stop = true
      emitters.each(&:join)
      expect(bus.stats[:handlers]).to eq(0)
    end

    it "remembers no more than so many types" do
      bus.on("type*") { heard << 1 }
      5_000.times { |n| bus.emit(:"type#{n}") }
      expect(drained.size).to eq(5_000)
      snapshots = ObjectSpace.reachable_objects_from(bus).grep(Hash).map(&:size)
      expect(snapshots.max).to be <= 1_000
    end
  end

  describe "#use_middleware" do
    it "passes events in the order in which it was added, on the emitter's thread, before any handler" do
      bus.on(:a, delivery: :inline) { heard << :handler }
      bus.use_middleware { heard << [1, Thread.current] }
        .use_middleware(->(event) { heard << [2, event.type] })
      bus.emit(:a)
      bus.emit(:nobody)
      expect(drained).to eq([[1, Thread.current], [2, :a], :handler, [1, Thread.current], [2, :nobody]])
    end

    it "may change type and payload, and so who gets what" do
      bus.use_middleware do |event|
        event.type = "b"
        event.payload = {n: event[:n] + 1}
      end
      bus.on(:a) { heard << :a }
      bus.on(:b) { |event| heard << event.to_h.slice(:type, :payload) }
      expect(bus.emit(:a, n: 1).type).to eq(:b)
      expect(drained).to eq([{type: :b, payload: {n: 2}}])
      expect { bus.use_middleware { |event| event.type = 5 }.emit(:a, n: 1) }.to raise_error(TypeError)
    end

    it "stops an event by stop! only" do
      bus.use_middleware { |event| (event[:n] == 2) ? event.stop! : false }
      bus.use_middleware { |event| heard << [:next, event[:n]] }
      bus.on(:a) { |event| heard << event[:n] }
      stopped = (1..3).map { |n| bus.emit(:a, n: n).stopped? }
      expect(stopped).to eq([false, true, false])
      expect(drained).to contain_exactly([:next, 1], 1, [:next, 3], 3)
      expect(bus.stats[:emitted]).to eq(2)
    end

    it "gives what it raises to the emitter, and nobody gets the event" do
      bus.use_middleware { |event| raise IOError, "no" if event[:bad] }
      bus.on(:a) { |event| heard << event[:n] }
      expect { bus.emit(:a, n: 1, bad: true) }.to raise_error(IOError, "no")
      bus.emit(:a, n: 2)
      expect(drained).to eq([2])
    end

    it "leaves events as they are to handlers" do
      bus.on_error { |error, event, _| heard << [error.class, event[:n]] }
      bus.on(:a, &:stop!)
      bus.on(:a) { |event| event.payload = nil }
      bus.on(:a, delivery: :inline) { |event| event.type = :b }
      bus.emit(:a, n: 1)
      expect(drained).to eq([[FrozenError, 1]] * 3)
    end

    it "refuses what cannot be called" do
      expect { bus.use_middleware }.to raise_error(ArgumentError, /block/)
      expect { bus.use_middleware(1) }.to raise_error(ArgumentError, /block/)
    end
  end

  describe "a handler that raises" do
    %i[ordered parallel inline].each do |delivery|
      it "stops neither another one nor the next event, and is reported (#{delivery})" do
        bus.on_error { |error, event, subscription| heard << [error.message, event[:n], subscription] }
        broken = bus.on(:a, delivery: delivery) { |event| raise "broken" if event[:n] < 2 }
        bus.on(:a, delivery: delivery) { |event| heard << event[:n] }
        3.times { |n| bus.emit(:a, n: n) }
        expect(drained).to contain_exactly(["broken", 0, broken], ["broken", 1, broken], 0, 1, 2)
        expect([broken.handled, broken.failed, broken.dropped]).to eq([3, 2, 0])
        expect(bus.stats).to include(handled: 6, failed: 2, dropped: 0, queued: 0)
      end

      it "may raise what is no StandardError but a mistake in code (#{delivery})" do
        bus.on_error { |error, _, _| heard << error.class }
        endless = ->(n) { endless.call(n + 1) + 1 }
        [-> { raise NotImplementedError }, -> { raise LoadError }, -> { endless.call(0) }].each do |handler|
          bus.on(:a, handler, delivery: delivery)
        end
        bus.emit(:a)
        expect(drained).to contain_exactly(NotImplementedError, LoadError, SystemStackError)
      end
    end

    it "is told to all who asked, and what they raise is logged" do
      without_log do |log|
        bus.on_error { raise "worse" }.on_error(->(error, _, _) { heard << error.message })
        bus.on(:a) { raise "bad" }
        2.times { bus.emit(:a) }
        expect(drained).to eq(%w[bad bad])
        expect(log.string.scan("RuntimeError: worse").size).to eq(2)
        expect(log.string).not_to include("bad")
      end
    end

    it "is logged where nobody asked" do
      without_log do |log|
        bus.on(:a) { raise "bad" }
        bus.emit(:a)
        drained
        expect(log.string).to match(/a handler of :a raised RuntimeError: bad \(.*event_bus_spec\.rb/)
      end
    end

    it "is told to ActiveSupport's subscribers, without the words" do
      told = Queue.new
      subscriber = ActiveSupport::Notifications.subscribe("event_error.raaf") { |*, payload| told << payload }
      bus.on_error { nil }
      bus.on(:told) { raise IOError, "said the user" }
      bus.emit(:told, words: "said the user")
      drained
      expect(Array.new(told.size) { told.pop }).to include({type: :told, error: "IOError"})
    ensure
      ActiveSupport::Notifications.unsubscribe(subscriber)
    end

    it "leaves the block by break or return: an error like any other" do
      bus.on_error { |error, _, _| heard << error.class }
      bus.on(:a) { break }
      bus.on(:a) { heard << :other }
      bus.emit(:a)
      expect(drained).to contain_exactly(LocalJumpError, :other)
    end

    it "takes throw out of an inline handler where it leads, and the bus goes on" do
      bus.on(:a, delivery: :inline) { |event| throw(:out, 5) if event[:n] == 1 }
      expect(catch(:out) { bus.emit(:a, n: 1) }).to eq(5)
      expect(bus.emit(:a, n: 2)).to be_a(described_class::Event)
    end
  end

  it "takes a String for the type that it spells, whatever its class says" do
    odd = Class.new(String) { def to_sym = nil }
    bus.on(:a, delivery: :inline) { |event| heard << event.type }
    expect(bus.emit(odd.new("a")).type).to eq(:a)
    expect(drained).to eq([:a])
  end

  it "says how much it has done" do
    bus.on(:a) { nil }
    bus.emit(:a)
    bus.emit(:b)
    drained
    expect(bus.stats).to eq(handlers: 1, queued: 0, emitted: 2, handled: 1, failed: 0, dropped: 0)
    expect(bus.inspect).to include("emitted=2", "handled=1")
  end

  it "is not copied: two would share what belongs to one" do
    expect { bus.dup }.to raise_error(NoMethodError)
    expect { bus.on(:a) { nil }.clone }.to raise_error(NoMethodError)
    expect { Marshal.dump(bus) }.to raise_error(TypeError)
  end
end
