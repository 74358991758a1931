# frozen_string_literal: true

# Anthropic's own bytes over a real socket, against a reading of the same bytes in plain Ruby.
RSpec.describe "Recorded streams of Anthropic's Messages" do
  include ReplayHelpers

  recordings = ReplayRecordings.anthropic

  it "are there" do
    skip ReplayRecordings::ABSENT if recordings.empty?

    readings = recordings.map { |recording| ReplayAnthropicReader.new(recording.bytes) }
    expect(readings.map(&:finish_reason).uniq).to contain_exactly("end_turn", "tool_use")
    expect(readings.map(&:text).join).to match(/\p{Alpha}{3}/)
    expect(readings.sum { |reading| reading.tool_calls.size }).to be > 1
    expect(readings).to all(satisfy { |reading| reading.usage[:total_tokens].positive? })
  end

  it "are whole with their stop reason, and truncated after every event before it" do
    skip ReplayRecordings::ABSENT if recordings.empty?

    recordings.each do |recording|
      bytes = recording.bytes
      ends = bytes.enum_for(:scan, "\n\n").map { Regexp.last_match.end(0) }
      cuts = ends.map { |count| decode(bytes.byteslice(0, count)).last.type }

      expect(cuts).to eq([:error] * (ends.size - 2) + [:complete] * 2), recording.file
    end
  end

  def decode(bytes)
    decoder = RAAF::Streaming::Decoder.new(:anthropic)
    decoder.feed(bytes) + decoder.finish
  end

  it_behaves_like "recorded streams", recordings, reader: ReplayAnthropicReader, dialect: :anthropic,
    provider: RAAF::Streaming::Providers::Anthropic
end
