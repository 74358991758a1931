# frozen_string_literal: true

RSpec.describe "A conversation" do
  include ReplayHelpers

  let(:store) { RAAF::Streaming::ConversationStore.new }

  def talk(*scripts, **settings)
    RAAF::Testing::ModelServer.start do |server|
      scripts.each { |script| server.script(**script) }
      yield runner_for(server, conversation_store: store, **settings), server
    end
  end

  def sent(server)
    server.requests.last.json[:messages].drop(1).map { |message| [message[:role], message[:content]] }
  end

  it "goes on over three messages of one session, and only of that one" do
    talk({deltas: ["Hi ", "Ann."]}, {deltas: ["Ann."]}, {deltas: ["Nobody."]}, {deltas: ["Bye."]}) do |runner, server|
      runner.run_and_stream("I am Ann.", session_id: "1")
      runner.run_and_stream("Who am I?", session_id: "1")
      expect(sent(server)).to eq([["user", "I am Ann."], ["assistant", "Hi Ann."], ["user", "Who am I?"]])
      runner.run_and_stream("Who am I?", session_id: "2")
      expect(sent(server)).to eq([["user", "Who am I?"]])
      result = runner.run_and_stream("Bye", session_id: "1")
      expect(sent(server).size).to eq(5)
      expect(result.messages.map { |message| message[:content] })
        .to eq(["I am Ann.", "Hi Ann.", "Who am I?", "Ann.", "Bye", "Bye."])
    end
  end

  it "asks the agent's input guardrails once about each message" do
    asked = []
    passing = Struct.new(:tripwire_triggered?, :output)
    guardrail = Class.new { define_method(:run) { |_, _, text| passing.new(false).tap { asked << text } } }.new
    talk({deltas: ["Hi."]}, {deltas: ["Bye."]}) do |runner|
      runner.agent.input_guardrails << guardrail
      %w[Hello Goodbye].each { |text| runner.run_and_stream(text, session_id: "1") }
    end
    expect(asked).to eq(%w[Hello Goodbye])
  end

  it "keeps nothing without a session" do
    talk({deltas: ["Hi"]}) { |runner, _| runner.run_and_stream("Hello") }
    expect(store.size).to eq(0)
  end

  it "is kept before whoever waits for the result has it" do
    talk({deltas: ["Hi"]}) do |runner, _|
      stream = runner.stream("Hello", session_id: "1").on(:content) { |_| nil }
      stream.result
      expect(store.messages("1").map { |message| message[:content] }).to eq(%w[Hello Hi])
    end
  end

  it "keeps tool calls and their results" do
    tool = RAAF::Streaming::Tool.new(name: "time") { "noon" }
    RAAF::Testing::ModelServer.start do |server|
      server.script(tool_calls: [{name: "time", id: "call_1", arguments: {}}])
      server.script(deltas: ["Noon."])
      server.script(deltas: ["As I said."])
      provider = RAAF::Models::OpenAIProvider.new(api_key: "test", base_url: server.base_url)
      agent = RAAF::Agent.new(name: "A", model: "gpt-4o", tools: [tool], provider: provider)
      runner = RAAF::Streaming::AsyncRunner.new(agent: agent, conversation_store: store, session_id: "1")
      runner.run_and_stream("When?")
      runner.run_and_stream("When again?")
      roles = server.requests.last.json[:messages].map { |message| message[:role] }
      expect(roles).to eq(%w[user assistant tool assistant user])
    end
  end

  it "keeps the words that were said before a stream broke, or was redirected, or cancelled" do
    talk({deltas: ["Once ", "upon"], fault: :cut, after: 3}, {deltas: ["ok"]}) do |runner, server|
      expect { runner.run_and_stream("Tell", session_id: "1") }.to raise_error(RAAF::Errors::TruncatedStreamError)
      runner.run_and_stream("Go on", session_id: "1")
      expect(sent(server)).to eq([["user", "Tell"], ["assistant", "Once upon"], ["user", "Go on"]])
    end
    talk({deltas: ["Once "], fault: :stall, after: 2}, {deltas: ["Short."]}, {deltas: ["ok"]}) do |runner, server|
      stream = runner.stream("Tell", session_id: "2")
      stream.each { |chunk| stream.redirect("Shorter") if chunk.delta == "Once " }
      runner.run_and_stream("More", session_id: "2")
      expect(sent(server)).to eq(
        [["user", "Tell"], ["assistant", "Once "], ["user", "Shorter"], ["assistant", "Short."], ["user", "More"]]
      )
    end
  end

  it "keeps the words that were taken before the block was left" do
    talk({deltas: ["Once ", "upon"], delay: 0.01, fault: :stall, after: 3}, {deltas: ["ok"]}) do |runner, server|
      runner.run_and_stream("Tell", session_id: "1") { |chunk| break if chunk.delta == "Once " }
      runner.run_and_stream("Go on", session_id: "1")
      expect(sent(server)).to eq([["user", "Tell"], ["assistant", "Once "], ["user", "Go on"]])
    end
  end

  it "keeps nothing of a run that failed before a word came" do
    talk({status: 400, body: {error: {message: "no"}}}, {deltas: ["ok"]}) do |runner, server|
      expect { runner.run_and_stream("Hello", session_id: "1") }.to raise_error(RAAF::Errors::InvalidRequestError)
      runner.run_and_stream("Hello", session_id: "1")
      expect(sent(server)).to eq([["user", "Hello"]])
    end
  end

  it "says who speaks" do
    talk({deltas: ["Hi"]}, {deltas: ["Hi"]}) do |runner, server|
      runner.run_and_stream("Hello", session_id: "1", context: {speaker: "Ann Lee"})
      runner.run_and_stream("Hello", session_id: "1", context: {speaker: "Bob"})
      expect(sent(server)).to eq([["user", "Ann Lee: Hello"], ["assistant", "Hi"], ["user", "Bob: Hello"]])
      expect(store.messages("1").first).to include(content: "Hello", name: "Ann Lee")
    end
  end

  it "says who speaks before the parts of a message, too" do
    talk({deltas: ["Hi"]}) do |runner, server|
      runner.run_and_stream([{role: "user", name: "Ann", content: [{type: "text", text: "Look"}]}])
      expect(sent(server)).to eq([["user", [{type: "text", text: "Ann: "}, {type: "text", text: "Look"}]]])
    end
  end

  it "reports a store that fails as the run's error" do
    broken = Class.new do
      def messages(_) = []

      def append(*) = raise(IOError, "disk full")
    end
    talk({deltas: ["Hi"]}, conversation_store: broken.new) do |runner, _|
      chunks = []
      expect {
        runner.run_and_stream("Hello", session_id: "1") { |chunk|
          chunks << chunk
        }
      }.to raise_error(RAAF::Errors::Error, /disk full/) do |error|
        expect(error.cause).to be_a(IOError)
        expect(error.partial_text).to eq("Hi")
      end
      expect(chunks.last).to be_error
    end
  end
end
