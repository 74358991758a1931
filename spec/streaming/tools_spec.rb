# frozen_string_literal: true

RSpec.describe "A run with tools" do
  include ReplayHelpers

  describe "in OpenAI's chat format" do
    def provider_for(server)
      RAAF::Models::OpenAIProvider.new(api_key: "test", base_url: server.base_url)
    end

    it_behaves_like "a run with tools"
  end

  describe "in the format of OpenAI's Responses" do
    def provider_for(server)
      RAAF::Models::ResponsesProvider.new(api_key: "test", base_url: server.base_url)
    end

    it_behaves_like "a run with tools"
  end

  describe "in Gemini's format" do
    def provider_for(server)
      RAAF::Models::GeminiProvider.new(api_key: "test", base_url: server.base_url)
    end

    it_behaves_like "a run with tools"
  end

  describe "in Ollama's format" do
    def provider_for(server)
      RAAF::Models::OllamaProvider.new(base_url: server.base_url)
    end

    it_behaves_like "a run with tools"
  end

  describe "in the format of Anthropic's Messages" do
    def provider_for(server)
      RAAF::Models::AnthropicProvider.new(api_key: "test", base_url: server.base_url)
    end

    it_behaves_like "a run with tools"
  end

  def weather(city:)
    "#{city}: rain"
  end

  def run_with(tools, *scripts, settings: {}, agent: {}, **options)
    RAAF::Testing::ModelServer.start do |server|
      scripts.each { |script| server.script(**script) }
      agent = RAAF::Agent.new(name: "Assistant", model: "gpt-4o", tools: tools, **agent)
      provider = RAAF::Models::OpenAIProvider.new(api_key: "test", base_url: server.base_url)
      runner = RAAF::Streaming::AsyncRunner.new(agent: agent, provider: provider, **settings)
      yield runner, server
    end
  end

  def called(name, arguments, **more)
    {tool_calls: [{name: name, id: "call_1", arguments: arguments, **more}]}
  end

  it "says that arguments are no JSON, with the text as it came, and lets the model mend it" do
    run_with([method(:weather)], called("weather", ['{"city": "Ro']), {deltas: ["Again."]}) do |runner, server|
      chunks = []
      runner.run_and_stream("Rain?") { |chunk| chunks << chunk }

      error = chunks.find(&:error?)
      expect(error).not_to be_terminal
      expect(error.metadata[:raw_arguments]).to eq('{"city": "Ro')
      expect(chunks.find(&:tool_result?).error).to match(/not JSON/)
      expect(server.requests.last.json[:messages].last[:content]).to match(/not JSON/)
      expect(chunks).to be_a_proper_sequence
    end
  end

  it "takes an index of two thousand million for what it is, a key" do
    run_with([method(:weather)], called("weather", {city: "Rome"}, index: 2_000_000_000), {deltas: ["ok"]}) do |runner|
      chunks = []
      runner.run_and_stream("Rain?") { |chunk| chunks << chunk }
      expect(chunks.find(&:tool_call?).tool_index).to eq(2_000_000_000)
      expect(chunks.find(&:tool_result?).result).to eq("Rome: rain")
    end
  end

  it "leaves calls of tools that were only described to the application" do
    described = {name: "lookup", parameters: {type: "object"}}
    run_with([method(:weather), described], called("lookup", {})) do |runner, server|
      result = runner.run_and_stream("?")
      expect(result.finish_reason).to eq("tool_calls")
      expect(result.tool_calls.map { |call| call[:name] }).to eq(["lookup"])
      expect(server.requests.size).to eq(1)
    end
  end

  it "gives the context to a tool that asks for it" do
    tool = RAAF::Streaming::Tool.new(name: "whoami") { |context:| context[:user] }
    run_with([tool], called("whoami", {}), {deltas: ["ok"]}) do |runner, server|
      runner.run_and_stream("?", context: {user: "Ann"})
      expect(server.requests.last.json[:messages].last[:content]).to eq("Ann")
      expect(server.requests.first.json[:tools].first[:function][:parameters][:properties]).to eq({})
    end
  end

  it "stops at the token budget" do
    scripts = Array.new(3) {
      called("weather", {city: "Rome"}).merge(usage: {prompt_tokens: 40, completion_tokens: 10})
    }
    run_with([method(:weather)], *scripts, settings: {token_budget: 100}) do |runner, server|
      expect { runner.run_and_stream("?") }.to raise_error(RAAF::Errors::MaxTurnsError, /100 tokens of a budget of 100/)
      expect(server.requests.size).to eq(2)
    end
  end

  it "takes the agent's max_turns" do
    scripts = Array.new(3) { called("weather", {city: "Rome"}) }
    run_with([method(:weather)], *scripts, agent: {max_turns: 2}) do |runner, server|
      expect { runner.run_and_stream("?") }.to raise_error(RAAF::Errors::MaxTurnsError)
      expect(server.requests.size).to eq(2)
    end
  end

  it "runs a tool that runs an agent with tools, many at once" do
    inner_calls = Queue.new
    run_with([]) do |_, server|
      provider = RAAF::Models::OpenAIProvider.new(api_key: "test", base_url: server.base_url)
      leaf = RAAF::Streaming::Tool.new(name: "leaf") { inner_calls << 1 }
      inner = RAAF::Agent.new(name: "Inner", model: "gpt-4o", tools: [leaf], provider: provider)
      ask = RAAF::Streaming::Tool.new(name: "ask") { inner.run("go").text }
      outer = RAAF::Agent.new(name: "Outer", model: "gpt-4o", tools: [ask], provider: provider)
      server.script(repeat: true) do |request, response|
        asked = request.json[:messages].any? { |message| message[:role] == "tool" }
        name = request.json[:tools].first[:function][:name]
        wire = RAAF::Testing::OpenAIChatWire.new
        count = (name == "ask") ? 40 : 1
        events = if asked
          [wire.content("ok"), wire.finish]
        else
          [*Array.new(count) { |i| wire.tool_call(name: name, id: "c#{i}", index: i) }, wire.finish("tool_calls")]
        end
        response.start(200, {"content-type" => "text/event-stream"})
        response.write([*events, wire.done].join)
      end

      expect(outer.run("go").text).to eq("ok")
      expect(inner_calls.size).to eq(40)
    end
  end

  describe "with callbacks" do
    it "runs tools without holding a dispatcher's thread" do
      gate = Queue.new
      tool = RAAF::Streaming::Tool.new(name: "wait") { gate.pop }
      count = RAAF::Streaming::Dispatcher::MOST_THREADS + 4
      scripts = Array.new(count) { called("wait", {}) } + Array.new(count + 1) { {deltas: ["ok"]} }
      run_with([tool], *scripts, settings: {max_concurrent_streams: nil}) do |runner, server|
        chunks = Queue.new
        streams = Array.new(count) {
          runner.stream("?").on(:tool_call, :tool_result, :complete) { |chunk|
            chunks << chunk.type
          }
        }
        eventually { server.requests.size == count && streams.all? { |stream| stream.status == :running_tools } }
        other = runner.stream("?").on(:complete) { |chunk| chunks << chunk.delta }
        expect(other.result.text).to eq("ok")
        count.times { gate << "done" }
        expect(streams.map { |stream| stream.result.text }).to all(eq("ok"))
        expect(streams.map { |stream| stream.result.turns }).to all(eq(2))
      end
    end

    it "hands over every chunk once and in order" do
      run_with([method(:weather)], called("weather", {city: "Rome"}), {deltas: ["So ", "it is."]}) do |runner|
        chunks = []
        stream = runner.stream("?").on { |chunk| chunks << chunk }
        stream.wait
        eventually { chunks.last&.terminal? }
        expect(chunks).to be_a_proper_sequence
        expect(chunks.map(&:type) - [:tool_call_delta]).to eq(%i[tool_call tool_result content content complete])
      end
    end
  end

  describe "that is ended while its tools run" do
    let(:gate) { Queue.new }
    let(:started) { Queue.new }
    let(:waiting) do
      RAAF::Streaming::Tool.new(name: "wait") do
        started << true
        gate.pop
      end
    end

    after { 3.times { gate << nil } }

    it "is cancelled at once, by another thread" do
      run_with([waiting], called("wait", {})) do |runner, server|
        stream = runner.stream("?")
        canceller = Thread.new { started.pop && stream.cancel }
        chunks = []
        expect { stream.each { |chunk| chunks << chunk } }.to raise_error(RAAF::Errors::CancelledError)
        canceller.join
        expect(chunks).to be_a_proper_sequence
        expect(stream.status).to eq(:cancelled)
        expect(server.requests.size).to eq(1)
      end
    end

    it "is cancelled at once, with callbacks" do
      run_with([waiting], called("wait", {})) do |runner|
        last = Queue.new
        stream = runner.stream("?").on(:error) { |chunk| last << chunk }
        started.pop
        stream.cancel
        expect(last.pop.exception).to be_a(RAAF::Errors::CancelledError)
        expect { stream.result }.to raise_error(RAAF::Errors::CancelledError)
      end
    end

    it "goes on after a redirect, with a conversation that a provider takes" do
      run_with([waiting], called("wait", {}), {deltas: ["Shorter."]}) do |runner, server|
        stream = runner.stream("?")
        redirector = Thread.new { started.pop && stream.redirect("Never mind") }
        chunks = stream.to_a
        redirector.join
        expect(chunks).to be_a_proper_sequence_after_redirect
        expect(stream.result.text).to eq("Shorter.")
        roles = server.requests.last.json[:messages].map { |message| message[:role] }
        expect(roles).to eq(%w[user assistant tool user])
      end
    end

    it "leaves nothing behind when the consumer is killed" do
      run_with([waiting], called("wait", {})) do |runner, server|
        stream = runner.stream("?")
        consumer = Thread.new { stream.each { |_| nil } }
        started.pop
        consumer.kill
        consumer.join
        expect(stream.status).to eq(:cancelled)
        expect(server.requests.size).to eq(1)
      end
    end

    it "can be waited for in pieces, and be taken on by callbacks" do
      run_with([waiting], called("wait", {}), {deltas: ["ok"]}) do |runner|
        stream = runner.stream("?")
        expect(stream.wait(0.01)).to be_nil until stream.status == :running_tools
        started.pop
        chunks = Queue.new
        stream.on(:tool_result, :complete) { |chunk| chunks << chunk.type }
        gate << "now"
        expect([chunks.pop, chunks.pop]).to eq(%i[tool_result complete])
      end
    end
  end

  describe "handing over to another agent" do
    it "goes on as the other one, and says so" do
      RAAF::Testing::ModelServer.start do |server|
        server.script(tool_calls: [{name: "transfer_to_billing_agent", id: "call_1", arguments: {}}],
          deltas: ["One moment. "])
        server.script(deltas: ["Billing here."])
        provider = RAAF::Models::OpenAIProvider.new(api_key: "test", base_url: server.base_url)
        billing = RAAF::Agent.new(name: "BillingAgent", instructions: "You know bills.", model: "gpt-4o-mini")
        triage = RAAF::Agent.new(name: "Triage", instructions: "You send on.", model: "gpt-4o", handoffs: [billing])
        chunks = []
        result = RAAF::Streaming::AsyncRunner.new(agent: triage, provider: provider)
          .run_and_stream("My bill?") { |chunk| chunks << chunk }

        expect(chunks).to be_a_proper_sequence
        handoff = chunks.find(&:handoff?)
        expect(handoff).to have_attributes(handoff: "BillingAgent",
          metadata: include(from: "Triage", to: "BillingAgent"))
        expect(result.last_agent).to equal(billing)
        expect(result.text).to eq("One moment. Billing here.")
        first, second = server.requests.map(&:json)
        expect(first[:tools].map { |tool| tool[:function][:name] }).to eq(["transfer_to_billing_agent"])
        expect(second).to include(model: "gpt-4o-mini")
        expect(second[:messages].first).to eq({role: "system", content: "You know bills."})
        expect(second[:messages].map { |message| message[:role] }).to eq(%w[system user assistant tool])
        expect(second).not_to have_key(:tools)
      end
    end

    it "follows the first of two, and tells the model so" do
      RAAF::Testing::ModelServer.start do |server|
        server.script(tool_calls: [{name: "transfer_to_a", id: "1", arguments: {}},
          {name: "transfer_to_b", id: "2", arguments: {}}])
        provider = RAAF::Models::OpenAIProvider.new(api_key: "test", base_url: server.base_url)
        a, b = %w[A B].map { |name| RAAF::Agent.new(name: name, model: "gpt-4o") }
        triage = RAAF::Agent.new(name: "Triage", model: "gpt-4o", handoffs: [a, b])
        server.script(deltas: ["A here."])
        result = RAAF::Streaming::AsyncRunner.new(agent: triage, provider: provider).run_and_stream("?")
        expect(result.last_agent).to equal(a)
        expect(server.requests.last.json[:messages].last[:content]).to match(/left out/)
      end
    end
  end
end

# As be_a_proper_sequence, for a run whose cumulative begins anew once.
RSpec::Matchers.define :be_a_proper_sequence_after_redirect do
  match do |chunks|
    chunks.map(&:seq) == (1..chunks.size).to_a && chunks.index(&:terminal?) == chunks.size - 1 &&
      chunks.one? { |chunk| chunk.status == :redirected }
  end
end
