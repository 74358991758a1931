# frozen_string_literal: true

require "json"

RSpec.describe RAAF::Streaming::Chunk do
  def chunk(type, **attributes)
    described_class.new(type: type, **attributes)
  end

  # The chunks of a real stream: the native part made them.
  def streamed(*chunks, **settings)
    provider = RAAF::Testing::MockProvider.new
    provider.add_streaming_response(chunks: chunks, delay: 0)
    agent = RAAF::Agent.new(name: "Mock", model: "mock")
    received = []
    RAAF::Streaming::AsyncRunner.new(agent: agent, provider: provider, **settings)
      .run_and_stream("Hello") { |one| received << one }
    received
  end

  let(:call) { {type: :tool_call, tool_name: "search", tool_id: "call_1", arguments: {query: "Ruby"}} }

  describe "#to_h" do
    {
      content: [{delta: "Once", cumulative: "Once"}, {type: :content, delta: "Once", cumulative: "Once"}],
      tool_call: [
        {tool_name: "web_search", tool_id: "call_123", arguments: {query: "Ruby programming"}},
        {type: :tool_call, tool_name: "web_search", tool_id: "call_123", arguments: {query: "Ruby programming"}}
      ],
      tool_result: [
        {tool_id: "call_123",
         result: "Search results"}, {type: :tool_result, tool_id: "call_123", result: "Search results"}
      ],
      complete: [
        {final_response: "All", usage: {prompt_tokens: 100, completion_tokens: 200}},
        {type: :complete, final_response: "All", usage: {prompt_tokens: 100, completion_tokens: 200}}
      ],
      error: [
        {error: "Rate limit exceeded", retry_after: 60}, {type: :error, error: "Rate limit exceeded", retry_after: 60}
      ],
      reasoning: [{delta: "Hm"}, {type: :reasoning, delta: "Hm"}],
      refusal: [{delta: "No"}, {type: :refusal, delta: "No"}],
      tool_call_delta: [
        {tool_name: "w", tool_id: "c", tool_index: 0, delta: "{"},
        {type: :tool_call_delta, tool_name: "w", tool_id: "c", tool_index: 0, delta: "{"}
      ],
      citation: [{citation: {url: "u"}}, {type: :citation, citation: {url: "u"}, delta: ""}],
      status: [{status: :redirected}, {type: :status, status: :redirected, delta: ""}],
      handoff: [{handoff: "B"}, {type: :handoff, handoff: "B", delta: ""}]
    }.each do |type, (attributes, expected)|
      it "is the documented Hash for :#{type}" do
        expect(chunk(type, session_id: "s", metadata: {a: 1}, **attributes).to_h).to eq(expected)
      end
    end

    it "covers every type" do
      expect(described_class::TYPES.map { |type| chunk(type).to_h.keys.first }).to all(eq(:type))
    end

    it "is the same for chunks that came from a stream" do
      expect(streamed("Hel", "lo").map(&:to_h).first(2)).to eq(
        [{type: :content, delta: "Hel", cumulative: "Hel"}, {type: :content, delta: "lo", cumulative: "Hello"}]
      )
    end
  end

  describe "what is always there" do
    it "is a delta and a cumulative that are Strings" do
      described_class::TYPES.each do |type|
        expect([chunk(type).delta, chunk(type).cumulative]).to all(be_a(String))
      end
    end

    it "is a metadata Hash" do
      expect(described_class::TYPES.map { |type| chunk(type).metadata }).to all(eq({}))
    end
  end

  it "refuses a type and an attribute that it does not know" do
    expect { chunk(:novel) }.to raise_error(ArgumentError, /novel/)
    expect { chunk(:content, colour: "red") }.to raise_error(ArgumentError, /colour/)
  end

  it "has a predicate for each type" do
    described_class::TYPES.each do |type|
      yes = described_class::TYPES.select { |other| chunk(type).public_send(:"#{other}?") }
      expect(yes).to eq([type])
    end
  end

  it "has a setter for each attribute, which the reader then shows" do
    values = {type: :error, seq: 7, choice: 1, metadata: {a: 1}, terminal: false, exception: IOError.new}
    described_class::ATTRIBUTES.each do |name|
      one = chunk(:error)
      value = values.fetch(name, "set")
      one.public_send(:"#{name}=", value)
      expect([name, one.public_send(name)]).to eq([name, value])
    end
  end

  describe "#terminal?" do
    it "is true at the end of a run only" do
      terminal = described_class::TYPES.select { |type| chunk(type).terminal? }
      expect(terminal).to match_array(%i[complete error])
    end

    it "is false for an error that announces a retry" do
      expect(described_class.error("Retrying", terminal: false, metadata: {retry_count: 1}).terminal?).to be(false)
    end
  end

  describe "#metadata" do
    it "says which stream, which number and which tool" do
      first = streamed("Hi", call).find(&:tool_call?)
      expect(first.metadata).to eq(stream_id: first.stream_id, seq: first.seq, tool_name: "search")
    end

    it "has what was set, which wins" do
      expect(chunk(:content, metadata: {a: 1, seq: 9}, seq: 1).metadata).to eq(a: 1, seq: 9)
    end

    it "is a new Hash each time" do
      one = chunk(:content, metadata: {a: 1})
      one.metadata[:b] = 2
      expect(one.metadata).to eq(a: 1)
    end
  end

  describe "a tool call" do
    subject(:tool_call) { streamed(call).find(&:tool_call?) }

    it "has name, id, index and arguments with Symbol keys" do
      expect([tool_call.tool_name, tool_call.tool_id, tool_call.tool_index, tool_call.arguments])
        .to eq(["search", "call_1", 0, {query: "Ruby"}])
    end

    it "has the arguments as the model wrote them" do
      expect(JSON.parse(tool_call.raw_arguments)).to eq("query" => "Ruby")
    end

    it "gives a new Hash of arguments each time" do
      tool_call.arguments[:query] = "changed"
      expect(tool_call.arguments).to eq(query: "Ruby")
    end

    ["", "not JSON", '{"half', "[1]", "null", '"text"', "[" * 10_000].each do |raw|
      it "has no arguments, but keeps what came, for #{raw[0, 10].inspect}" do
        one = chunk(:tool_call, raw_arguments: raw)
        expect([one.arguments, one.raw_arguments]).to eq([{}, raw])
      end
    end

    it "writes arguments that were given as a Hash" do
      expect(chunk(:tool_call, arguments: {a: [1]}).raw_arguments).to eq('{"a":[1]}')
    end

    it "is the only one with arguments" do
      expect([chunk(:content).arguments, chunk(:content).raw_arguments,
        chunk(:content).tool_index]).to eq([{}, nil, nil])
    end
  end

  describe "a complete chunk" do
    subject(:complete) { streamed("Hel", "lo").last }

    it "has the whole answer in both words, and no delta" do
      expect([complete.final_response, complete.cumulative, complete.delta]).to eq(["Hello", "Hello", ""])
    end

    it "has usage and a finish reason" do
      expect([complete.usage, complete.finish_reason]).to match([include(:prompt_tokens, :completion_tokens), "stop"])
    end
  end

  describe "an error chunk" do
    it "has the message in both words" do
      error = described_class.error("Rate limited", exception: RAAF::Errors::RateLimitError.new("x", retry_after: 3))
      expect([error.delta, error.error, error.retry_after]).to eq(["Rate limited", "Rate limited", 3])
    end

    it "is what the guide's runner makes" do
      error = described_class.new(type: :error, delta: "Provider error.", metadata: {retry_count: 1})
      expect([error.error, error.metadata]).to eq(["Provider error.", {retry_count: 1}])
    end

    it "does without a wait where the exception knows none" do
      expect(described_class.error("x", exception: IOError.new).retry_after).to be_nil
    end
  end

  describe "a status chunk" do
    it "has the seconds until another attempt where they were given" do
      notice = chunk(:status, status: :retrying, retry_after: 1.5)
      expect(notice.to_h).to eq(type: :status, status: :retrying, delta: "", retry_after: 1.5)
      expect(notice.deconstruct_keys([:retry_after])).to eq(retry_after: 1.5)
      expect(chunk(:status, status: :redirected).deconstruct_keys([:retry_after])).to eq(retry_after: nil)
    end
  end

  describe "#dup" do
    it "can be changed, and the original is as before" do
      original = streamed("Hi").first
      copy = original.dup
      copy.session_id = "7_ab"
      copy.user_id = 7
      expect([copy.session_id, copy.user_id, copy.delta, original.session_id]).to eq(["7_ab", 7, "Hi", nil])
    end

    it "is of a chunk that cannot" do
      expect { streamed("Hi").first.session_id = "x" }.to raise_error(FrozenError)
    end
  end

  it "knows the session and the user of its runner" do
    first = streamed("Hi", session_id: "s", user_id: 7).first
    expect([first.session_id, first.user_id]).to eq(["s", 7])
  end

  describe "pattern matching" do
    def describe_chunk(chunk)
      case chunk
      in {type: :content, delta:} then delta
      in {tool_name:, arguments: {query:}} then "#{tool_name}: #{query}"
      in {usage: {prompt_tokens:}} then prompt_tokens
      in {error:, retry_after: nil} then error
      in [:reasoning, text] then "(#{text})"
      end
    end

    it "finds what belongs to a type" do
      chunks = [
        chunk(:content, delta: "Hi"), chunk(:tool_call, **call.except(:type)),
        chunk(:complete, usage: {prompt_tokens: 3}), chunk(:error, delta: "Oh"), chunk(:reasoning, delta: "Hm")
      ]
      expect(chunks.map { |one| describe_chunk(one) }).to eq(["Hi", "search: Ruby", 3, "Oh", "(Hm)"])
    end

    it "does not find what belongs to another" do
      expect(chunk(:content).deconstruct_keys(%i[tool_name usage error])).to eq({})
    end

    it "gives everything where all is asked for" do
      expect(chunk(:content, delta: "Hi").deconstruct_keys(nil)).to include(type: :content, delta: "Hi", metadata: {})
    end
  end

  describe "equality" do
    it "is that of what is said" do
      expect(chunk(:content, delta: "a")).to eq(chunk(:content, delta: "a"))
      expect(chunk(:content, delta: "a")).not_to eq(chunk(:content, delta: "b"))
      expect(chunk(:content, delta: "a")).not_to eq(chunk(:reasoning, delta: "a"))
      expect(chunk(:content, delta: "a")).not_to eq("a")
    end

    it "holds for Hash keys" do
      expect({chunk(:content, delta: "a") => 1}[chunk(:content, delta: "a")]).to eq(1)
    end
  end

  describe "Marshal" do
    it "keeps everything of a stream's chunks" do
      original = streamed("Hel", "lo", call)
      expect(Marshal.load(Marshal.dump(original))).to eq(original)
    end

    it "keeps what was set, and gives something that can be changed" do
      copy = Marshal.load(Marshal.dump(described_class.error("x", terminal: false, session_id: "s", metadata: {a: 1})))
      copy.user_id = 7
      expect([copy.terminal?, copy.session_id, copy.metadata, copy.user_id]).to eq([false, "s", {a: 1}, 7])
    end
  end

  describe "JSON" do
    it "is the Hash and the metadata" do
      json = JSON.parse(JSON.generate([chunk(:error, delta: "Oh", retry_after: 3, metadata: {retry_count: 1})]))
      expect(json).to eq(
        ["type" => "error", "error" => "Oh", "retry_after" => 3, "metadata" => {"retry_count" => 1}]
      )
    end
  end

  describe "#inspect" do
    it "is short" do
      expect(chunk(:content, delta: "x" * 100, seq: 3).inspect)
        .to eq(%(#<RAAF::Streaming::Chunk content seq=3 "#{"x" * 40}…">))
    end

    it "names the tool" do
      expect(chunk(:tool_call, **call.except(:type)).inspect)
        .to eq('#<RAAF::Streaming::Chunk tool_call search({"query":"Ruby"})>')
    end
  end
end
