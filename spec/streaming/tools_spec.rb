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

  describe "of an agent with output guardrails" do
    # As raaf-core's: what its block returns goes on instead; nil refuses.
    guardrail_class = Class.new do
      def initialize(&filter)
        @filter = filter
      end

      def run(_context, _agent, text)
        filtered = @filter.call(text)
        output = Struct.new(:output_info).new({filtered_output: filtered})
        Struct.new(:output, :tripwire_triggered?).new(output, filtered.nil?)
      end
    end
    let(:masking) { guardrail_class.new { |text| text.sub("Ann", "***") } }
    let(:strict) { guardrail_class.new { |text| text unless text.include?("Ann") } }

    it "has every answer filtered, before the next request, and the whole in the result" do
      run_with([method(:weather)], called("weather", {city: "Rome"}).merge(deltas: ["For Ann: "]),
        {deltas: ["ask ", "Ann"]}, agent: {output_guardrails: [masking]}) do |runner, server|
        result = runner.run_and_stream("?")
        expect(result.text).to eq("For ***: ask ***")
        expect(result.messages.filter_map { |message| message[:content] if message[:role] == "assistant" })
          .to eq(["For ***: ", "ask ***"])
        expect(server.requests.last.body).not_to include("Ann")
      end
    end

    it "has the text of answers that stay as they are, too" do
      run_with([method(:weather)], called("weather", {city: "Rome"}).merge(deltas: ["One. "]),
        called("weather", {city: "Rome"}).merge(deltas: ["Ann. "]), {deltas: ["Three."]},
        agent: {output_guardrails: [masking]}) do |runner|
        expect(runner.run_and_stream("?").text).to eq("One. ***. Three.")
      end
    end

    it "runs no tool of a refused answer, and keeps that answer out of the conversation" do
      store = RAAF::Streaming::ConversationStore.new
      run = Queue.new
      tool = RAAF::Streaming::Tool.new(name: "tool") { run << 1 }
      run_with([tool], called("tool", {}).merge(deltas: ["For Ann: "]), agent: {output_guardrails: [strict]},
        settings: {conversation_store: store, session_id: "1"}) do |runner, server|
        expect { runner.run_and_stream("?") }.to raise_error(RAAF::Errors::OutputGuardrailError)
        expect([run.size, server.requests.size]).to eq([0, 1])
        expect(store.messages("1").map { |message| message[:content] }).to eq(["?"])
      end
    end

    it "begins the text anew after a redirect, with what was filtered in the conversation" do
      started, gate = Queue.new, Queue.new
      tool = RAAF::Streaming::Tool.new(name: "wait") { started << 1 && gate.pop }
      run_with([tool], called("wait", {}).merge(deltas: ["For Ann: "]), {deltas: ["Shorter."]},
        agent: {output_guardrails: [masking]}) do |runner, server|
        stream = runner.stream("?")
        redirector = Thread.new { started.pop && stream.redirect("Never mind") }
        expect(stream.result.text).to eq("Shorter.")
        redirector.join
        expect(server.requests.last.json[:messages][1][:content]).to eq("For ***: ")
      ensure
        gate << nil
      end
    end

    it "still sends back reasoning that came before the filtered text" do
      RAAF::Testing::ModelServer.start do |server|
        server.script(reasoning: ["Hm"], deltas: ["For Ann: "],
          tool_calls: [{name: "weather", id: "toolu_1", arguments: {city: "Rome"}}])
        server.script(deltas: ["ok"])
        agent = RAAF::Agent.new(name: "A", model: "m", tools: [method(:weather)], output_guardrails: [masking],
          provider: RAAF::Models::AnthropicProvider.new(api_key: "test", base_url: server.base_url))
        agent.run("?")
        expect(server.requests.last.json[:messages][1][:content]).to match([
          include(type: "thinking", thinking: "Hm"), {type: "text", text: "For ***: "}, include(type: "tool_use")
        ])
      end
    end
  end

  describe "of an agent with hooks" do
    hooks_class = Class.new do
      attr_reader :calls

      def initialize
        @calls = Queue.new
      end

      def on_start(_context, agent) = @calls << [:start, agent.name]
      def on_tool_start(_context, agent, tool) = @calls << [:tool_start, agent.name, tool.name]
      def on_tool_end(_context, _agent, tool, result) = @calls << [:tool_end, tool.name, result]
      def on_tool_error(_context, _agent, tool, error) = @calls << [:tool_error, tool.name, error.class]
      def on_handoff(_context, agent, other) = @calls << [:handoff, agent.name, other.name]
      def on_end(_context, agent, output) = @calls << [:end, agent.name, output]
    end

    let(:hooks) { hooks_class.new }

    def told
      Array.new(hooks.calls.size) { hooks.calls.pop }
    end

    it "tells them of every request and tool, and once of the end" do
      broken = RAAF::Streaming::Tool.new(name: "broken") { raise IOError }
      run_with([method(:weather), broken], called("weather", {city: "Rome"}).merge(deltas: ["So "]),
        called("broken", {}), called("nothing", {}), {deltas: ["it is."]}, agent: {hooks: hooks}) do |runner|
        runner.run_and_stream("?")
        expect(told).to eq([
          [:start, "Assistant"], [:tool_start, "Assistant", "weather"], [:tool_end, "weather", "Rome: rain"],
          [:start, "Assistant"], [:tool_start, "Assistant", "broken"],
          [:tool_error, "broken", RAAF::Errors::ToolError],
          [:start, "Assistant"], [:start, "Assistant"], [:end, "Assistant", "So it is."]
        ])
      end
    end

    it "gives them the object that is the tool, and its arguments where they take them" do
      looking = Class.new do
        def name = "look"
        def call(at:) = "looked at #{at}"
      end.new
      seen = []
      hooks = Class.new { define_method(:on_tool_start) { |*all| seen.concat(all.drop(2)) } }.new
      run_with([looking], called("look", {at: "x"}), {deltas: ["ok"]}, agent: {hooks: hooks}) do |runner|
        runner.run_and_stream("?")
        expect(seen).to match([equal(looking), {at: "x"}])
      end
    end

    it "goes on where one raises, and logs it" do
      log = StringIO.new
      RAAF::Streaming.logger = Logger.new(log)
      hooks = Class.new do
        %i[on_start on_tool_start on_tool_end on_end].each { |name| define_method(name) { |*| raise "no #{name}" } }
      end.new
      run_with([method(:weather)], called("weather", {city: "Rome"}), {deltas: ["ok"]},
        agent: {hooks: hooks}) do |runner|
        result = runner.run_and_stream("?")
        expect(result.tool_results).to match([include(result: "Rome: rain")])
        expect(log.string.scan(/raised RuntimeError: no (\w+)/).flatten)
          .to eq(%w[on_start on_tool_start on_tool_end on_start on_end])
      end
    ensure
      RAAF::Streaming.logger = nil
    end

    it "tells those of the first agent of a handoff, and then those of the other of the rest" do
      RAAF::Testing::ModelServer.start do |server|
        server.script(**called("transfer_to_b", {}))
        server.script(deltas: ["B here."])
        provider = RAAF::Models::OpenAIProvider.new(api_key: "test", base_url: server.base_url)
        b = RAAF::Agent.new(name: "B", hooks: hooks)
        RAAF::Agent.new(name: "A", hooks: hooks, handoffs: [b], provider: provider).tap { |a| b.provider = provider }
          .run("?")
        expect(told).to eq([[:start, "A"], [:handoff, "A", "B"], [:start, "B"], [:end, "B", "B here."]])
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

    # As raaf-core's.
    handoff_class = Struct.new(:agent, :overrides, :input_filter, :on_handoff, :tool_name_override, :description,
      keyword_init: true)

    # @return [Array] the result and the requests
    def hand_over(handoff, name, arguments)
      RAAF::Testing::ModelServer.start do |server|
        server.script(**called(name, arguments))
        server.script(deltas: ["Here."])
        provider = RAAF::Models::OpenAIProvider.new(api_key: "test", base_url: server.base_url)
        triage = RAAF::Agent.new(name: "Triage", handoffs: [handoff], provider: provider)
        result = RAAF::Streaming::AsyncRunner.new(agent: triage, provider: provider).run_and_stream("?")
        return [result, server.requests.map(&:json)]
      end
    end

    it "does what the handoff says: its name, its callbacks, its overrides on a copy" do
      seen = []
      expert = RAAF::Agent.new(name: "Expert", model: "gpt-4o-mini", top_p: 0.5)
      handoff = handoff_class.new(agent: expert, overrides: {model: "gpt-4o"}, tool_name_override: "escalate",
        description: "For what is hard", input_filter: ->(data) { data.except(:secret) },
        on_handoff: ->(data) { seen << data })
      result, (first, second) = hand_over(handoff, "escalate", {why: "hard", secret: 1})

      expect(first[:tools].first[:function]).to include(name: "escalate", description: "For what is hard")
      expect(seen).to eq([{why: "hard"}])
      expect([second[:model], second[:top_p], expert.model]).to eq(["gpt-4o", 0.5, "gpt-4o-mini"])
      expect(result.last_agent.name).to eq("Expert")
    end

    it "stays with the first agent where a callback raises, or gets no JSON, and tells the model" do
      expert = RAAF::Agent.new(name: "Expert")
      engaged = handoff_class.new(agent: expert, on_handoff: ->(_) { raise IOError, "engaged" })
      {engaged => [{}, /engaged/], handoff_class.new(agent: expert, on_handoff: ->(_) {}) => [["{"], /not JSON/]}
        .each do |handoff, (arguments, told)|
          result, (_, second) = hand_over(handoff, "transfer_to_expert", arguments)
          expect(result.last_agent.name).to eq("Triage")
          expect(second[:messages].last[:content]).to match(told)
        end
    end

    it "makes an agent of a class" do
      expert = Class.new(RAAF::Agent) do
        def self.name = "TaxExpert"
        def initialize(instructions: "I know.") = super(name: "Expert", instructions: instructions)
      end
      result, (_, second) = hand_over(handoff_class.new(agent: expert, overrides: {instructions: "Taxes."}),
        "transfer_to_tax_expert", {})
      expect([result.last_agent.class, second[:messages].first[:content]]).to eq([expert, "Taxes."])
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
