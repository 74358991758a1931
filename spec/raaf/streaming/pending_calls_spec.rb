# frozen_string_literal: true

require "raaf/streaming/pending_calls"

RSpec.describe RAAF::Streaming::PendingCalls do
  subject(:pending) { described_class.new }

  def names(*messages)
    messages.map { |message| pending.take(message)&.name }
  end

  before do
    pending.add("a", "weather")
    pending.add(nil, "time", wire_id: "w")
    pending.add("c", "weather")
  end

  it "are found by id, each once" do
    expect(names({tool_call_id: "c"}, {tool_call_id: "a"}, {tool_call_id: "a"})).to eq(["weather", "weather", nil])
  end

  it "are found by name where the id tells nothing" do
    expect(names({name: :time}, {tool_call_id: "x", name: "weather"})).to eq(%w[time weather])
  end

  it "are found by place where the message says nothing" do
    expect(names({}, {}, {}, {})).to eq(["weather", "time", "weather", nil])
  end

  it "know the id on the wire" do
    expect(pending.take({name: "time"}).wire_id).to eq("w")
    expect(pending.take({tool_call_id: "a"}).wire_id).to eq("a")
  end

  it "without an id belong to one turn" do
    pending.begin_turn
    expect(names({name: "time"}, {tool_call_id: "a"})).to eq([nil, "weather"])
  end
end
