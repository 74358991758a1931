# frozen_string_literal: true

# What recorded streams must give, over a socket and in the decoder: what a plain reading of the same bytes gives. The
# reader is a class of spec/support; an object of it is made of the bytes, and has `pieces`, `text`, `joined`,
# `tool_calls`, `usage`, `raw_usage` and `finish_reason`.
#
#   it_behaves_like "recorded streams", ReplayRecordings.gemini, reader: ReplayGeminiReader, dialect: :gemini,
#     provider: RAAF::Models::GeminiProvider
RSpec.shared_examples "recorded streams" do |recordings, reader:, dialect:, provider:|
  # Bytes up to which a stream is sent one by one over a socket; larger ones take that way into the decoder.
  small = 20_000

  define_method(:read) { |bytes| reader.new(bytes) }
  define_method(:asked) { {provider_class: provider} }
  define_method(:new_decoder) { RAAF::Streaming::Decoder.new(dialect) }

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
    reading = read(bytes)
    {
      pieces: reading.pieces, tool_calls: reading.tool_calls,
      arguments: reading.tool_calls.map { |call| JSON.parse(call[:arguments], symbolize_names: true) },
      fragments: reading.tool_calls.to_h { |call| [call[:index], call[:arguments]] },
      usage: reading.usage&.merge(raw: JSON.parse(JSON.generate(reading.raw_usage), symbolize_names: true)),
      finish_reason: reading.finish_reason
    }
  end

  def expect_whole(run, bytes)
    expect(run.error).to be_nil
    result = run.result
    usage = result.usage unless result.usage.empty?
    expect(summary_of(run.chunks, usage: usage, finish_reason: result.raw_finish_reason)).to eq(expected_of(bytes))
    expect(run.chunks).to be_a_proper_sequence
    expect(run.last).to be_complete
    expect_result(result, read(bytes))
  end

  def expect_result(result, reading)
    expect(result.final_output).to eq(reading.text)
    expect(result.reasoning.to_s).to eq(reading.joined(:reasoning))
    expect(result.messages.last).to include(role: "assistant", content: reading.text)
    expect(result.tool_calls.map { |call| call[:raw_arguments] }).to eq(reading.tool_calls.map { |c| c[:arguments] })
  end

  def expect_socket(bytes, settings = {}, **script)
    expect_whole(stream_scripted({**asked, **settings}, bytes: bytes, **script), bytes)
  end

  def expect_decoder(bytes, pieces)
    decoder = new_decoder
    chunks = pieces.flat_map { |piece| decoder.feed(piece) } + decoder.finish
    outcome = decoder.outcome
    usage = outcome[:usage]&.merge(raw: JSON.parse(outcome[:usage_json], symbolize_names: true))
    expect(summary_of(chunks, usage: usage, finish_reason: outcome[:finish_reason])).to eq(expected_of(bytes))
    expect(chunks).to be_a_proper_sequence
    expect(chunks.last).to be_complete
  end

  # Each chunk ends where a character does, as a reader sees it; unless what follows is none of its text.
  def expect_whole_characters(chunks)
    chunks.chunk_while { |a, b| [a.type, a.choice] == [b.type, b.choice] }.each do |group|
      next unless %i[content reasoning refusal].include?(group.first.type)

      so_far = 0
      ends = group.map { |chunk| so_far += chunk.delta.length }
      clusters = 0
      expect(ends - group.map(&:delta).join.each_grapheme_cluster.map { |one| clusters += one.length }).to be_empty
    end
  end

  recordings.each do |recording|
    describe recording.file do
      ReplayRecordings::LINE_ENDS.each do |name, line_end|
        it "gives what a plain reading gives, sent whole with #{name}" do
          expect_socket(recording.bytes(line_end))
        end

        it "gives the same in random pieces with #{name}" do
          bytes = recording.bytes(line_end)
          most = [16, bytes.bytesize / 100].max
          [1, 2, 3].each { |seed| expect_socket(bytes, writes: {random: seed, max: most}) }
        end

        if recording.bytes.bytesize < small
          it "gives the same byte by byte with #{name}" do
            expect_socket(recording.bytes(line_end), writes: :bytewise, transfer: :close)
          end
        else
          it "gives the same byte by byte with #{name}, in the decoder" do
            bytes = recording.bytes(line_end)
            expect_decoder(bytes, bytes.each_char)
          end
        end

        it "ends with its last event with #{name} although the server keeps the connection open" do
          expect_socket(recording.bytes(line_end), keep_open: true)
        end
      end

      it "gives the same text in larger chunks where pieces are gathered" do
        run = stream_scripted({chunk_buffer_size: 50, **asked}, bytes: recording.bytes)
        reading = read(recording.bytes)

        expect(run.text).to eq(reading.text)
        expect(run.result.reasoning.to_s).to eq(reading.joined(:reasoning))
        expect(tool_calls_in(run.chunks)).to eq(reading.tool_calls)
        expect(run.chunks).to be_a_proper_sequence
        expect(run.of(:content).size).to be <= reading.pieces.count { |type, _| type == :content }
      end

      it "cuts no character where pieces are gathered" do
        [1 + recordings.index(recording) % 20, 3].each do |size|
          run = stream_scripted({chunk_buffer_size: size, chunk_buffer_timeout: 600_000, **asked},
            bytes: recording.bytes)

          expect(run.text).to eq(read(recording.bytes).text)
          expect_whole_characters(run.chunks)
        end
      end
    end
  end
end
