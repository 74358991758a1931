# frozen_string_literal: true

require "active_support"
require "active_support/time"

RSpec.describe RAAF::Streaming::EventBus::Event do
  subject(:event) { described_class.new(:agent_error, payload) }

  let(:payload) { {:agent => "Writer", :error => "none", "key" => 1, nil => 2} }

  it "reads the payload by its keys, and says nil for others" do
    expect([event[:agent], event["key"], event[nil], event[:other], described_class.new(:a)[:b]])
      .to eq(["Writer", 1, 2, nil, nil])
    expect(described_class.new(:a, Hash.new { |_, key| "made #{key}" })[:b]).to eq("made b")
  end

  it "has the same id whenever, and by whomever, it is asked" do
    gate = Queue.new
    ids = Array.new(8) { Thread.new { gate.pop && event.id } }.tap { 8.times { gate << 1 } }.map(&:value)
    expect(ids.uniq).to eq([event.id])
    expect(event.id).to be_frozen
    expect(described_class.new(:a).id).not_to eq(event.id)
  end

  it "has the time at which it was made, in Time.zone's zone where there is one" do
    before = Time.now
    made = described_class.new(:a)
    after = Time.now
    expect(made.timestamp).to be_between(before, after)
    expect(made.timestamp).to eq(made.timestamp)
    expect(made.timestamp).to be_an_instance_of(Time)
    Time.use_zone("Tokyo") do
      expect(made.timestamp).to be_between(before, after)
      expect([made.timestamp.class, made.timestamp.utc_offset]).to eq([ActiveSupport::TimeWithZone, 9 * 3600])
    end
  end

  it "matches patterns, as a Hash and as a pair" do
    matched = case event
    in {type: :agent_error, payload: {agent: String => agent}, id:} then [agent, id]
    end
    expect(matched).to eq(["Writer", event.id])
    case event
    in [:agent_error, {error:}] then expect(error).to eq("none")
    end
    expect(event.deconstruct_keys(%i[type agent])).to eq(type: :agent_error)
    expect(event.deconstruct_keys(nil)).to eq(event.to_h)
  end

  it "becomes a Hash" do
    expect(event.to_h).to eq(type: :agent_error, payload: payload, timestamp: event.timestamp, id: event.id)
  end

  it "shows the payload's keys, and not what may be private" do
    expect(event.inspect).to eq(%(#<RAAF::Streaming::EventBus::Event :agent_error [:agent, :error, "key", nil]>))
    expect(described_class.new(:a, 5).inspect).to include(":a Integer")
    expect(event.stop!.inspect).to include("stopped")
  end

  it "wants a type" do
    expect(described_class.new("a b").type).to eq(:"a b")
    expect { described_class.new(5) }.to raise_error(TypeError, /Integer/)
    expect { described_class.new }.to raise_error(ArgumentError)
    expect { event.type = nil }.to raise_error(TypeError)
  end

  it "changes nothing once it is frozen, but still gets its id" do
    event.freeze
    expect { event.type = :b }.to raise_error(FrozenError)
    expect { event.payload = {} }.to raise_error(FrozenError)
    expect { event.stop! }.to raise_error(FrozenError)
    expect { event.send(:initialize, :b) }.to raise_error(FrozenError)
    expect(event.id).to be_a(String)
  end

  it "takes a subclass, and no copy" do
    expect(Class.new(described_class).new(:a, b: 1)[:b]).to eq(1)
    expect { event.dup }.to raise_error(NoMethodError)
  end
end
