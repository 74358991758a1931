# frozen_string_literal: true

require "raaf/testing/openai_chat_wire"

RSpec.describe RAAF::Testing::OpenAIChatWire do
  subject(:wire) { described_class.new(model: "gpt-4o", id: "chatcmpl-1", created: 7) }

  def parse(event)
    expect(event).to start_with("data: ").and end_with("\n\n")
    JSON.parse(event.delete_prefix("data: "), symbolize_names: true)
  end

  def delta(event)
    parse(event).dig(:choices, 0, :delta)
  end

  it "writes content as OpenAI does, with the same id, time and model in every event" do
    expect(parse(wire.content("Hello"))).to eq(
      id: "chatcmpl-1", object: "chat.completion.chunk", created: 7, model: "gpt-4o",
      choices: [{index: 0, delta: {content: "Hello"}, logprobs: nil, finish_reason: nil}]
    )
  end

  it "escapes what JSON must have escaped, so that a line break never breaks the event" do
    text = "a\nb\r\"\\ \u2028 😀 \u0000"
    event = wire.content(text)

    expect(event.count("\n")).to eq(2)
    expect(delta(event)).to eq(content: text)
  end

  it "says what the model's name needs, whatever stands in it" do
    expect(parse(described_class.new(model: "a\"b\n").role)[:model]).to eq("a\"b\n")
  end

  it "refuses text that is no valid UTF-8 rather than sending broken JSON" do
    expect { wire.content("\xff") }.to raise_error(JSON::GeneratorError)
  end

  it "begins with the role and an empty content" do
    expect(delta(wire.role)).to eq(role: "assistant", content: "")
  end

  it "sends reasoning in the field of the server it imitates" do
    expect(delta(wire.reasoning("Hm"))).to eq(reasoning_content: "Hm")
    expect(delta(wire.reasoning("Hm", field: :reasoning))).to eq(reasoning: "Hm")
    expect(delta(wire.reasoning("Hm", field: :reasoning_details))[:reasoning_details].first).to include(text: "Hm")
    expect { wire.reasoning("Hm", field: :thoughts) }.to raise_error(ArgumentError, /reasoning_content/)
  end

  it "sends a refusal" do
    expect(delta(wire.refusal("No."))).to eq(refusal: "No.")
  end

  it "sends a tool call's name first and its arguments in fragments" do
    events = wire.tool_call(id: "call_1", name: "weather", arguments: ['{"city":', '"Oslo"}'], index: 2)

    expect(events.map { |event| delta(event)[:tool_calls].first }).to eq(
      [
        {index: 2, id: "call_1", type: "function", function: {name: "weather", arguments: ""}},
        {index: 2, function: {arguments: '{"city":'}},
        {index: 2, function: {arguments: '"Oslo"}'}}
      ]
    )
  end

  it "sends a whole tool call in one event, without an index where older servers have none" do
    events = wire.tool_call(id: "c", name: "weather", arguments: {city: "Oslo"}, index: false, whole: true)

    expect(events.map { |event| delta(event)[:tool_calls] }).to eq(
      [[{id: "c", type: "function", function: {name: "weather", arguments: '{"city":"Oslo"}'}}]]
    )
  end

  it "ends with a finish reason, usage without choices, and [DONE]" do
    expect(parse(wire.finish("length"))[:choices].first).to include(delta: {}, finish_reason: "length")
    expect(parse(wire.usage({prompt_tokens: 3, completion_tokens: 4}))).to include(
      choices: [], usage: {prompt_tokens: 3, completion_tokens: 4, total_tokens: 7}
    )
    expect(wire.done).to eq("data: [DONE]\n\n")
  end

  it "leaves usage alone where a total cannot be told" do
    expect(parse(wire.usage({prompt_tokens: 3}))[:usage]).to eq(prompt_tokens: 3)
  end

  it "sends an error in the middle of a stream" do
    expect(parse(wire.error(message: "Busy", type: "server_error", code: 503))).to eq(
      error: {message: "Busy", type: "server_error", param: nil, code: 503}
    )
  end

  it "writes the whole answer as one object" do
    completion = wire.completion(content: "Hi", reasoning: "Hm", usage: {prompt_tokens: 1, completion_tokens: 1},
      tool_calls: [{id: "c", name: "weather", arguments: {city: "Oslo"}}], finish_reason: "tool_calls")

    expect(completion).to include(object: "chat.completion", usage: include(total_tokens: 2))
    expect(completion[:choices].first).to include(finish_reason: "tool_calls", message: include(
      role: "assistant", content: "Hi", reasoning_content: "Hm",
      tool_calls: [{id: "c", type: "function", function: {name: "weather", arguments: '{"city":"Oslo"}'}}]
    ))
  end
end
