# frozen_string_literal: true

require "objspace"
require "weakref"

RSpec.describe "The life of an event bus" do
  include LifecycleHelpers
  include LifecycleForks
  include LifecycleScripts

  let(:bus) { RAAF::Streaming::EventBus.new }
  let(:heard) { Queue.new }
  let(:gate) { Queue.new }

  after { 20.times { gate << :open } && gate.close }

  def drained(from = bus)
    expect(from.drain(LifecycleHelpers::PATIENCE)).to be(true)
    Array.new(heard.size) { heard.pop }
  end

  describe "with threads that end" do
    it "goes on after a handler that ends its own thread" do
      bus.on(:a) { |event| (event[:n] == 1) ? Thread.current.kill : heard << event[:n] }
      bus.on(:a) { |event| (event[:n] == 2) ? Thread.exit : heard << event[:n] }
      4.times { |n| bus.emit(:a, n: n) }
      expect(drained).to contain_exactly(0, 2, 3, 0, 1, 3)
      expect(bus.stats).to include(handled: 8, failed: 0)
    end

    it "goes on after a handler whose thread is killed by another one" do
      bus.on(:a) do |event|
        heard << Thread.current
        gate.pop if event[:n].zero?
      end
      3.times { |n| bus.emit(:a, n: n) }
      thread = heard.pop
      until_asleep(thread)
      thread.kill.join
      expect(drained.size).to eq(2)
    end

    it "goes on where threads are killed at any moment" do
      count = 0
      bus.on(:a, queue_size: 50) { count += 1 }
      over = false
      killer = Thread.new do
        until over
          Thread.list.select { |thread| thread.name == "raaf-handler" }.sample&.kill
          sleep(0.0005)
        end
      end
      2_000.times { bus.emit(:a) }
      expect(bus.drain(LifecycleHelpers::PATIENCE)).to be(true)
      over = true
      killer.join
      expect(bus.stats).to include(handled: 2_000, queued: 0)
      expect(count).to be_between(1_000, 2_000) # one that was killed had been begun, at most
    ensure
      over = true # else the killer goes on in the examples that follow
      killer&.join
    end

    it "makes no thread an event, and has none when there is nothing to do for a while" do
      before = Thread.list.size
      most = 0
      bus.on(:a) { most = [most, Thread.list.size].max }
      1_000.times { bus.emit(:a) }
      drained
      expect(most - before).to be <= RAAF::Streaming::ThreadPool::MOST_THREADS
      expect(most).to be_positive
    end
  end

  describe "in a process that forks" do
    it "has its handlers in the child, whose events are its own" do
      bus.on(:a) { |event| heard << event[:n] }
      bus.emit(:a, n: 1)
      expect(drained).to eq([1])
      expect(in_child { bus.emit(:a, n: 2) && drained }).to eq([2])
      bus.emit(:a, n: 3)
      expect(drained).to eq([3])
    end

    it "keeps what waits for the parent" do
      subscription = bus.on(:a) { |event| heard << event[:n] && event[:n].zero? && gate.pop }
      3.times { |n| bus.emit(:a, n: n) }
      eventually { heard.size == 1 }
      in_the_child = in_child do
        heard.clear
        [bus.stats[:queued], subscription.queued, bus.drain(0), bus.emit(:a, n: 7) && drained]
      end
      expect(in_the_child).to eq([0, 0, true, [7]])
      gate << :go
      expect(drained).to eq([0, 1, 2])
    end

    it "lets a child emit, wait for room and drain although threads of the parent were in the middle of that" do
      bus.on(:a, queue_size: 1) { |event| heard << event[:n] && event[:n].zero? && gate.pop }
      2.times { |n| bus.emit(:a, n: n) }
      waiting = [Thread.new { bus.emit(:a, n: 2) }, Thread.new { bus.drain }].each { |thread| until_asleep(thread) }
      in_the_child = in_child do
        heard.clear
        (5..20).each { |n| bus.emit(:a, n: n) }
        drained
      end
      expect(in_the_child).to eq((5..20).to_a)
      gate << :go
      waiting.each(&:join)
      expect(drained).to eq([0, 1, 2])
    end

    it "lets a handler fork" do
      reader, writer = IO.pipe
      bus.on(:a) do |event|
        heard << event[:n]
        next unless event[:n].zero?

        pid = fork do
          other = Queue.new
          bus.on(:b) { |inner| other << inner[:n] }
          bus.emit(:b, n: 5)
          writer.write([other.pop, bus.drain(20), bus.stats[:queued]].inspect)
          exit!(0)
        end
        Process.wait(pid)
      end
      3.times { |n| bus.emit(:a, n: n) }
      expect(drained).to eq([0, 1, 2])
      writer.close
      expect(reader.read).to eq("[5, true, 0]")
    end
  end

  describe "in a process that ends" do
    it "hands over what waits, if that takes no longer than so long" do
      script = run_script(<<~RUBY)
        bus = RAAF::Streaming::EventBus.new
        bus.on(:a) { |event| sleep(0.001) && puts(event[:n]) }
        at_exit { puts "exit" }
        20.times { |n| bus.emit(:a, n: n) }
      RUBY
      expect(script.output.split).to contain_exactly("exit", *(0...20).map(&:to_s))
      expect_no_crash(script)
    end

    it "ends although a handler does not" do
      script = run_script(<<~RUBY)
        module RAAF::Streaming
          remove_const(:SHUTDOWN_SECONDS)
          SHUTDOWN_SECONDS = 0.1
        end
        bus = RAAF::Streaming::EventBus.new
        bus.on(:a) { puts "begun"; sleep }
        100.times { bus.emit(:a) }
        Thread.pass until bus.stats[:queued] == 99
      RUBY
      expect([script.output, script.errors, script.status.exitstatus]).to eq(["begun\n", "", 0])
    end

    it "starts neither thread nor hook by being made" do
      script = run_script(<<~RUBY)
        bus = RAAF::Streaming::EventBus.new
        bus.on(:a, delivery: :inline) { puts Thread.list.size }
        bus.on(:b) { nil }
        bus.emit(:a)
        p RAAF::Streaming.instance_variable_get(:@exit_hook)
      RUBY
      expect(script.output).to eq("1\nnil\n")
    end

    it "ends by exit in a handler" do
      script = run_script(<<~RUBY)
        bus = RAAF::Streaming::EventBus.new
        bus.on(:a) { exit(7) }
        bus.emit(:a)
        sleep
      RUBY
      expect([script.status.exitstatus, script.errors]).to eq([7, ""])
    end
  end

  describe "and the garbage collector" do
    def collect_until(what)
      eventually(what) do
        Thread.new { Array.new(100) { Object.new } && nil }.join
        GC.start
        yield
      end
    end

    it "takes a bus with its handlers that nobody holds" do
      kept = nil
      Thread.new { kept = WeakRef.new(RAAF::Streaming::EventBus.new.tap { |one| one.on(:a) { one.emit(:b) } }) }.join
      collect_until("the end of the bus") { !kept.weakref_alive? }
    end

    it "keeps a bus that nobody holds until its handlers are through" do
      heard_it = heard
      Thread.new do
        one = RAAF::Streaming::EventBus.new
        one.on(:a) { |event| heard_it << event[:n] }
        50.times { |n| one.emit(:a, n: n) }
      end.join
      GC.start
      expect(Array.new(50) { heard.pop }).to eq((0...50).to_a)
    end

    it "takes what was handled, also while a handler stands in the next one" do
      bus.on(:a) { |event| event[:last] && heard << 1 && gate.pop }
      gone = nil
      Thread.new do
        payload = Object.new.tap { |object| gone = WeakRef.new(object) }
        bus.emit(:a, thing: payload)
        bus.emit(:a, last: true)
      end.join
      heard.pop
      collect_until("the end of what was handled") { !gone.weakref_alive? }
    end

    it "knows what a bus, a handler and an event weigh" do
      subscription = bus.on(:a) { nil }
      event = bus.emit(:a)
      sizes = [bus, subscription, event].map { |object| ObjectSpace.memsize_of(object) }
      expect(sizes).to all(be_between(41, 400))
    end

    # What a run does: all ways of delivery, with errors, drops, ids and times.
    let(:life) do
      <<~RUBY
        def one(count, stress = false)
          heard = Queue.new
          bus = RAAF::Streaming::EventBus.new(queue_size: 7)
          bus.on_error { |error, event, _| heard << [error.message, event[:n]] }
          bus.use_middleware { |event| event.payload[:m] = event[:n].to_s }
          bus.on(:a) { |event| heard << [:ordered, event[:n], event[:m], event.id, event.id] }
          bus.on("a", delivery: :parallel) { |event| heard << [:parallel, event[:n], event.timestamp.year] }
          bus.on(/a/, delivery: :inline) { |event| heard << [:inline, event.to_h] }
          bus.on(:a) { |event| raise "odd" if event[:n].odd? }
          bus.on(:a, when_full: :drop_oldest, queue_size: 1) { |event| event[:n] }
          bus.once("b*") { |event| heard << [:once, event.type] }
          GC.stress = stress
          count.times { |n| bus.emit(:a, n: n) && bus.emit("b\#{n}", n: n) }
          bus.drain(60) or raise "not drained: \#{bus.inspect}"
          GC.stress = false
          got = Array.new(heard.size) { heard.pop }
          raise "lost: \#{got.inspect}" unless got.size == 3 * count + count / 2 + 1
          ordered = got.select { |it| it[0] == :ordered }
          raise "order" unless ordered.map { |it| it[1] } == (0...count).to_a
          raise "ids" unless ordered.all? { |it| it[3] == it[4] && it[2] == it[1].to_s }
        end
      RUBY
    end

    it "moves what it likes" do
      script = run_script(life + <<~RUBY, within: 60)
        one(20)
        kept = RAAF::Streaming::EventBus.new(queue_size: 1_000)
        gate = Queue.new
        heard = Queue.new
        kept.on(:kept) { |event| gate.pop; heard << [event.type, event[:n]] }
        500.times { |n| kept.emit(:kept, n: n) }
        event = kept.emit("made up".dup, n: 500)
        id = event.id
        if GC.respond_to?(:verify_compaction_references)
          options = RUBY_VERSION >= "3.2" ? {expand_heap: true} : {double_heap: true}
          GC.verify_compaction_references(toward: :empty, **options)
          GC.auto_compact = true
          one(50)
          GC.verify_compaction_references(toward: :empty, **options)
        end
        raise "event" unless event.id == id && event.type == :"made up" && event[:n] == 500
        500.times { gate << 1 }
        kept.drain(60)
        raise "kept" unless Array.new(heard.size) { heard.pop } == Array.new(500) { |n| [:kept, n] }
        kept.emit(:kept, n: 1) && gate << 1
        kept.drain(60) && puts("whole")
      RUBY
      expect([script.output, script.errors]).to eq(["whole\n", ""])
    end

    it "may free events in another Ractor, while others are made" do
      script = run_script(<<~RUBY, within: 60)
        Warning[:experimental] = false
        bus = RAAF::Streaming::EventBus.new
        count = 0
        bus.on(:a) { |event| count += 1 if event[:n] }
        busy = Array.new(2) { Ractor.new { 300_000.times { Object.new.to_s } && :done } }
        50_000.times { |n| bus.emit(:a, n: n) }
        raise "ractors" unless busy.map(&:take) == %i[done done]
        bus.drain(60) && puts(count)
      RUBY
      expect([script.output, script.errors]).to eq(["50000\n", ""])
    end

    it "may run at every allocation" do
      script = run_script(life + <<~RUBY, within: 60)
        one(2)
        one(1, true)
        one(20, 1) # no major GC
        puts "whole"
      RUBY
      expect([script.output, script.errors]).to eq(["whole\n", ""])
    end
  end
end
