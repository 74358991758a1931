# frozen_string_literal: true

RSpec.describe RAAF::Streaming::Result do
  subject(:result) do
    described_class.new(
      messages: [{role: "user", content: "Hello"}, {role: "assistant", content: "Hi there"}],
      usage: {prompt_tokens: 1, completion_tokens: 2, total_tokens: 3}, finish_reason: "end_turn", model: "gpt-4o"
    )
  end

  it "has the answer at the end of the messages, as the guide reads it" do
    expect(result.messages.last[:content]).to eq("Hi there")
  end

  it "takes the answer from the last message where none is given" do
    expect(result.final_output).to eq("Hi there")
  end

  it "does not take the user's words for the answer" do
    expect(described_class.new(messages: [{role: "user", content: "Hello"}]).final_output).to eq("")
  end

  it "has the finish reason in one vocabulary, and as it came" do
    expect([result.finish_reason, result.raw_finish_reason]).to eq(%w[stop end_turn])
  end

  it "has the finish reason of an answer that calls tools, also where the provider says that it stopped" do
    call = {id: nil, name: "f", raw_arguments: "{}"}
    messages = [described_class.assistant_message("", tool_calls: [call])]
    called = described_class.new(messages: messages, finish_reason: "STOP", tool_calls: [call])
    expect([called.finish_reason, called.raw_finish_reason]).to eq(%w[tool_calls STOP])
  end

  it "has empty collections, not nil, where nothing is known" do
    empty = described_class.new
    expect([empty.messages, empty.usage, empty.tool_calls, empty.timings]).to eq([[], {}, [], {}])
  end

  it "is a success without an error" do
    failed = described_class.new(error: RAAF::Errors::RateLimitError.new("slow down", retry_after: 3))
    expect([result.success?, failed.success?]).to eq([true, false])
  end

  it "answers as raaf-core's result does" do
    failed = described_class.new(error: RAAF::Errors::RateLimitError.new("slow down"),
      last_agent: RAAF::Agent.new(name: "A"))
    expect([failed.failure?, failed.error?, failed.agent_name]).to eq([true, true, "A"])
    expect([result.failure?, result.agent_name, result.final_output_as("string")]).to eq([false, "unknown", "Hi there"])
  end

  it "reads an answer that is JSON" do
    answers = ['{"a": 1}', "no JSON"].map { |text| described_class.new(final_output: text).final_output_as(:json) }
    expect(answers).to eq([{"a" => 1}, "no JSON"])
  end

  it "writes the error as a Hash" do
    failed = described_class.new(error: RAAF::Errors::RateLimitError.new("slow down", retry_after: 3))
    expect(failed.to_h[:error]).to eq(error: "RAAF::Errors::RateLimitError", message: "slow down", retry_after: 3)
  end

  it "writes an error of another kind too" do
    expect(described_class.new(error: IOError.new("x")).to_h[:error]).to eq(error: "IOError", message: "x")
  end

  it "gives a list to go on from that is not its own" do
    result.to_input_list << {role: "user", content: "More"}
    result.to_input_list.first[:content] = "changed"
    expect(result.messages.map { |message| message[:content] }).to eq(["Hello", "Hi there"])
  end

  it "does not show the answer in inspect" do
    expect(result.inspect).to eq('#<RAAF::Streaming::Result finish_reason="stop" model="gpt-4o" messages=2 ' \
                                 "characters=8 total_tokens=3>")
  end

  describe ".assistant_message" do
    it "writes tool calls as OpenAI reads them" do
      calls = [{id: "call_1", name: "weather", arguments: {city: "Bern"}, raw_arguments: '{"city":"Bern"}'}]
      expect(described_class.assistant_message("", tool_calls: calls)).to eq(
        role: "assistant", content: "",
        tool_calls: [{id: "call_1", type: "function", function: {name: "weather", arguments: '{"city":"Bern"}'}}]
      )
    end

    it "has no tool_calls where there are none, as an empty list is refused" do
      expect(described_class.assistant_message("Hi")).to eq(role: "assistant", content: "Hi")
    end
  end
end
