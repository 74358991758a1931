# frozen_string_literal: true

# Gemini's bytes over a real socket, against a reading of the same bytes in plain Ruby.
RSpec.describe "Recorded streams of Gemini" do
  include ReplayHelpers

  recordings = ReplayRecordings.gemini

  it "are there" do
    skip ReplayRecordings::ABSENT if recordings.empty?

    readings = recordings.map { |recording| ReplayGeminiReader.new(recording.bytes) }
    expect(readings).to all(satisfy { |reading| reading.finish_reason == "STOP" && reading.usage })
    expect(readings.map(&:text).join).to match(/\p{Alpha}{3}/)
    expect(readings.sum { |reading| reading.tool_calls.size }).to be > 1
    expect(readings.sum { |reading| reading.signed.size }).to be > 1
  end

  it_behaves_like "recorded streams", recordings, reader: ReplayGeminiReader, dialect: :gemini,
    provider: RAAF::Models::GeminiProvider

  recordings.each do |recording|
    it "keep what the next turn sends back, and say that tools are called: #{recording.file}" do
      reading = ReplayGeminiReader.new(recording.bytes)
      result = stream_scripted({provider_class: RAAF::Models::GeminiProvider}, bytes: recording.bytes).result

      parts = result.messages.last.dig(:parts, :items).to_a.map { |item| item[:part] }
      expect(JSON.parse(JSON.generate(parts))).to eq(reading.signed)
      expect(result.finish_reason).to eq(reading.tool_calls.empty? ? "stop" : "tool_calls")
    end
  end
end
