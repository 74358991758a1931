# frozen_string_literal: true

# Real providers' bytes over a real socket, against a reading of the same bytes in plain Ruby.
RSpec.describe "Recorded streams" do
  include ReplayHelpers

  recordings = ReplayRecordings.openai_chat

  it "are there" do
    skip ReplayRecordings::ABSENT if recordings.empty?

    expect(recordings.map(&:provider).uniq.size).to be > 5
    readings = recordings.map { |recording| ReplayChatReader.new(recording.bytes) }
    expect(readings).to all(satisfy { |reading| reading.finish_reason })
    expect(readings.map(&:text).join).to match(/\p{Alpha}{3}/)
    expect(readings.sum { |reading| reading.tool_calls.size }).to be > 5
    expect(readings.map { |reading| reading.joined(:reasoning) }.join).not_to be_empty
  end

  it_behaves_like "recorded streams", recordings, reader: ReplayChatReader, dialect: :openai_chat,
    provider: RAAF::Models::OpenAIProvider
end
