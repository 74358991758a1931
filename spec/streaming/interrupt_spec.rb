# frozen_string_literal: true

require "timeout"

RSpec.describe "Leaving a stream early" do
  include_context "with a model server"

  # Something that comes from outside, and is not rescued by what is under test.
  let(:outside) { Class.new(StandardError) }

  # What ends a thread from outside, as code for another thread.
  let(:interruptions) do
    {"Thread#kill" => ->(thread) { thread.kill }, "Thread#raise" => ->(thread) { thread.raise(outside) }}
  end

  # Whatever happened: the provider's connection is closed, nothing runs, nothing is lost, and the runner works.
  def expect_nothing_left(request)
    server.wait_for_close(request)
    until_idle
    server.clear_scripts.script(deltas: %w[a g a i n])
    expect(runner.run_and_stream("Hi").final_output).to eq("again")
    expect(RAAF::Streaming::Reactor.stats[:active]).to eq(0)
  end

  # Runs a whole call on a thread that somebody else ends.
  def on_a_thread
    Thread.new { yield }.tap { |thread| thread.report_on_exception = false }
  end

  def end_of(thread)
    thread.join(LifecycleHelpers::PATIENCE) or raise "it did not end"
    :ended
  rescue outside
    :raised
  end

  context "while nothing has come" do
    before { server.script(**no_answer) }

    ["Thread#kill", "Thread#raise"].each do |name|
      it "ends the request: #{name}", :backends do
        thread = on_a_thread { runner.run_and_stream("Hi") { raise "nothing should come" } }
        request = server.wait_for_request
        until_asleep(thread)

        interruptions.fetch(name).call(thread)

        expect(end_of(thread)).to eq((name == "Thread#kill") ? :ended : :raised)
        expect_nothing_left(request)
      end
    end

    it "ends the request: Timeout.timeout", :backends do
      expect { Timeout.timeout(0.2) { runner.run_and_stream("Hi") { raise "nothing should come" } } }
        .to raise_error(Timeout::Error)
      expect_nothing_left(server.wait_for_request)
    end

    it "ends the request of a call without a block" do
      expect { Timeout.timeout(0.2) { runner.run_and_stream("Hi") } }.to raise_error(Timeout::Error)
      expect_nothing_left(server.wait_for_request)
    end

    it "ends the request of a handle that is waited for" do
      stream = runner.stream("Hi")
      expect { Timeout.timeout(0.2) { stream.result } }.to raise_error(Timeout::Error)

      expect_nothing_left(server.wait_for_request)
      expect(stream.status).to eq(:cancelled)
      expect { stream.result }.to raise_error(RAAF::Errors::CancelledError, /not taken to the end/)
    end
  end

  context "while waiting in the middle of the answer" do
    before { server.script(**silence_after("Hel", "lo")) }

    ["Thread#kill", "Thread#raise"].each do |name|
      it "ends the request: #{name}", :backends do
        arrivals = Queue.new
        thread = on_a_thread { runner.run_and_stream("Hi") { |chunk| arrivals << chunk } }
        2.times { arrivals.pop }
        until_asleep(thread)

        interruptions.fetch(name).call(thread)

        end_of(thread)
        expect(arrivals).to be_empty
        expect_nothing_left(server.requests.first)
      end
    end

    it "ends the request: Timeout.timeout" do
      chunks = []
      expect { Timeout.timeout(0.5) { runner.run_and_stream("Hi") { |chunk| chunks << chunk } } }
        .to raise_error(Timeout::Error)
      expect(chunks.map(&:delta)).to eq(%w[Hel lo])
      expect_nothing_left(server.requests.first)
    end
  end

  context "inside the block" do
    before { server.script(**silence_after("Hel", "lo")) }

    ["Thread#kill", "Thread#raise"].each do |name|
      it "ends the request: #{name}" do
        arrivals = Queue.new
        never = Queue.new
        thread = on_a_thread do
          runner.run_and_stream("Hi") do |chunk|
            arrivals << chunk
            never.pop
          end
        end
        arrivals.pop
        until_asleep(thread)

        interruptions.fetch(name).call(thread)

        end_of(thread)
        expect_nothing_left(server.requests.first)
      end
    end

    it "ends the request: Timeout.timeout" do
      never = Queue.new
      expect { Timeout.timeout(0.2) { runner.run_and_stream("Hi") { never.pop } } }.to raise_error(Timeout::Error)
      expect_nothing_left(server.wait_for_request)
    end

    it "ends the request: break, whose value is the call's" do
      value = runner.run_and_stream("Hi") { |chunk| break chunk.delta }

      expect(value).to eq("Hel")
      expect_nothing_left(server.requests.first)
    end

    it "ends the request: return" do
      def first_words
        runner.run_and_stream("Hi") { |chunk| return chunk.delta }
      end

      expect(first_words).to eq("Hel")
      expect_nothing_left(server.requests.first)
    end

    it "ends the request: throw" do
      expect(catch(:enough) { runner.run_and_stream("Hi") { |chunk| throw :enough, chunk.delta } }).to eq("Hel")
      expect_nothing_left(server.requests.first)
    end

    it "ends the request: raise, and the exception comes through as it is" do
      error = outside.new("mine")
      expect { runner.run_and_stream("Hi") { raise error } }.to raise_error { |raised| expect(raised).to equal(error) }
      expect_nothing_left(server.requests.first)
    end

    it "ends the request: Thread.exit" do
      on_a_thread { runner.run_and_stream("Hi") { Thread.exit } }.join
      expect_nothing_left(server.requests.first)
    end

    it "ends the request: StopIteration, which `loop` takes for its end" do
      loop { runner.run_and_stream("Hi") { raise StopIteration } }
      expect_nothing_left(server.requests.first)
    end

    it "goes on: next" do
      server.clear_scripts.script(deltas: %w[Hel lo])
      types = []
      runner.run_and_stream("Hi") do |chunk|
        types << chunk.type
        next
      end

      expect(types).to eq(%i[content content complete])
    end
  end

  it "takes nothing from a caller who leaves with the last chunk" do
    server.script(deltas: %w[Hello])
    stream = runner.stream("Hi")

    expect(stream.each { |chunk| break chunk.type if chunk.terminal? }).to eq(:complete)

    expect(stream.status).to eq(:complete)
    expect(stream.result.final_output).to eq("Hello")
  end

  it "leaves what an exception in the last chunk's block says of the run" do
    server.script(deltas: %w[Hello])
    stream = runner.stream("Hi")

    expect { stream.each { |chunk| raise outside if chunk.complete? } }.to raise_error(outside)
    expect(stream.result.final_output).to eq("Hello")
  end

  it "frees its place among max_concurrent_streams at once" do
    server.default_script(**silence_after("Hel"), repeat: true)
    said = Array.new(50) do
      runner.run_and_stream("Hi", max_concurrent_streams: 1) { |chunk| break chunk.delta }
    end

    expect(said).to all(eq("Hel"))
  end

  # 200 threads that are ended wherever they happen to be.
  # A run that may go on after a failure keeps its place until it says that it does not.
  it "frees the place of a run that has failed, where that is interrupted in the middle of its end" do
    server.script(status: 500)
    provider = RAAF::Models::OpenAIProvider.new(api_key: "key", base_url: server.base_url)
    agent = RAAF::Agent.new(name: "Assistant", model: "gpt-4o", provider: provider)
    stream = RAAF::Streaming::ResilientRunner.new(agent: agent, backup_providers: [], max_retries: 0).stream("Hi")
    once = Class.new(Exception) # rubocop:disable Lint/InheritException
    leaving = TracePoint.new(:c_call) do |event|
      next unless event.self.is_a?(RAAF::Streaming::Place) && event.method_id == :leave

      leaving.disable
      raise once
    end

    expect { leaving.enable { stream.each { |chunk| chunk.delta } } }.to raise_error(once)
    expect(stream).to be_finished
    expect(RAAF::Streaming::Place.counts).to eq([0, 0])
  end

  describe "at any moment", :backends do
    def be_ended_somehow(random)
      pause = random.rand * 0.02
      case random.rand(3)
      when 0 then Timeout.timeout(pause) { runner.run_and_stream("Hi") { |chunk| chunk.delta } }
      when 1 then throw_out(pause, outside)
      else throw_out(pause, nil)
      end
    rescue Timeout::Error, outside
      nil
    end

    def throw_out(pause, error)
      thread = on_a_thread { runner.run_and_stream("Hi") { |chunk| chunk.delta } }
      sleep(pause) # a random moment, not a condition
      error ? thread.raise(error) : thread.kill
      thread.join(LifecycleHelpers::PATIENCE) or raise "a thread does not end: #{thread.backtrace}"
    end

    # The dispatcher's sleepers of other examples come and go; those of this one are counted.
    def wakers
      RAAF::Streaming::Reactor.idle_wakers
    end

    it "leaves nothing behind" do
      server.default_script(demo: true, tokens: 8, delay: 0.001, first_delay: 0.002)
      runner.run_and_stream("Hi") { |chunk| chunk.delta }
      until_idle
      before, wakers_before = descriptors, wakers

      consumers = Array.new(4) do |i|
        Thread.new(Random.new(RSpec.configuration.seed + i)) { |random| 50.times { be_ended_somehow(random) } }
      end
      consumers.each(&:join)
      until_idle

      expect(wakers).to be_between(wakers_before, wakers_before + 8)
      # The wakers, and both ends of the connections that are kept for the next request.
      most = before + (wakers - wakers_before) + (2 * RAAF::Streaming.configuration.connection_pool_size)
      eventually("the end of the connections") { descriptors <= most }
      expect(runner.run_and_stream("Hi")).to be_success
    end
  end
end
