# frozen_string_literal: true

RSpec.describe RAAF::Streaming, ".executor" do
  include_context "with a model server"

  # Counts who is inside, as Rails' executor would hold them.
  let(:executor) do
    Class.new do
      attr_reader :waited

      def wrap
        Thread.current.thread_variable_set(:inside, true)
        yield
      ensure
        Thread.current.thread_variable_set(:inside, false)
      end

      def waiting
        @waited = true
        yield
      end
    end.new
  end

  around do |example|
    described_class.executor = executor
    example.run
  ensure
    described_class.executor = nil
  end

  def inside?
    Thread.current.thread_variable_get(:inside)
  end

  it "has callbacks run inside of it" do
    server.script(deltas: %w[a b])
    seen = Queue.new
    runner.stream("Hi").on { seen << inside? }.wait(20)

    expect(Array.new(seen.size) { seen.pop }).to eq([true] * 3)
  end

  it "has tools run inside of it, and who waits for them wait through it" do
    server.script(tool_calls: [{name: "look", id: "call_1", arguments: {}}])
    server.script(deltas: %w[done])
    seen = nil
    tool = RAAF::Streaming::Tool.new(name: "look") { seen = inside? }
    agent = RAAF::Agent.new(name: "A", model: "gpt-4o", tools: [tool])
    provider = RAAF::Models::OpenAIProvider.new(api_key: "test", base_url: server.base_url)
    RAAF::Streaming::AsyncRunner.new(agent: agent, provider: provider).run_and_stream("Hi")

    expect(seen).to be(true)
    expect(executor.waited).to be(true)
  end

  it "has handlers run inside of it" do
    seen = Queue.new
    RAAF::Streaming::ThreadPool.handlers.post { seen << inside? }

    expect(seen.pop).to be(true)
  end

  it "leaves a block on the caller's own thread alone" do
    server.script(deltas: %w[a])
    seen = []
    runner.run_and_stream("Hi") { seen << inside? }

    expect(seen).to eq([nil, nil])
  end
end
