# frozen_string_literal: true

RSpec.describe RAAF::Streaming::RunContext do
  it "makes a random id, once" do
    context = described_class.new
    expect(context.stream_id).to match(/\A\h{8}-\h{4}-4\h{3}-[89ab]\h{3}-\h{12}\z/).and equal(context.stream_id)
  end

  it "makes one id for many threads" do
    context = described_class.new
    expect(Array.new(20) { Thread.new { context.stream_id } }.map(&:value).uniq.size).to eq(1)
  end

  it "gives every stream its own" do
    expect(described_class.new.stream_id).not_to eq(described_class.new.stream_id)
  end

  it "takes an id that is given" do
    expect(described_class.new(stream_id: "s1").stream_id).to eq("s1")
  end

  it "tells what it knows" do
    context = described_class.new(stream_id: "s1", session_id: "7_ab", user_id: 7, provider: "openai")
    expect(context.to_h).to eq(stream_id: "s1", session_id: "7_ab", user_id: 7, provider: "openai")
  end

  it "has no setters" do
    expect(described_class.public_instance_methods(false).grep(/=\z/)).to eq([])
  end
end
