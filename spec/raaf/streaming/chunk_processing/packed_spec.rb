# frozen_string_literal: true

RSpec.describe RAAF::Streaming::ChunkProcessing::Packed do
  def chunk(**attributes)
    RAAF::Streaming::Chunk.new(**attributes).freeze
  end

  def round_trip(*chunks)
    described_class.unpack(described_class.pack(chunks))
  end

  it "brings every attribute of plain data back" do
    chunks = [
      chunk(type: :tool_call, tool_name: "look", tool_id: "call_1", tool_index: 2, arguments: {city: "Rome"}, seq: 4),
      chunk(type: :tool_result, tool_name: "look", tool_id: "call_1", result: {sky: "blue"}),
      chunk(type: :status, status: :retrying, retry_after: 1.5, metadata: {attempt: 1}),
      chunk(type: :complete, final_response: "x", usage: {total_tokens: 3}, finish_reason: "stop", cumulative: "x"),
      chunk(type: :handoff, handoff: "Other", session_id: "s", user_id: 7, stream_id: "9b2f")
    ]
    expect(round_trip(*chunks)).to eq(chunks)
  end

  it "brings the text so far back, where it grows, begins anew, or is not kept" do
    texts = [%w[b ab], %w[c abc], ["", "abc"], %w[x x], %w[y xy], ["z", ""], ["", ""]]
    chunks = texts.map { |delta, text| chunk(type: :content, delta: delta, cumulative: text) }
    expect(round_trip(*chunks).map { |one| [one.delta, one.cumulative] }).to eq(texts)
  end

  it "has the text once, not once a chunk" do
    text = +""
    chunks = Array.new(100) { |i| chunk(type: :content, delta: "word#{i} ", cumulative: (text << "word#{i} ").dup) }
    expect(described_class.pack(chunks).bytesize).to be < 100 * 80
  end

  it "leaves out an exception, and keeps its message" do
    back = round_trip(RAAF::Streaming::Chunk.error("broken", error: "broken", exception: RuntimeError.new("broken")))
    expect(back.first).to have_attributes(type: :error, error: "broken", exception: nil, terminal?: true)
  end
end
