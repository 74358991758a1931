# frozen_string_literal: true

# Ollama's lines over a real socket, against a reading of the same bytes in plain Ruby.
RSpec.describe "Recorded streams of Ollama" do
  include ReplayHelpers

  recordings = ReplayRecordings.ollama

  it "are there" do
    skip ReplayRecordings::ABSENT if recordings.empty?

    readings = recordings.map { |recording| ReplayOllamaReader.new(recording.bytes) }
    expect(readings).to all(satisfy { |reading| reading.finish_reason == "stop" && reading.usage })
    expect(readings.map(&:text).join).to match(/\p{Alpha}{3}/)
    expect(readings.sum { |reading| reading.tool_calls.size }).to be > 4
  end

  it_behaves_like "recorded streams", recordings, reader: ReplayOllamaReader, dialect: :ollama,
    provider: RAAF::Models::OllamaProvider
end
