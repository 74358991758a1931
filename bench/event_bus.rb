# frozen_string_literal: true

# What an event costs from emit until its handlers have run: a payload of three keys, handlers that count.
#
# Beside it dry-events, which calls its handlers before publish returns. In the end the streaming guide's event bus,
# which makes a thread for each event and handler: thousands of threads leave a process where everything is slower.
require_relative "harness"
require_relative "../lib/raaf-streaming"
require "active_support"
require "active_support/time"
require "dry/events/publisher"

PAYLOAD = {agent: "Writer", chunk: 1, session: 7}.freeze

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

def bus(handlers, **settings)
  RAAF::Streaming::EventBus.new(**settings).tap { |one| handlers.times { one.on(:chunk, &COUNT) } }
end

def publisher(handlers)
  kind = Class.new { include Dry::Events::Publisher[:"bench#{handlers}"] }
  kind.register_event("chunk")
  kind.new.tap { |one| handlers.times { one.subscribe("chunk", &COUNT) } }
end

def thread_bus(handlers)
  ThreadBus.new.tap { |one| handlers.times { one.on(:chunk, &COUNT) } }
end

# Events of one run, and nothing left behind.
def emit_all(bus, count)
  count.times { bus.emit(:chunk, PAYLOAD) }
  bus.drain
end

def emit_from(threads, bus, count)
  Array.new(threads) { Thread.new { emit_all(bus, count / threads) } }.each(&:join)
end

def emit_keywords(bus, count)
  count.times { |i| bus.emit(:chunk, agent: "Writer", chunk: i, session: 7) }
  bus.drain
end

def publish_all(publisher, count)
  count.times { publisher.publish("chunk", PAYLOAD) }
end

def publish_keywords(publisher, count)
  count.times { |i| publisher.publish("chunk", agent: "Writer", chunk: i, session: 7) }
end

def thread_each(bus, count)
  threads = []
  count.times { threads.concat(bus.emit(:chunk, PAYLOAD)) }
  threads.each(&:join)
end

def race_with_dry(handlers)
  race = Bench::Race.new("An event with #{handlers} handler(s), until they have run")
  ours, inline, dry = bus(handlers), bus(handlers, delivery: :inline), publisher(handlers)
  many, few = [300_000, 60_000].map { |count| count / handlers }
  race.contestant("EventBus", many) { |count| emit_all(ours, count) }
  race.contestant("EventBus, 8 emitting threads", many) { |count| emit_from(8, ours, count) }
  race.contestant("EventBus, :inline", many) { |count| emit_all(inline, count) }
  race.contestant("dry-events", few) { |count| publish_all(dry, count) }
  race.contestant("EventBus, the payload made each time", many) { |count| emit_keywords(ours, count) }
  race.contestant("dry-events, the payload made each time", few) { |count| publish_keywords(dry, count) }
  race.start
end

def race_of_threads
  race = Bench::Race.new("A thread per event and handler (the guide's)")
  [1, 10].each do |handlers|
    guide = thread_bus(handlers)
    race.contestant("#{handlers} handler(s)", 2_000 / handlers) { |count| thread_each(guide, count) }
  end
  race.start
end

# An event is made, and nobody wants it.
def race_alone
  race = Bench::Race.new("emit by itself")
  nobody = RAAF::Streaming::EventBus.new
  race.contestant("emit", 1_000_000) { |count| count.times { nobody.emit(:chunk, PAYLOAD) } }
  race.start
end

Bench.machine
alone = race_alone.fetch("emit")
one, = [1, 10].map { |handlers| race_with_dry(handlers) }
guide = race_of_threads

puts
ours = one.fetch("EventBus")
Bench.goal("EventBus with 1 handler, against dry-events", one.fetch("dry-events") / ours, 4)
Bench.goal("EventBus with 1 handler, against a thread each", guide.fetch("1 handler(s)") / ours, 200)
Bench.goal("200 ns, against emit by itself", 200 / alone, 1)
