# frozen_string_literal: true

require "raaf/testing/gemini_wire"

RSpec.describe RAAF::Testing::GeminiWire do
  subject(:wire) { described_class.new(model: "gemini-2.5-pro", id: "r1") }

  def parse(event)
    expect(event).to start_with("data: ").and end_with("\r\n\r\n")
    JSON.parse(event.delete_prefix("data: "), symbolize_names: true)
  end

  def parts(event)
    parse(event).dig(:candidates, 0, :content, :parts)
  end

  it "writes content as Gemini does, with the same model and id in every event" do
    expect(parse(wire.content("Hello"))).to eq(
      candidates: [{content: {parts: [{text: "Hello"}], role: "model"}, index: 0}],
      modelVersion: "gemini-2.5-pro", responseId: "r1"
    )
  end

  it "has nothing to say for a role, a refusal and the end" do
    expect([wire.role, wire.refusal("No."), wire.done]).to eq(["", "", ""])
  end

  it "marks thoughts" do
    expect(parts(wire.reasoning("Hm", field: :reasoning))).to eq([{text: "Hm", thought: true}])
  end

  it "sends a tool call whole, with its signature" do
    events = wire.tool_call(name: "weather", arguments: ['{"city":', '"Oslo"}'], signature: "c2ln", index: 1) +
      wire.tool_call(name: "time", id: "g1", arguments: {})
    expect(events.flat_map { |event| parts(event) }).to eq(
      [{functionCall: {name: "weather", args: {city: "Oslo"}}, thoughtSignature: "c2ln"},
        {functionCall: {id: "g1", name: "time", args: {}}}]
    )
  end

  it "says that it cannot carry arguments that are no JSON" do
    expect { wire.tool_call(name: "f", arguments: "{oops") }.to raise_error(ArgumentError, /no JSON: "{oops"/)
  end

  it "translates finish reasons and counts" do
    reasons = %w[stop tool_calls length content_filter OTHER].map { |reason| wire.finish(reason) }
    expect(reasons.map { |event| parse(event).dig(:candidates, 0, :finishReason) })
      .to eq(%w[STOP STOP MAX_TOKENS SAFETY OTHER])
    expect(parse(wire.usage({prompt_tokens: 3, completion_tokens: 4, reasoning_tokens: 1}))[:usageMetadata])
      .to eq(promptTokenCount: 3, candidatesTokenCount: 3, thoughtsTokenCount: 1, totalTokenCount: 7)
  end

  it "sends an error in the middle of a stream" do
    expect(parse(wire.error(message: "Busy", type: "UNAVAILABLE", code: 503, param: nil)))
      .to eq(error: {code: 503, message: "Busy", status: "UNAVAILABLE"})
  end

  it "writes the whole answer as one object" do
    completion = wire.completion(content: "Hi", reasoning: "Hm", tool_calls: [{name: "f", arguments: {a: 1}}],
      finish_reason: "tool_calls", usage: {prompt_tokens: 1, completion_tokens: 1})
    expect(completion).to include(usageMetadata: include(totalTokenCount: 2))
    expect(completion[:candidates]).to eq(
      [{content: {parts: [{text: "Hm", thought: true}, {text: "Hi"}, {functionCall: {name: "f", args: {a: 1}}}],
                  role: "model"}, finishReason: "STOP", index: 0}]
    )
  end
end
