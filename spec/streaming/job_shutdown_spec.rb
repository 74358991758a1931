# frozen_string_literal: true

require "raaf/streaming/rails/job_shutdown"

RSpec.describe RAAF::Streaming::JobShutdown do
  let(:shutdown) { described_class::Shutdown }
  let(:events) { Queue.new }

  # A job on a thread of its own, which says how it has ended.
  def job(&body)
    Thread.new do
      described_class.allow(&body).then { |value| events << value }
    rescue Interrupt => e
      events << e.class
    end
  end

  it "interrupts the jobs that run, which a rescue of theirs does not keep from it" do
    jobs = Array.new(2) do
      job do
        events << :runs
        sleep
      rescue
        events << :rescued
      end
    end
    2.times { events.pop }
    described_class.interrupt
    expect([events.pop, events.pop]).to eq([shutdown, shutdown])
  ensure
    jobs&.each(&:join)
  end

  it "does it before the worker's time is over" do
    running = job { (events << :runs) && sleep }
    events.pop
    described_class.worker_stops(0.1)
    expect(events.pop).to eq(shutdown)
  ensure
    running&.join
  end

  it "leaves alone what has come to its end, and what comes after it" do
    expect(described_class.allow { :value }).to eq(:value)
    expect { described_class.allow { raise IOError } }.to raise_error(IOError)
    described_class.interrupt
    expect(Thread.new { Thread.pass }.join(20)).not_to be_nil
  end

  it "never interrupts what comes after a job, at whichever moment it is told" do
    run = -> do
      begin
        described_class.allow { Thread.pass }
      rescue shutdown
        nil
      end
      Thread.pass # a shutdown here would end the thread by an error
      :whole
    end
    ends = Array.new(300) do
      thread = Thread.new(&run)
      described_class.interrupt
      thread.value
    end
    expect(ends.uniq).to eq([:whole])
  end

  it "interrupts the outermost of jobs that perform others, once" do
    running = job do
      described_class.allow { (events << :runs) && sleep }
    ensure
      events << :left
    end
    events.pop
    described_class.interrupt
    expect([events.pop, events.pop]).to eq([:left, shutdown])
  ensure
    running&.join
  end
end
