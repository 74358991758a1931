# frozen_string_literal: true

RSpec.describe RAAF::Streaming::Carried do
  include_context "with a model server"

  # As the engine has it; without it nothing is kept.
  before { RAAF::Streaming::Delivery.keep }

  after do
    RAAF::Streaming::Delivery.instance_variable_set(:@kept, false)
    RAAF::Streaming::EventBus.carrier = nil
  end

  let(:origin) { RAAF::Streaming::Origin.new(stream_id: "9b2f", user_id: 1) }

  def within_origin(&block)
    RAAF::Streaming::Origin.within(origin, &block)
  end

  # What the calling fiber knows: [origin's stream, delivery's stream, type of the chunk].
  def known
    delivery = RAAF::Streaming::Delivery.current
    [RAAF::Streaming::Origin.current&.stream_id, delivery&.stream&.id, delivery&.chunk&.type]
  end

  def all_of(queue)
    Array.new(queue.size) { queue.pop }
  end

  it "is nothing where nothing is known" do
    expect(described_class.take).to be_nil
    expect(described_class.within(nil) { known }).to eq([nil] * 3)
  end

  it "holds for the block, and leaves nothing behind" do
    carried = within_origin { described_class.take }
    seen = Thread.new { [carried.within { known }, known] }.value
    expect(seen).to eq([["9b2f", nil, nil], [nil] * 3])
    expect { carried.within { raise "mine" } }.to raise_error("mine")
    expect(known).to eq([nil] * 3)
  end

  describe "handlers of events" do
    %i[ordered parallel].each do |delivery|
      it "know the stream and the chunk that were emitted about, when they are #{delivery} too" do
        server.script(deltas: %w[a b])
        bus = RAAF::Streaming::EventBus.new(delivery: delivery)
        seen = Queue.new
        bus.on(:chunk) { |event| seen << [event[:chunk].type, known] }
        stream = within_origin { runner.stream("Hi") }
        within_origin { stream.each { |chunk| bus.emit(:chunk, chunk: chunk) } }
        bus.drain(20)

        expect(all_of(seen)).to match_array(%i[content content complete].map { |type| [type, ["9b2f", "9b2f", type]] })
      end
    end

    it "keep to their own chunk while the stream goes on to the next" do
      server.script(deltas: %w[a b])
      bus = RAAF::Streaming::EventBus.new
      gate = Queue.new
      stamps = Queue.new
      bus.on(:chunk) do
        gate.pop
        stamps << RAAF::Streaming::Delivery.current.stamp("room", {})[:raaf].slice(:seq, :terminal)
      end
      runner.run_and_stream("Hi") { bus.emit(:chunk) }
      3.times { gate << true }
      bus.drain(20)

      expect(all_of(stamps)).to eq([{seq: 1, terminal: false}, {seq: 2, terminal: false}, {seq: 3, terminal: true}])
    end

    it "know it of events that handlers emit, and nothing of other events" do
      server.script(deltas: %w[a])
      bus = RAAF::Streaming::EventBus.new
      seen = Queue.new
      bus.on(:first) { bus.emit(:second) }
      bus.on(:second) { seen << known }
      stream = within_origin { runner.stream("Hi") }
      stream.each { |chunk| bus.emit(:first) if chunk.content? }
      bus.emit(:second)
      bus.drain(20)

      expect(all_of(seen)).to contain_exactly([nil, "9b2f", :content], [nil] * 3)
    end

    it "are told of nothing when they have raised" do
      bus = RAAF::Streaming::EventBus.new.on_error { nil }
      seen = Queue.new
      bus.on(:one) { raise "mine" }
      bus.on(:two) { seen << known }
      within_origin { bus.emit(:one) }
      bus.drain(20)
      bus.emit(:two)
      bus.drain(20)

      expect(all_of(seen)).to eq([[nil] * 3])
    end

    it "cost nothing where nobody wants it" do
      RAAF::Streaming::EventBus.carrier = nil
      bus = RAAF::Streaming::EventBus.new
      seen = Queue.new
      bus.on(:one) { seen << known }
      within_origin { bus.emit(:one) }
      bus.drain(20)

      expect(all_of(seen)).to eq([[nil] * 3])
    end
  end

  it "comes to callbacks: from where the stream began, or where they were given" do
    server.script(deltas: %w[a])
    stream = within_origin { runner.stream("Hi") }
    mine, other = Queue.new, Queue.new
    stream.on { mine << known }
    elsewhere = RAAF::Streaming::Origin.new(stream_id: "other")
    RAAF::Streaming::Origin.within(elsewhere) { stream.on { other << known } }
    stream.wait(20)

    expect(all_of(mine)).to eq([["9b2f", "9b2f", :content], ["9b2f", "9b2f", :complete]])
    expect(all_of(other)).to eq([["other", "9b2f", :content], ["other", "9b2f", :complete]])
  end

  it "comes to the tools of a stream, whose frames belong to it and to no chunk" do
    server.script(tool_calls: [{name: "look", id: "call_1", arguments: {}}])
    server.script(deltas: %w[done])
    seen = Queue.new
    tool = RAAF::Streaming::Tool.new(name: "look") { seen << known }
    agent = RAAF::Agent.new(name: "A", model: "gpt-4o", tools: [tool])
    provider = RAAF::Models::OpenAIProvider.new(api_key: "test", base_url: server.base_url)
    runner = RAAF::Streaming::AsyncRunner.new(agent: agent, provider: provider)
    within_origin { runner.stream("Hi") }.on { nil }.wait(20)

    expect(all_of(seen)).to eq([["9b2f", "9b2f", nil]])
  end

  describe "workflows" do
    def agent(name)
      provider = RAAF::Models::OpenAIProvider.new(api_key: "test", base_url: server.base_url)
      RAAF::Agent.new(name: name, model: "gpt-4o", provider: provider)
    end

    it "begin the streams of all their agents for the same origin, and end each one's frames apart" do
      2.times { server.script(deltas: %w[a]) }
      frames = Queue.new
      broadcaster = ->(place, frame) { frames << [frame[:type], known.drop(1), place] }
      orchestrator = RAAF::Streaming::Orchestrator.new(session_id: "7", broadcaster: broadcaster)
      orchestrator.add_agent(:first, agent("First")).add_agent(:second, agent("Second"))
      within_origin { orchestrator.run("Hi") }

      expect(all_of(frames).map { |type, (stream, chunk), _| [type, stream, chunk] }).to eq([
        ["workflow_started", nil, nil], ["agent_starting", nil, nil],
        ["agent_response", "9b2f", :content], ["agent_complete", "9b2f", :complete],
        ["agent_starting", nil, nil],
        ["agent_response", "9b2f-2", :content], ["agent_complete", "9b2f-2", :complete],
        ["workflow_complete", nil, nil]
      ])
    end

    it "of an emitter's class do so on the threads that it makes" do
      server.script(deltas: %w[a])
      asked = agent("One")
      ids = Queue.new
      emitter = Class.new do
        include RAAF::Streaming::EventEmitter

        define_method(:start_workflow) do |message|
          thread = self.class.const_get(:Thread)
          thread.new { RAAF::Streaming::AsyncRunner.new(agent: asked).run_and_stream(message) { |c| ids << c.stream_id } }
            .join
        end
      end
      within_origin { emitter.new.start_workflow("Hi") }

      expect(all_of(ids).uniq).to eq(["9b2f"])
    end
  end

  it "stays with its event through garbage collection and compaction" do
    bus = RAAF::Streaming::EventBus.new
    gate = Queue.new
    seen = Queue.new
    bus.on(:one) do
      gate.pop
      seen << known.first
    end
    20.times do |i|
      RAAF::Streaming::Origin.within(RAAF::Streaming::Origin.new(stream_id: "s#{i}")) { bus.emit(:one) }
    end
    if GC.respond_to?(:verify_compaction_references)
      options = (RUBY_VERSION >= "3.2") ? {expand_heap: true} : {double_heap: true}
      GC.verify_compaction_references(toward: :empty, **options)
    end
    20.times { gate << true }
    bus.drain(20)

    expect(all_of(seen)).to eq(Array.new(20) { |i| "s#{i}" })
  end

  it "comes with each event while the garbage collector runs at every allocation" do
    bus = RAAF::Streaming::EventBus.new
    seen = Queue.new
    bus.on(:one) { seen << known.first }
    within_origin do
      GC.stress = true
      3.times { bus.emit(:one) }
    ensure
      GC.stress = false
    end
    bus.drain(60)

    expect(all_of(seen)).to eq(%w[9b2f] * 3)
  end
end
