# frozen_string_literal: true

RSpec.describe RAAF::Streaming::Delivery do
  include_context "with a model server"

  # As the engine has it; without it nothing is kept.
  before { described_class.keep }

  after { described_class.instance_variable_set(:@kept, false) }

  def current_of(chunk)
    delivery = described_class.current
    [delivery.stream.id, delivery.chunk.equal?(chunk)]
  end

  it "knows the stream and the chunk inside a block, and nothing outside" do
    server.script(deltas: %w[a b])
    seen = []
    stream = runner.stream("Hi")
    stream.each { |chunk| seen << current_of(chunk) }

    expect(seen).to eq([[stream.id, true]] * 3)
    expect(described_class.current).to be_nil
  end

  it "knows them inside callbacks" do
    server.script(deltas: %w[a b])
    seen = Queue.new
    stream = runner.stream("Hi")
    stream.on { |chunk| seen << current_of(chunk) }.wait(20)

    expect(Array.new(seen.size) { seen.pop }.uniq).to eq([[stream.id, true]])
  end

  it "gives way to a stream inside the block of another, and comes back" do
    2.times { server.script(deltas: %w[a]) }
    ids = []
    runner.run_and_stream("Hi") do |outer|
      before = described_class.current.stream.id
      runner.run_and_stream("Hi") { ids << described_class.current.stream.id } if outer.content?
      ids << before << described_class.current.stream.id
    end

    inner, _, *outer = ids
    expect(outer.uniq.size).to eq(1)
    expect(outer).not_to include(inner)
  end

  it "is gone after a block that was left early" do
    server.script(deltas: %w[a b])
    runner.run_and_stream("Hi") { break }
    server.script(deltas: %w[a b])
    expect { runner.run_and_stream("Hi") { raise "mine" } }.to raise_error("mine")
    expect(described_class.current).to be_nil
  end

  it "counts for each place apart, from 1 and without a gap, whatever the chunks' own numbers are" do
    server.script(deltas: %w[a b])
    stamps = Hash.new { |hash, place| hash[place] = [] }
    runner.run_and_stream("Hi") do |chunk|
      delivery = described_class.current
      2.times { stamps["twice"] << delivery.stamp("twice", {})[:raaf] }
      stamps["rarely"] << delivery.stamp("rarely", {})[:raaf] unless chunk.delta == "a"
    end

    expect(stamps["twice"].map { |stamp| stamp[:seq] }).to eq([1, 2, 3, 4, 5, 6])
    expect(stamps["rarely"].map { |stamp| stamp.slice(:seq, :attempt, :terminal) })
      .to eq([{seq: 1, attempt: 1, terminal: false}, {seq: 2, attempt: 1, terminal: true}])
    expect(stamps.values.flatten.map { |stamp| stamp[:stream_id] }.uniq.size).to eq(1)
  end

  it "says with the last one that somebody wanted the stream to end, and with no other" do
    server.script(deltas: %w[a], keep_open: true, finish_reason: nil, done: false)
    stamps = []
    stream = runner.stream("Hi")
    taking = lambda do
      stream.each do |chunk|
        stamps << described_class.current.stamp("place", {})[:raaf]
        stream.cancel if chunk.content?
      end
    end

    expect(&taking).to raise_error(RAAF::Errors::CancelledError)
    expect(stamps.map { |stamp| stamp.slice(:terminal, :cancelled) })
      .to eq([{terminal: false}, {terminal: true, cancelled: true}])
  end
end
