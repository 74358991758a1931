# frozen_string_literal: true

require "active_support"
require "active_support/current_attributes"
require "active_support/executor"
require "active_support/dependencies"
require_relative "../../../../lib/raaf/streaming/rails/executor"

# With the real ActiveSupport, set up as Rails does it; Rails itself is not loaded.
RSpec.describe RAAF::Streaming::RequestContext do
  include_context "with a model server"

  before do
    stub_const("Current", Class.new(ActiveSupport::CurrentAttributes))
    Current.attribute :user, :tags
    Current.attribute :place, default: "here"
  end

  let(:application_executor) do
    Class.new(ActiveSupport::Executor).tap do |executor|
      executor.to_run { ActiveSupport::CurrentAttributes.reset_all }
      executor.to_complete { ActiveSupport::CurrentAttributes.reset_all }
    end
  end

  around do |example|
    RAAF::Streaming.executor = RAAF::Streaming::Executor.new(application_executor)
    example.run
  ensure
    RAAF::Streaming.executor = nil
    RAAF::Streaming::EventBus.carrier = nil
    ActiveSupport::CurrentAttributes.clear_all
  end

  def as(user)
    Current.set(user: user) { yield }
  end

  def all_of(queue)
    Array.new(queue.size) { queue.pop }
  end

  it "is empty where nothing is set" do
    expect(Current.place).to eq("here")
    expect(described_class.take).to be_empty
    as("Ann") { expect(described_class.take).not_to be_empty }
  end

  it "puts in place what was set, all of it and nothing else, and then what was there before" do
    Current.tags = %w[a]
    context = as("Ann") { described_class.take }
    Current.tags = nil
    seen = as("Bob") do
      Current.tags = %w[b]
      inside = context.call { [Current.user, Current.tags, Current.place] }
      [inside, [Current.user, Current.tags]]
    end

    expect(seen).to eq([["Ann", %w[a], "here"], ["Bob", %w[b]]])
  end

  it "keeps what a callback sets from the next one, and from the caller" do
    context = as("Ann") { described_class.take }
    2.times do
      context.call do
        expect([Current.user, Current.place]).to eq(%w[Ann here])
        Current.user = "Eve"
        Current.place = "there"
      end
    end
    expect([Current.user, Current.place]).to eq([nil, "here"])
    expect { context.call { raise "mine" } }.to raise_error("mine")
    expect(Current.user).to be_nil
  end

  it "comes to the callbacks of a stream, from where it began or where they were given, and to nobody else's" do
    3.times { server.script(deltas: %w[a]) }
    seen = Queue.new
    ann = as("Ann") { runner.stream("Hi").on { seen << [:ann, Current.user] } }
    as("Bob") { ann.on { seen << [:bob, Current.user] } }
    nobody = runner.stream("Hi").on { seen << [:nobody, Current.user] }
    [ann, nobody].each { |stream| stream.wait(20) }

    expect(all_of(seen).uniq).to contain_exactly([:ann, "Ann"], [:bob, "Bob"], [:nobody, nil])
    expect(Current.user).to be_nil
  end

  it "comes to tools and handlers of events" do
    server.script(tool_calls: [{name: "look", id: "call_1", arguments: {}}])
    server.script(deltas: %w[done])
    seen = Queue.new
    tool = RAAF::Streaming::Tool.new(name: "look") { seen << [:tool, Current.user] }
    agent = RAAF::Agent.new(name: "A", model: "gpt-4o", tools: [tool])
    provider = RAAF::Models::OpenAIProvider.new(api_key: "test", base_url: server.base_url)
    bus = RAAF::Streaming::EventBus.new
    bus.on(:chunk) { seen << [:handler, Current.user] }
    runner = RAAF::Streaming::AsyncRunner.new(agent: agent, provider: provider)
    as("Ann") { runner.stream("Hi") }.on { bus.emit(:chunk) }.wait(20)
    bus.emit(:chunk)
    bus.drain(20)

    expect(all_of(seen).tally).to match([:tool, "Ann"] => 1, [:handler, "Ann"] => be > 1, [:handler, nil] => 1)
  end

  it "answers each participant of a session for the one who has said it, also from the queue" do
    gate = Queue.new
    server.script do |request, response|
      gate.pop
      RAAF::Testing::ModelServer::Script.build(deltas: %w[a]).play(request, response)
    end
    2.times { server.script(deltas: %w[b]) }
    seen = Queue.new
    agent = RAAF::Agent.new(name: "A", model: "gpt-4o", instructions: ->(*) { seen << Current.user && "Be brief." },
      provider: RAAF::Models::OpenAIProvider.new(api_key: "test", base_url: server.base_url))
    session = RAAF::Streaming::CollaborativeSession.new(session_id: 7, agent: agent, broadcaster: nil)
    people = [{id: 1}, {id: 2}].each { |person| session.add_participant(person) }
    first = as("Ann") { session.submit(people.first, "Hi") }
    second = as("Bob") { session.submit(people.last, "Hi") }
    third = session.submit(people.last, "Hi")
    gate << true
    [first, second, third].each { |message| message.wait(20) }

    expect(all_of(seen)).to eq(["Ann", "Bob", nil])
  end

  it "never mixes up users whose callbacks run at the same time" do
    40.times { server.script(deltas: %w[a b]) }
    seen = Queue.new
    streams = Array.new(40) { |i| as(i) { runner.stream("Hi").on { seen << [i, Current.user] } } }
    streams.each { |stream| stream.wait(30) }

    expect(all_of(seen).uniq).to match_array(Array.new(40) { |i| [i, i] })
  end

  # OpenTelemetry is no gem of this project's: its Context as it documents it.
  it "takes the trace along that OpenTelemetry follows" do
    stub_const("OpenTelemetry::Context", Class.new do
      class << self
        def current = Thread.current[:spec_trace] || self::ROOT

        def with_current(context)
          before = Thread.current[:spec_trace]
          Thread.current[:spec_trace] = context
          yield context
        ensure
          Thread.current[:spec_trace] = before
        end
      end
    end)
    stub_const("OpenTelemetry::Context::ROOT", Object.new)
    server.script(deltas: %w[a])
    trace = Object.new
    seen = Queue.new
    stream = OpenTelemetry::Context.with_current(trace) { runner.stream("Hi") }
    stream.on { seen << OpenTelemetry::Context.current }.wait(20)

    expect(all_of(seen).uniq).to eq([trace])
    expect(OpenTelemetry::Context.current).to be(OpenTelemetry::Context::ROOT)
  end
end
