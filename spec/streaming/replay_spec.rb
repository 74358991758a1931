# frozen_string_literal: true

# Real providers' bytes over a real socket, against a reading of the same bytes in plain Ruby.
RSpec.describe "Recorded streams" do
  include ReplayExamples

  let(:dialect) { :openai_chat }
  let(:provider) { RAAF::Models::OpenAIProvider }

  def read_plainly(bytes)
    ReplayReader.new(bytes)
  end

  recordings = ReplayRecordings.openai_chat

  it "are there" do
    skip ReplayRecordings::ABSENT if recordings.empty?

    expect(recordings.map(&:provider).uniq.size).to be > 5
    readings = recordings.map { |recording| ReplayReader.new(recording.bytes) }
    expect(readings).to all(satisfy { |reading| reading.finish_reason })
    expect(readings.map(&:text).join).to match(/\p{Alpha}{3}/)
    expect(readings.sum { |reading| reading.tool_calls.size }).to be > 5
    expect(readings.map { |reading| reading.joined(:reasoning) }.join).not_to be_empty
  end

  recordings.each do |recording|
    describe(recording.file) { it_behaves_like "a recorded stream", recording }
  end
end
