# frozen_string_literal: true

RSpec.describe RAAF::Streaming::ReplayStore::Writer do
  include LifecycleForks
  include LifecycleHelpers

  let(:written) { Queue.new }

  def writer(max_items: 10_000, max_bytes: 10_000, &write)
    described_class.new(max_items: max_items, max_bytes: max_bytes, write: write || ->(batch) { written << batch })
  end

  def taken
    Array.new(written.size) { written.pop }
  end

  it "writes in order, many at once" do
    one = writer
    1000.times { |number| one.push(number, 1) }
    expect(one.flush(LifecycleHelpers::PATIENCE)).to be(true)
    expect(taken.tap { |batches| expect(batches.map(&:size)).to all(be <= 200) }.flatten).to eq([*0...1000])
    expect([one.queued, one.lost]).to eq([0, 0])
  end

  it "tries the same again, and then goes on" do
    without_log do
      tries = []
      one = writer { |batch| ((tries << batch.dup).size < 3) ? raise(IOError, "away") : written << batch }
      one.push(:first, 1)
      eventually("a try") { tries.any? }
      one.push(:second, 1)
      expect(one.flush(LifecycleHelpers::PATIENCE)).to be(true)
      expect(tries.first(3).uniq).to eq([tries.first])
      expect(taken.flatten).to eq(%i[first second])
    end
  end

  it "gives up what waits where the store fails for long, counts it, and takes what comes later" do
    without_log do |log|
      stub_const("#{described_class}::KEEP_SECONDS", 0)
      broken = true
      one = writer { |batch| broken ? raise(IOError, "sk-abcdefghijklmnopqrstuvwxyz0123456789") : written << batch }
      3.times { |number| one.push(number, 1) }
      eventually("the loss") { one.lost == 3 }
      expect(one.queued).to eq(0)
      expect(log.string).to include("IOError").and not_include("abcdefgh")
      broken = false
      one.push(:later, 1)
      expect(one.flush(LifecycleHelpers::PATIENCE)).to be(true)
      expect(taken).to eq([[:later]])
    end
  end

  it "keeps the ends of streams longer, and gives them up too at last" do
    without_log do
      stub_const("#{described_class}::KEEP_SECONDS", 0)
      broken = true
      one = writer { |batch| broken ? raise(IOError, "away") : written << batch }
      [[:frame, false], [:end, true]].each { |item, ends| one.push(item, 1, ends: ends) }
      eventually("the loss") { one.lost == 1 }
      one.push(:later, 1)
      eventually("another loss") { one.lost == 2 }
      broken = false
      expect(one.flush(LifecycleHelpers::PATIENCE)).to be(true)
      expect(taken).to eq([[:end]])

      stub_const("#{described_class}::KEEP_ENDS_SECONDS", 0)
      broken = true
      one.push(:end, 1, ends: true)
      eventually("the loss of all") { one.lost == 3 }
      expect(one.queued).to eq(0)
    end
  end

  it "loses the ends of streams last, where there is no room" do
    gate = Queue.new
    one = writer(max_items: 2) { |batch| gate.pop && written << batch }
    one.push(:taken, 1)
    eventually("the first batch") { gate.num_waiting == 1 }
    [[:end, true], [:a, false], [:b, false]].each { |item, ends| one.push(item, 1, ends: ends) }
    2.times { gate << true }
    expect(one.flush(LifecycleHelpers::PATIENCE)).to be(true)
    expect(taken).to eq([[:taken], %i[end b]])
    expect(one.lost).to eq(1)
  end

  it "loses the oldest of what waits for more bytes than there is room for" do
    gate = Queue.new
    one = writer(max_bytes: 10) { |batch| gate.pop && written << batch }
    one.push(:taken, 1)
    eventually("the first batch") { gate.num_waiting == 1 }
    [[:a, 4], [:b, 4], [:c, 4]].each { |item, bytes| one.push(item, bytes) }
    expect(one.lost).to eq(1)
    2.times { gate << true }
    expect(one.flush(LifecycleHelpers::PATIENCE)).to be(true)
    expect(taken).to eq([[:taken], %i[b c]])
  end

  it "says when the time was too short" do
    gate = Queue.new
    one = writer { |_| gate.pop }
    one.push(1, 1)
    expect(one.flush(0)).to be(false)
    gate << true
    expect(one.flush(LifecycleHelpers::PATIENCE)).to be(true)
  end

  it "leaves to the parent what is the parent's" do
    gate = Queue.new
    one = writer { |batch| gate.pop && written << batch }
    one.push(:parent, 1)
    eventually("the batch") { gate.num_waiting == 1 }
    in_child = in_child do
      gate << true
      nothing = [one.queued, one.flush(0)]
      one.push(:child, 1)
      [nothing, one.flush(LifecycleHelpers::PATIENCE), taken]
    end
    expect(in_child).to eq([[0, true], true, [[:child]]])
    gate << true
    expect(one.flush(LifecycleHelpers::PATIENCE)).to be(true)
    expect(taken).to eq([[:parent]])
  end
end
