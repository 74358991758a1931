# frozen_string_literal: true

require "raaf/testing/anthropic_wire"

RSpec.describe RAAF::Testing::AnthropicWire do
  subject(:wire) { described_class.new(model: "claude-sonnet-5", id: "msg_1") }

  def parse(events)
    Array(events).join.split("\n\n").map do |event|
      name, data = event.match(/\Aevent: (\w+)\ndata: (.*)\z/).captures
      JSON.parse(data, symbolize_names: true).tap { |json| expect(json[:type]).to eq(name) }
    end
  end

  def types(events)
    parse(events).map { |event| event[:type] }
  end

  it "begins with a message that has the answer's id and model" do
    expect(parse(wire.role)).to eq([{type: "message_start", message: {
      id: "msg_1", type: "message", role: "assistant", model: "claude-sonnet-5", content: [], stop_reason: nil,
      stop_sequence: nil
    }}])
  end

  it "begins a block with the first text, and goes on in it" do
    expect(parse(wire.content("Hel\n"))).to eq(
      [{type: "content_block_start", index: 0, content_block: {type: "text", text: ""}},
        {type: "content_block_delta", index: 0, delta: {type: "text_delta", text: "Hel\n"}}]
    )
    expect(parse(wire.content("lo"))).to eq(
      [{type: "content_block_delta", index: 0, delta: {type: "text_delta", text: "lo"}}]
    )
  end

  it "signs reasoning when something else begins" do
    wire.reasoning("Hm")
    expect(parse(wire.content("So"))).to match(
      [{type: "content_block_delta", index: 0, delta: {type: "signature_delta", signature: "Sigmsg_1"}},
        {type: "content_block_stop", index: 0}, include(type: "content_block_start", index: 1),
        include(delta: {type: "text_delta", text: "So"})]
    )
  end

  it "sends a tool call's name first and its arguments in fragments, in a block of its own" do
    wire.content("a")
    events = wire.tool_call(id: "toolu_1", name: "weather", arguments: ['{"city":', '"Oslo"}'], index: 0)

    expect(events.size).to eq(5)
    expect(parse(events)).to eq(
      [{type: "content_block_stop", index: 0},
        {type: "content_block_start", index: 1,
         content_block: {type: "tool_use", id: "toolu_1", name: "weather", input: {}}},
        {type: "content_block_delta", index: 1, delta: {type: "input_json_delta", partial_json: '{"city":'}},
        {type: "content_block_delta", index: 1, delta: {type: "input_json_delta", partial_json: '"Oslo"}'}},
        {type: "content_block_stop", index: 1}]
    )
  end

  it "sends a whole call in its start, and an index of any size" do
    start = parse(wire.tool_call(name: "f", arguments: {a: 1}, index: 2_000_000_000, whole: true)).first
    expect(start).to include(index: 2_000_000_000, content_block: include(input: {a: 1}))
    expect(parse(wire.content("b")).first[:index]).to eq(2_000_000_001)
  end

  it "sends blocks of any type" do
    expect(types(wire.block({type: "redacted_thinking", data: "X"}))).to eq(%w[content_block_start content_block_stop])
  end

  {"stop" => "end_turn", "length" => "max_tokens", "tool_calls" => "tool_use", "pause_turn" => "pause_turn"}
    .each do |reason, word|
      it "finishes with #{word} where #{reason} is asked for" do
        expect(parse(wire.finish(reason)).last[:delta]).to include(stop_reason: word)
      end
    end

  it "ends the open block before it finishes" do
    wire.content("a")
    expect(types(wire.finish + wire.done)).to eq(%w[content_block_stop message_delta message_stop])
  end

  it "says a refusal's words in its finish" do
    expect(wire.refusal("Not ") + wire.refusal("this.")).to eq("")
    expect(parse(wire.finish("stop")).last[:delta])
      .to include(stop_reason: "refusal", stop_details: include(explanation: "Not this."))
  end

  it "counts usage as Anthropic does" do
    usage = {prompt_tokens: 10, completion_tokens: 5, total_tokens: 15,
             prompt_tokens_details: {cached_tokens: 4, cache_write_tokens: 1},
             completion_tokens_details: {reasoning_tokens: 2}}
    expect(parse(wire.usage(usage)).first[:usage]).to eq(input_tokens: 5, cache_creation_input_tokens: 1,
      cache_read_input_tokens: 4, output_tokens: 5, output_tokens_details: {thinking_tokens: 2})
    expect(parse(wire.usage({completion_tokens: 1})).first[:usage]).to eq(output_tokens: 1)
  end

  it "sends an error in the middle of a stream" do
    expect(parse(wire.error(message: "Busy", type: "overloaded_error", code: 1)))
      .to eq([{type: "error", error: {type: "overloaded_error", message: "Busy"}}])
  end

  it "sends pieces of any type" do
    expect(types(wire.delta({type: "new_delta"}))).to eq(%w[content_block_start content_block_delta])
    expect(types(wire.delta({type: "new_delta"}))).to eq(%w[content_block_delta])
  end

  it "writes errors as the API's bodies have them" do
    expect(JSON.parse(described_class.error_body(529, "Busy"), symbolize_names: true))
      .to eq(type: "error", error: {type: "overloaded_error", message: "Busy"}, request_id: nil)
    types = [418, 503].map { |status| JSON.parse(described_class.error_body(status, "x")).dig("error", "type") }
    expect(types).to eq(%w[invalid_request_error api_error])
  end

  it "writes the whole answer as one object" do
    whole = wire.completion(content: "Hi", reasoning: "Hm", finish_reason: "tool_calls",
      tool_calls: [{id: "c", name: "f", arguments: {a: 1}}], usage: {prompt_tokens: 1, completion_tokens: 2})

    expect(whole).to include(type: "message", stop_reason: "tool_use", usage: {input_tokens: 1, output_tokens: 2})
    expect(whole[:content]).to eq(
      [{type: "thinking", thinking: "Hm", signature: "Sigmsg_1"}, {type: "text", text: "Hi"},
        {type: "tool_use", id: "c", name: "f", input: {"a" => 1}}]
    )
    expect(wire.completion(content: nil, refusal: "No.")).to include(content: [], stop_reason: "refusal",
      stop_details: include(explanation: "No."))
  end
end
