# frozen_string_literal: true

require "raaf/testing/openai_responses_wire"

RSpec.describe RAAF::Testing::OpenAIResponsesWire do
  subject(:wire) { described_class.new(model: "gpt-5", id: "resp_1", created: 7) }

  # @return [Array<Hash>] the events in the bytes; each has its type as its name too
  def events(*bytes)
    bytes.join.split("\n\n").map do |event|
      name, data = event.split("\n", 2)
      JSON.parse(data.delete_prefix("data: "), symbolize_names: true)
        .tap { |parsed| expect(name).to eq("event: #{parsed[:type]}") }
    end
  end

  def types(*bytes)
    events(*bytes).map { |event| event[:type].delete_prefix("response.") }
  end

  def last(*bytes)
    events(*bytes).last
  end

  it "begins with the response" do
    expect(types(wire.role)).to eq(%w[created in_progress])
    expect(last(wire.role)[:response]).to include(id: "resp_1", created_at: 7, model: "gpt-5", status: "in_progress",
      error: nil, output: [])
  end

  it "numbers its events" do
    expect(events(wire.role, wire.content("a"), wire.done).map { |event| event[:sequence_number] }).to eq((0..8).to_a)
  end

  it "begins a message with its first piece of text, and ends it with what was said" do
    expect(types(wire.content("Hel"))).to eq(%w[output_item.added content_part.added output_text.delta])
    expect(last(wire.content("lo"))).to include(output_index: 0, content_index: 0, delta: "lo")
    ending = events(wire.finish)
    expect(ending.map { |event| event[:type] }.last).to eq("response.output_item.done")
    expect(ending.first).to include(type: "response.output_text.done", text: "Hello")
    expect(ending.last[:item]).to include(type: "message", status: "completed", role: "assistant",
      content: [{type: "output_text", text: "Hello", annotations: []}])
  end

  it "refuses text that is no valid UTF-8 rather than sending broken JSON" do
    expect { wire.content("\xff") }.to raise_error(JSON::GeneratorError)
  end

  it "sends a refusal in the message, and a source of its text" do
    wire.content("a")
    expect(last(wire.annotation(url: "https://x"))).to include(type: "response.output_text.annotation.added",
      content_index: 0, annotation: include(url: "https://x"))
    expect(types(wire.refusal("No."))).to eq(%w[output_text.done content_part.done content_part.added refusal.delta])
    expect(last(wire.finish)[:item][:content].last).to eq(type: "refusal", refusal: "No.")
  end

  it "sends a summary of its reasoning, or the reasoning itself, before the message" do
    expect(last(wire.reasoning("Hm", field: :reasoning_content)))
      .to include(type: "response.reasoning_summary_text.delta", summary_index: 0, delta: "Hm")
    expect(last(wire.reasoning("So", field: :reasoning_text)))
      .to include(type: "response.reasoning_text.delta", content_index: 0, delta: "So")
    done = events(wire.content("a")).find { |event| event[:type] == "response.output_item.done" }
    expect(done[:item]).to include(type: "reasoning", summary: [{type: "summary_text", text: "Hm"}],
      content: [{type: "reasoning_text", text: "So"}], encrypted_content: String)
  end

  it "sends a tool call's name first, its arguments in fragments, and all of it at its end" do
    sent = wire.tool_call(id: "call_1", name: "weather", arguments: ['{"city":', '"Oslo"}'], index: 3)

    expect(sent.flat_map { |bytes| types(bytes) }).to eq(
      %w[output_item.added function_call_arguments.delta function_call_arguments.delta function_call_arguments.done
        output_item.done]
    )
    expect(events(sent.first).first[:item]).to include(call_id: "call_1", name: "weather", arguments: "")
    expect(last(sent.last)).to include(output_index: 0,
      item: include(type: "function_call", status: "completed", arguments: '{"city":"Oslo"}'))
  end

  it "sends a whole tool call without its fragments" do
    sent = wire.tool_call(name: "weather", arguments: {city: "Oslo"}, whole: true)

    expect(sent.flat_map { |bytes| types(bytes) }).to eq(%w[output_item.added output_item.done])
    expect(last(sent.last)[:item]).to include(call_id: /\Acall_/, arguments: '{"city":"Oslo"}')
  end

  it "sends any item behind what was open" do
    wire.content("a")
    expect(types(wire.item({type: "web_search_call", id: "ws_1"})))
      .to eq(%w[output_text.done content_part.done output_item.done output_item.added output_item.done])
  end

  it "ends with everything once more, and the usage" do
    wire.reasoning("Hm")
    wire.content("Hi")
    wire.tool_call(name: "f")
    expect([wire.usage({prompt_tokens: 3, completion_tokens: 4}), types(wire.done)]).to eq(["", ["completed"]])
    expect(last(wire.done)[:response]).to include(
      status: "completed", incomplete_details: nil,
      usage: {input_tokens: 3, input_tokens_details: {cached_tokens: 0}, output_tokens: 4,
              output_tokens_details: {reasoning_tokens: 0}, total_tokens: 7}
    )
    expect(last(wire.done)[:response][:output].map { |item| item[:type] }).to eq(%w[reasoning message function_call])
  end

  it "takes a usage as the Responses write it" do
    wire.usage({input_tokens: 1, output_tokens: 2, total_tokens: 3})
    expect(last(wire.done)[:response][:usage]).to eq(input_tokens: 1, output_tokens: 2, total_tokens: 3)
  end

  it "is incomplete where a limit or a filter ended it" do
    wire.finish("length")
    expect(last(wire.done)).to include(type: "response.incomplete",
      response: include(status: "incomplete", incomplete_details: {reason: "max_output_tokens"}))
    wire.finish("content_filter")
    expect(last(wire.done)[:response][:incomplete_details]).to eq(reason: "content_filter")
  end

  it "sends an error in the middle of a stream, and any other event" do
    expect(last(wire.error(message: "Busy", type: "server_error", code: "x"))).to include(
      type: "error", error: {type: "server_error", code: "x", message: "Busy", param: nil}
    )
    expect(last(wire.delta({type: "keepalive"}))).to eq(type: "keepalive", sequence_number: 1)
  end

  it "writes the whole answer as one object" do
    completion = wire.completion(content: "Hi", reasoning: "Hm", refusal: "No", finish_reason: "length",
      usage: {prompt_tokens: 1, completion_tokens: 1}, tool_calls: [{id: "c", name: "f", arguments: {x: 1}}])

    expect(completion).to include(object: "response", status: "incomplete", usage: include(total_tokens: 2))
    expect(completion[:output]).to match([include(type: "reasoning"), include(type: "message"),
      include(type: "function_call", call_id: "c", arguments: '{"x":1}')])
  end
end
