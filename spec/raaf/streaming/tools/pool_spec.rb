# frozen_string_literal: true

RSpec.describe RAAF::Streaming::Tool::Pool do
  include ReplayHelpers

  subject(:pool) { described_class.new }

  let(:done) { Queue.new }

  it "runs jobs at the same time" do
    gate = Queue.new
    3.times { |i| pool.post(-> { done << i && gate.pop }) }
    expect(Array.new(3) { done.pop }).to contain_exactly(0, 1, 2)
    3.times { gate << nil }
  end

  it "takes an idle thread before it makes another" do
    5.times do
      pool.post(-> { done << Thread.current })
      done.pop
      eventually { pool.instance_variable_get(:@idle) == pool.size }
    end
    expect(pool.size).to eq(1)
  end

  it "makes no more than so many threads, and runs what waits when one is free" do
    gate = Queue.new
    jobs = described_class::MOST_THREADS + 5
    jobs.times { |i| pool.post(-> { done << i && gate.pop }) }
    eventually { done.size == described_class::MOST_THREADS }
    expect(pool.size).to eq(described_class::MOST_THREADS)
    jobs.times { gate << nil }
    expect(Array.new(jobs) { done.pop }).to match_array(0...jobs)
  end

  it "gives a job of a job's a thread of its own, so that who waits for it does not wait for himself" do
    outer = described_class::MOST_THREADS
    outer.times do |i|
      pool.post(lambda do
        inner = Queue.new
        pool.post(-> { inner << i })
        done << inner.pop
      end)
    end
    expect(Array.new(outer) { done.pop }).to match_array(0...outer)
  end

  it "has a thread for the next job where a job has ended its own" do
    pool.post(-> { Thread.exit })
    pool.post(-> { done << :next })
    expect(done.pop).to eq(:next)
  end

  it "lets a job be interrupted although whoever posted it had put interrupts off" do
    Thread.handle_interrupt(Object => :never) { pool.post(-> { done << Thread.current && sleep }) }
    thread = done.pop
    thread.kill
    expect(thread.join(10)).to equal(thread)
  end

  it "belongs to one process" do
    expect(pool).to be_here
    described_class.post { done << Process.pid }
    expect(done.pop).to eq(Process.pid)
    reader, writer = IO.pipe
    child = fork do
      reader.close
      said = Queue.new
      described_class.post { said << "in the child" }
      writer.write(said.pop)
      writer.close
      exit!(0)
    end
    writer.close
    expect(reader.read).to eq("in the child")
    Process.wait(child)
  end
end
