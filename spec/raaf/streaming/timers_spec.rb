# frozen_string_literal: true

RSpec.describe RAAF::Streaming::Timers do
  include ReplayHelpers

  subject(:timers) { described_class.new }

  let(:done) { Queue.new }

  def timer(at, &job)
    described_class::Timer.new(described_class.now + at, job)
  end

  it "does things in the order of their times, whatever the order in which it was told" do
    [0.03, 0.01, 0.02].each { |at| timers.add(timer(at) { done << at }) }
    expect(Array.new(3) { done.pop }).to eq([0.01, 0.02, 0.03])
  end

  it "does things of one time in the order in which it was told" do
    at = described_class.now + 0.02
    20.times { |i| timers.add(described_class::Timer.new(at, -> { done << i })) }
    expect(Array.new(20) { done.pop }).to eq((0...20).to_a)
  end

  it "does nothing before its time" do
    asked = described_class.now
    described_class.after(0.02) { done << described_class.now }
    expect(done.pop - asked).to be >= 0.02
  end

  it "leaves out what was cancelled" do
    cancelled = timers.add(timer(0.01) { done << :cancelled })
    described_class.cancel(cancelled)
    timers.add(timer(0.02) { done << :kept })
    expect(done.pop).to eq(:kept)
    expect(done).to be_empty
  end

  it "goes on after a job that raises, and logs it" do
    said = Queue.new
    allow(RAAF::Streaming.logger).to receive(:error) { |message| said << message }
    timers.add(timer(0) { raise "broken" })
    timers.add(timer(0.01) { done << :next })
    expect(done.pop).to eq(:next)
    expect(said.pop).to include("RuntimeError: broken")
  end

  it "uses one thread for all, and another one where somebody has killed it" do
    50.times { timers.add(timer(0) { done << Thread.current }) }
    threads = Array.new(50) { done.pop }.uniq
    expect(threads.size).to eq(1)
    threads.first.kill.join
    timers.add(timer(0) { done << Thread.current })
    expect(done.pop).not_to equal(threads.first)
  end

  it "begins anew in a forked child" do
    described_class.after(60) { done << :parent }
    reader, writer = IO.pipe
    child = fork do
      said = Queue.new
      described_class.after(0) { said << "in the child, which has #{described_class.current.size} others" }
      writer.write(said.pop)
      exit!(0)
    end
    writer.close
    expect(reader.read).to eq("in the child, which has 0 others")
    Process.wait(child)
  end
end
