# frozen_string_literal: true

require "raaf/testing"

RSpec.describe RAAF::Testing::MockProvider do
  subject(:provider) { described_class.new }

  let(:messages) { [{role: "user", content: "Hello there"}] }

  def build(**options)
    provider.build_request(messages: messages, model: "gpt-4o", **options)
  end

  # What the script's bytes say, an entry each.
  def payloads(request)
    request[:script].map do |_, wire|
      expect(wire).to start_with("data: ").and end_with("\n\n")
      data = wire.delete_prefix("data: ").chomp("\n\n")
      (data == "[DONE]") ? :done : JSON.parse(data, symbolize_names: true)
    end
  end

  def deltas(request)
    (payloads(request) - [:done]).filter_map { |event| event.dig(:choices, 0, :delta) }
  end

  it "is a provider of the OpenAI chat format" do
    expect(provider).to have_attributes(name: "mock", dialect: :openai_chat)
  end

  it "sends the chunks exactly as they were given, one delta each, then finish, usage and [DONE]" do
    provider.add_streaming_response(chunks: ["Hello", " there", "!", ""], delay: 0.5)
    request = build

    expect(request).to include(provider: "mock", model: "gpt-4o", error: nil)
    expect(request[:script].map(&:first)).to eq([0.5, 0.5, 0.5, 0.5, 0, 0, 0])
    expect(deltas(request)).to eq([{content: "Hello"}, {content: " there"}, {content: "!"}, {content: ""}, {}])
    expect(payloads(request)[-3].dig(:choices, 0, :finish_reason)).to eq("stop")
    expect(payloads(request)[-2][:usage]).to eq(prompt_tokens: 3, completion_tokens: 4, total_tokens: 7)
    expect(payloads(request)[-1]).to eq(:done)
  end

  it "sends reasoning, refusals and tool calls" do
    provider.add_streaming_response(chunks: [
      {type: :reasoning, delta: "Hm"}, {type: :refusal, delta: "No"}, {"type" => "content", "delta" => "Hi"},
      {type: :tool_call, tool_name: "weather", tool_id: "call_1", arguments: {city: "Oslo"}},
      {type: :tool_call, tool_name: "time", tool_id: "call_2"}
    ])
    request = build

    expect(deltas(request)).to eq([
      {reasoning_content: "Hm"}, {refusal: "No"}, {content: "Hi"},
      {tool_calls: [
        {index: 0, id: "call_1", type: "function", function: {name: "weather", arguments: '{"city":"Oslo"}'}}
      ]},
      {tool_calls: [{index: 1, id: "call_2", type: "function", function: {name: "time", arguments: "{}"}}]},
      {}
    ])
    expect(payloads(request)[-3].dig(:choices, 0, :finish_reason)).to eq("tool_calls")
  end

  it "takes finish reason and usage as they are given" do
    usage = {prompt_tokens: 1, completion_tokens: 9}
    provider.add_streaming_response(chunks: ["a"], finish_reason: "length", usage: usage)
    provider.add_streaming_response(chunks: ["a"], usage: false)

    expect(payloads(build)[1..2]).to match([
      include(choices: [include(finish_reason: "length")]), include(usage: include(completion_tokens: 9))
    ])
    expect(payloads(build).size).to eq(3)
  end

  it "ends in an error after the chunks that come before it, and with nothing else" do
    error = RuntimeError.new("Rate limited")
    provider.add_streaming_error(error, after: ["partial"])
    request = build

    expect(request[:error]).to equal(error)
    expect(deltas(request)).to eq([{content: "partial"}])
  end

  it "may fail before the first chunk" do
    provider.add_streaming_error(IOError)

    expect(build).to include(script: [], error: be_a(IOError))
  end

  it "gives its answers in order, and a default one of several chunks when none is left" do
    provider.add_streaming_response(chunks: ["one"]).add_streaming_error(IOError.new("two"))

    expect(deltas(build).first).to eq(content: "one")
    expect(build[:error].message).to eq("two")
    expect(provider.responses_left).to eq(0)
    expect(deltas(build).size).to be > 3
  end

  it "remembers what it was asked" do
    tools = [{type: "function"}]
    build(settings: {temperature: 0}, tools: tools)
    messages.first[:content] = "changed afterwards"

    expect(provider.requests).to eq([
      {messages: [{role: "user", content: "Hello there"}], model: "gpt-4o", tools: tools, settings: {temperature: 0},
       stream: true}
    ])
  end

  it "says at once that a chunk is none" do
    [nil, 1, {type: :unknown}, {type: :reasoning}, {type: :tool_call}, {type: :content, delta: 1}].each do |chunk|
      expect { provider.add_streaming_response(chunks: ["a", chunk]) }.to raise_error(ArgumentError, /a chunk is/)
    end
    expect { provider.add_streaming_response(chunks: [], delay: -1) }.to raise_error(ArgumentError, /delay/)
    expect { provider.add_streaming_error("text") }.to raise_error(ArgumentError, /exception/)
  end

  it "is safe to share between threads" do
    100.times { |number| provider.add_streaming_response(chunks: [number.to_s]) }
    answers = Array.new(10) { Thread.new { Array.new(10) { deltas(build).first[:content] } } }.flat_map(&:value)

    expect(answers.sort_by(&:to_i)).to eq(Array.new(100, &:to_s))
    expect(provider.requests.size).to eq(100)
  end

  it "shows no conversation when it is inspected" do
    build

    expect(provider.inspect).to include("requests=1").and(satisfy { |text| !text.include?("Hello") })
  end

  it "can be mixed into a provider that has an initializer and a default answer of its own" do
    other = Class.new do
      include RAAF::Testing::MockProvider::StreamingResponses

      attr_reader :default_response

      def initialize(default_response:)
        @default_response = default_response
      end
    end
    request = other.new(default_response: " One two").build_request(messages: [], model: nil)

    expect(deltas(request)).to eq([{content: " "}, {content: "One "}, {content: "two"}, {}])
  end
end
