# frozen_string_literal: true

require "spec_helper"

RSpec.describe RAAF::Streaming::Origin do
  let(:runner) { RAAF::Streaming::AsyncRunner.new(agent: agent) }
  let(:agent) { RAAF::Agent.new(name: "A", instructions: "Be brief.", model: "gpt-4o", provider: provider) }
  let(:provider) { RAAF::Testing::MockProvider.new }

  before { 4.times { provider.add_streaming_response(chunks: ["Hello"]) } }

  it "names the streams that are begun meanwhile, and says whose they are" do
    origin = described_class.new(stream_id: "9b2f", session_id: 7, user_id: 1, attempt: 3)
    first, second = described_class.within(origin) { Array.new(2) { runner.stream("Hi") } }

    expect([first.id, second.id]).to eq(%w[9b2f 9b2f-2])
    expect(first.to_a.last).to have_attributes(session_id: "7", user_id: 1)
    expect(second.wait.result.final_output).to eq("Hello")
  end

  it "gives way to what the caller and the runner say" do
    mine = RAAF::Streaming::AsyncRunner.new(agent: agent, user_id: 2)
    origin = described_class.new(session_id: "7", user_id: 1)
    streams = described_class.within(origin) { [mine.stream("Hi", session_id: "8"), mine.stream("Hi", user_id: 3)] }
    whose = streams.map { |stream| stream.to_a.last.then { |chunk| [chunk.session_id, chunk.user_id] } }

    expect(whose).to eq([["8", 2], ["7", 3]])
  end

  it "holds for the block and the fiber only" do
    origin = described_class.new(stream_id: "9b2f")
    described_class.within(origin) do
      expect(described_class.current).to be(origin)
      expect(Fiber.new { described_class.current }.resume).to be_nil
      described_class.within(nil) { expect(described_class.current).to be_nil }
      expect { described_class.within(nil) { raise "out" } }.to raise_error("out")
      expect(described_class.current).to be(origin)
    end
    expect(described_class.current).to be_nil
    expect(runner.stream("Hi").id).to match(/\A\h{8}-/)
  end
end
