# frozen_string_literal: true

require_relative "replay_helpers"
require_relative "replay_recordings"

# Compares what the native part makes of a stream with a plain reading of it. Who includes this defines `dialect`,
# `provider` (a class) and `read_plainly(bytes)`, whose result has pieces, text, joined, tool_calls, usage, raw_usage
# and finish_reason.
module ReplayExamples
  include ReplayHelpers

  # Bytes up to which a stream is sent one by one over a socket; larger ones take that way into the decoder.
  SMALL = 20_000

  # What a run or a reading of the bytes came to.
  def summary_of(chunks, usage:, finish_reason:)
    texts = chunks.select { |chunk| %i[content reasoning refusal].include?(chunk.type) }
    {
      pieces: texts.map { |chunk| [chunk.type, chunk.delta] }, tool_calls: tool_calls_in(chunks),
      arguments: chunks.select(&:tool_call?).map(&:arguments), fragments: fragments_in(chunks),
      usage: usage, finish_reason: finish_reason
    }
  end

  def tool_calls_in(chunks)
    chunks.select(&:tool_call?).map do |chunk|
      {index: chunk.tool_index, id: chunk.tool_id, name: chunk.tool_name, arguments: chunk.raw_arguments}
    end
  end

  def fragments_in(chunks)
    pieces = chunks.select(&:tool_call_delta?).group_by(&:tool_index)
    pieces.transform_values { |group| group.map(&:delta).join }
  end

  def expected_of(bytes)
    reader = read_plainly(bytes)
    {
      pieces: reader.pieces, tool_calls: reader.tool_calls,
      arguments: reader.tool_calls.map { |call| JSON.parse(call[:arguments], symbolize_names: true) },
      fragments: reader.tool_calls.to_h { |call| [call[:index], call[:arguments]] },
      usage: reader.usage&.merge(raw: JSON.parse(JSON.generate(reader.raw_usage), symbolize_names: true)),
      finish_reason: reader.finish_reason
    }
  end

  def expect_whole(run, bytes)
    expect(run.error).to be_nil
    result = run.result
    usage = result.usage unless result.usage.empty?
    expect(summary_of(run.chunks, usage: usage, finish_reason: result.raw_finish_reason)).to eq(expected_of(bytes))
    expect(run.chunks).to be_a_proper_sequence
    expect(run.last).to be_complete
    expect_result(result, read_plainly(bytes))
  end

  def expect_result(result, reader)
    expect(result.final_output).to eq(reader.text)
    expect(result.reasoning.to_s).to eq(reader.joined(:reasoning))
    expect(result.messages.last).to include(role: "assistant", content: reader.text)
    expect(result.tool_calls.map { |call| call[:raw_arguments] }).to eq(reader.tool_calls.map { |c| c[:arguments] })
  end

  def expect_socket(bytes, settings = {}, **script)
    expect_whole(stream_scripted({provider: provider, **settings}, bytes: bytes, **script), bytes)
  end

  def expect_decoder(bytes, pieces)
    decoder = RAAF::Streaming::Decoder.new(dialect)
    chunks = pieces.flat_map { |piece| decoder.feed(piece) } + decoder.finish
    outcome = decoder.outcome
    usage = outcome[:usage]&.merge(raw: JSON.parse(outcome[:usage_json], symbolize_names: true))
    expect(summary_of(chunks, usage: usage, finish_reason: outcome[:finish_reason])).to eq(expected_of(bytes))
    expect(chunks).to be_a_proper_sequence
    expect(chunks.last).to be_complete
  end
end

RSpec.shared_examples "a recorded stream" do |recording|
  ReplayRecordings::LINE_ENDS.each do |name, line_end|
    it "gives what a plain reading gives, sent whole with #{name}" do
      expect_socket(recording.bytes(line_end))
    end

    it "gives the same in random pieces with #{name}" do
      bytes = recording.bytes(line_end)
      most = [16, bytes.bytesize / 100].max
      [1, 2, 3].each { |seed| expect_socket(bytes, writes: {random: seed, max: most}) }
    end

    if recording.bytes.bytesize < ReplayExamples::SMALL
      it "gives the same byte by byte with #{name}" do
        expect_socket(recording.bytes(line_end), writes: :bytewise, transfer: :close)
      end
    else
      it "gives the same byte by byte with #{name}, in the decoder" do
        bytes = recording.bytes(line_end)
        expect_decoder(bytes, bytes.each_char)
      end
    end

    it "ends at its last event with #{name} although the server keeps the connection open" do
      expect_socket(recording.bytes(line_end), keep_open: true)
    end
  end

  it "gives the same text in larger chunks where pieces are gathered" do
    run = stream_scripted({provider: provider, chunk_buffer_size: 50}, bytes: recording.bytes)
    reader = read_plainly(recording.bytes)

    expect(run.text).to eq(reader.text)
    expect(run.result.reasoning.to_s).to eq(reader.joined(:reasoning))
    expect(tool_calls_in(run.chunks)).to eq(reader.tool_calls)
    expect(run.chunks).to be_a_proper_sequence
    expect(run.of(:content).size).to be <= reader.pieces.count { |type, _| type == :content }
  end
end
