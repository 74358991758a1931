# frozen_string_literal: true

require "raaf/testing/ollama_wire"

RSpec.describe RAAF::Testing::OllamaWire do
  subject(:wire) { described_class.new(model: "llama3.2", created_at: Time.at(0)) }

  let(:head) { {model: "llama3.2", created_at: "1970-01-01T00:00:00.000000Z"} }

  def parse(line)
    expect(line).to end_with("}\n")
    expect(line.count("\n")).to eq(1)
    JSON.parse(line, symbolize_names: true)
  end

  it "writes content as Ollama does, a line each" do
    expect(parse(wire.content("a\nb"))).to eq({**head, message: {role: "assistant", content: "a\nb"}, done: false})
  end

  it "has nothing to say for a role and a refusal" do
    expect([wire.role, wire.refusal("No.")]).to eq(["", ""])
  end

  it "sends thoughts beside the content" do
    expect(parse(wire.reasoning("Hm", field: :reasoning))[:message])
      .to eq(role: "assistant", content: "", thinking: "Hm")
  end

  it "sends a tool call whole; an index is left out as older servers do" do
    lines = wire.tool_call(name: "weather", id: "c1", arguments: ['{"city":', '"Oslo"}'], index: 2) +
      wire.tool_call(name: "time", arguments: {}, index: false) + wire.tool_call(name: "odd", arguments: "{oops")
    expect(lines.flat_map { |line| parse(line).dig(:message, :tool_calls) }).to eq(
      [{id: "c1", function: {index: 2, name: "weather", arguments: {city: "Oslo"}}},
        {function: {name: "time", arguments: {}}}, {function: {index: 0, name: "odd", arguments: "{oops"}}]
    )
  end

  it "says all that belongs to the end in the last line" do
    expect([wire.finish("tool_calls"), wire.usage({prompt_tokens: 3, completion_tokens: 4})]).to eq(["", ""])
    expect(parse(wire.done)).to eq({**head, message: {role: "assistant", content: ""}, done: true,
                                    done_reason: "stop", prompt_eval_count: 3, eval_count: 4})
  end

  it "sends an error in the middle of a stream" do
    expect(parse(wire.error(message: "Busy", type: "x"))).to eq(error: "Busy")
  end

  it "writes the whole answer as one object" do
    completion = wire.completion(content: "Hi", reasoning: "Hm", tool_calls: [{name: "f", arguments: {a: 1}}],
      finish_reason: "length", usage: {prompt_tokens: 1, completion_tokens: 2})
    expect(completion).to eq({**head, message: {role: "assistant", content: "Hi", thinking: "Hm", tool_calls: [
      {function: {name: "f", arguments: {a: 1}}}
    ]}, done: true, done_reason: "length", prompt_eval_count: 1, eval_count: 2})
  end
end
