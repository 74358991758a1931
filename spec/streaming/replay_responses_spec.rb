# frozen_string_literal: true

# OpenAI's bytes over a real socket, against a reading of the same bytes in plain Ruby.
RSpec.describe "Recorded streams of OpenAI's Responses" do
  include ReplayHelpers

  def read_plainly(bytes)
    ReplayResponsesReader.new(bytes)
  end

  def decode(bytes)
    decoder = RAAF::Streaming::Decoder.new(:openai_responses)
    decoder.feed(bytes) + decoder.finish
  end

  recordings = ReplayRecordings.openai_responses

  it "are there" do
    skip ReplayRecordings::ABSENT if recordings.empty?

    readings = recordings.map { |recording| read_plainly(recording.bytes) }
    expect(readings.size).to be > 10
    expect(readings.map(&:text)).to eq(readings.map(&:final_text))
    expect(readings.map(&:text).join).to match(/\p{Alpha}{3}/)
    expect(readings.sum { |reading| reading.tool_calls.size }).to be > 1
    expect(readings.map(&:finish_reason)).to all(eq("completed"))
  end

  it "are whole at their last event, and truncated after every other one" do
    skip ReplayRecordings::ABSENT if recordings.empty?

    recordings.each do |recording|
      bytes = recording.bytes
      ends = bytes.enum_for(:scan, "\n\n").map { Regexp.last_match.end(0) }
      cuts = ends[..-2].map { |count| decode(bytes.byteslice(0, count)) }

      expect(cuts.map { |chunks| chunks.last.type }).to all(eq(:error)), recording.file
      expect(decode(bytes).last).to be_complete
    end
  end

  it_behaves_like "recorded streams", recordings, reader: ReplayResponsesReader, dialect: :openai_responses,
    provider: RAAF::Models::ResponsesProvider
end
