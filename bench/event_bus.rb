# frozen_string_literal: true

# What an event costs from emit until its handlers have run: a payload of three keys, handlers that count.
#
# Beside it the streaming guide's event bus, which makes a thread for each event and handler, and dry-events, which
# calls its handlers before publish returns.
require_relative "harness"
require_relative "../lib/raaf-streaming"
require "active_support"
require "active_support/time"
require "dry/events/publisher"

# What every handler does.
COUNT = 0.then { |calls| proc { calls += 1 } }

# What the guide's event bus does: a thread for each event and handler; a time and an id for each event.
class ThreadBus
  Event = Struct.new(:type, :payload, :timestamp, :id)

  def initialize
    @handlers = Hash.new { |all, type| all[type] = [] }
  end

  def on(type, &handler)
    @handlers[type] << handler
  end

  # @return [Array<Thread>]
  def emit(type, payload = {})
    event = Event.new(type, payload, Time.current, SecureRandom.uuid)
    @handlers[type].map { |handler| Thread.new { handler.call(event) } }
  end
end

def publisher(name, handlers)
  kind = Class.new { include Dry::Events::Publisher[name] }
  kind.register_event("chunk")
  kind.new.tap { |one| handlers.times { one.subscribe("chunk", &COUNT) } }
end

def bus(handlers, **settings)
  RAAF::Streaming::EventBus.new(**settings).tap { |one| handlers.times { one.on(:chunk, &COUNT) } }
end

# The events of one run, and nothing left behind.
def emit_all(bus, count)
  i = 0
  while i < count
    bus.emit(:chunk, agent: "Writer", chunk: i, session: 7)
    i += 1
  end
  bus.drain
end

def emit_from(threads, bus, count)
  Array.new(threads) { Thread.new { emit_all(bus, count / threads) } }.each(&:join)
end

def publish_all(publisher, count)
  i = 0
  while i < count
    publisher.publish("chunk", agent: "Writer", chunk: i, session: 7)
    i += 1
  end
end

def thread_each(bus, count)
  threads = []
  i = 0
  while i < count
    threads.concat(bus.emit(:chunk, agent: "Writer", chunk: i, session: 7))
    i += 1
  end
  threads.each(&:join)
end

def race(handlers)
  all = Bench::Race.new("#{handlers} handler(s): one event, until they have run")
  ours, inline = bus(handlers), bus(handlers, delivery: :inline)
  dry = publisher(:"bench#{handlers}", handlers)
  guide = ThreadBus.new.tap { |one| handlers.times { one.on(:chunk, &COUNT) } }
  all.contestant("EventBus", 300_000 / handlers) { |count| emit_all(ours, count) }
  all.contestant("EventBus, :inline", 300_000 / handlers) { |count| emit_all(inline, count) }
  all.contestant("EventBus, 8 emitting threads", 300_000 / handlers) { |count| emit_from(8, ours, count) }
  all.contestant("dry-events", 60_000 / handlers) { |count| publish_all(dry, count) }
  all.contestant("a thread per event and handler (the guide's)", 2_000 / handlers) { |count| thread_each(guide, count) }
  all.start
end

# What emit itself costs: an event is made, and nobody wants it.
def emit_alone
  race = Bench::Race.new("emit by itself")
  nobody, hash = RAAF::Streaming::EventBus.new, {agent: "Writer", chunk: 1, session: 7}
  race.contestant("emit, nobody listens", 1_000_000) { |count| count.times { nobody.emit(:chunk, hash) } }
  race.start.fetch("emit, nobody listens")
end

Bench.machine
one = race(1)
race(10)
alone = emit_alone
ours, dry = one.values_at("EventBus", "dry-events")
guide = one.fetch("a thread per event and handler (the guide's)")
puts
Bench.goal("1 handler, against dry-events", dry / ours, 4)
Bench.goal("1 handler, against a thread per event and handler", guide / ours, 200)
Bench.goal("200 ns against emit by itself", 200 / alone, 1)
