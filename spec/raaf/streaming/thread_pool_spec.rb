# frozen_string_literal: true

RSpec.describe RAAF::Streaming::ThreadPool do
  include ReplayHelpers

  subject(:pool) { described_class.new }

  let(:most) { described_class::MOST_THREADS }
  let(:done) { Queue.new }

  it "runs jobs at the same time" do
    gate = Queue.new
    3.times { |i| pool.post { done << i && gate.pop } }
    expect(Array.new(3) { done.pop }).to contain_exactly(0, 1, 2)
    3.times { gate << nil }
  end

  it "takes anything that can be called" do
    pool.post(done.method(:close))
    eventually { done.closed? }
  end

  it "takes an idle thread before it makes another" do
    5.times do
      pool.post { done << Thread.current }
      done.pop
      eventually { pool.instance_variable_get(:@idle) == pool.size }
    end
    expect(pool.size).to eq(1)
  end

  it "makes no more than so many threads, and runs what waits when one is free" do
    gate = Queue.new
    jobs = most + 5
    jobs.times { |i| pool.post { done << i && gate.pop } }
    eventually { done.size == most }
    expect(pool.size).to eq(most)
    jobs.times { gate << nil }
    expect(Array.new(jobs) { done.pop }).to match_array(0...jobs)
  end

  it "gives a nested job a thread of its own, so that who waits for it does not wait for himself" do
    nested = described_class.new("nested", nested: true)
    most.times do |i|
      nested.post do
        inner = Queue.new
        nested.post { inner << i }
        done << inner.pop
      end
    end
    expect(Array.new(most) { done.pop }).to match_array(0...most)
  end

  it "makes no thread for a job of a job's where nobody waits for it" do
    gate = Queue.new
    most.times { pool.post { pool.post { done << pool.size } && gate.pop } }
    eventually { pool.instance_variable_get(:@jobs).size == most }
    most.times { gate << nil }
    expect(Array.new(most) { done.pop }).to all(be <= most)
  end

  it "has a thread for the next job where a job has ended its own" do
    pool.post { Thread.exit }
    pool.post { done << :next }
    expect(done.pop).to eq(:next)
  end

  it "leaves the jobs of the parent to the parent, where a job forks and goes on" do
    reader, writer = IO.pipe
    gate = Queue.new
    go = Queue.new
    (most - 1).times { pool.post { gate.pop } }
    pool.post { go.pop && done << fork }
    eventually { pool.size == most && go.num_waiting == 1 }
    pool.post { writer.write("#{Process.pid}\n") }
    go << true
    Process.wait(done.pop)
    writer.close
    expect(reader.read).to eq("#{Process.pid}\n")
    (most - 1).times { gate << nil }
  end

  it "knows its own threads" do
    pool.post { done << pool.inside? }
    expect(done.pop).to be(true)
    described_class.new.post { done << pool.inside? }
    expect(done.pop).to be(false)
    expect(pool).not_to be_inside
  end

  it "lets a job be interrupted although whoever posted it had put interrupts off" do
    Thread.handle_interrupt(Object => :never) { pool.post { done << Thread.current && sleep } }
    thread = done.pop
    thread.kill
    expect(thread.join(10)).to equal(thread)
  end

  it "has one pool a purpose and process" do
    expect(described_class.tools).to equal(described_class.tools)
    expect(described_class.tools).not_to equal(described_class.handlers)
    described_class.handlers.post { done << Process.pid }
    expect(done.pop).to eq(Process.pid)
    reader, writer = IO.pipe
    child = fork do
      reader.close
      said = Queue.new
      described_class.handlers.post { said << "in the child" }
      writer.write(said.pop)
      writer.close
      exit!(0)
    end
    writer.close
    expect(reader.read).to eq("in the child")
    Process.wait(child)
  end
end
