# frozen_string_literal: true

require "json"

RSpec.describe "Many streams at once" do
  include LifecycleHelpers
  include LifecycleScripts
  include LifecycleServe

  # Prints what a thousand handles with callbacks cost and gave, as JSON.
  thousand = <<~'RUBY'
    require "json"
    count, tokens = ARGV.drop(1).map(&:to_i)
    soft, hard = Process.getrlimit(:NOFILE)
    Process.setrlimit(:NOFILE, [hard, 4 * count].min, hard) if soft < 4 * count
    threads = -> { [Thread.list.size, File.read("/proc/self/status")[/^Threads:\s*(\d+)/, 1].to_i] }
    asking = runner(max_concurrent_streams: count)

    deltas = Array.new(count) { +"" }
    counts = Array.new(count, 0)
    streams = Array.new(count) do |i|
      asking.stream("Stream #{i}").on(:content) { |chunk| deltas[i] << chunk.delta; counts[i] += 1 }
    end
    active = RAAF::Streaming::Reactor.stats[:active]
    limit = begin
      asking.stream("One more")
    rescue RAAF::Errors::StreamLimitError => e
      e.limit
    end
    sleep(0.01) until counts.all?(&:positive?)
    most = threads.call
    whole = streams.each_with_index.count do |stream, i|
      stream.result.final_output == deltas[i] && counts[i] == tokens && stream.result.finish_reason == "stop"
    end
    after = RAAF::Streaming::Reactor.stats
    puts JSON.generate(active: active, limit: limit, ruby_threads: most[0], threads: most[1], whole: whole,
      different: deltas.uniq.size, left: after[:active], reactor: after[:transfers])
  RUBY

  it "take one native thread and a few Ruby threads for a thousand, and every one is whole" do
    serving("--tokens", "20", "--delay", "150") do |base_url|
      script = run_script(thousand, base_url, "1000", "20", within: 50)

      expect(script.errors).to eq("")
      expect(JSON.parse(script.output, symbolize_names: true)).to include(
        active: 1000, limit: "max_concurrent_streams", whole: 1000, left: 0, reactor: 1000,
        ruby_threads: be <= 18, # main, 16 for callbacks at most, their watcher
        threads: be <= 20 # and the reactor, and Ruby's timer
      )
    end
  end

  it "may be taken by a thread each" do
    serving("--tokens", "30", "--delay", "5") do |base_url|
      runner = runner_for(base_url)
      takings = Array.new(50) { take(runner.stream("Hi")) }

      expect(takings.map { |taking| taking.types.tally }).to all(eq({content: 30, complete: 1}))
      expect(takings.map { |taking| taking.chunks.map(&:seq) }).to all(eq((1..31).to_a))
      until_idle
    end
  end

  it "may be started and taken by threads that share a runner" do
    serving("--tokens", "3", "--delay", "0", "--first-delay", "0") do |base_url|
      runner = runner_for(base_url)
      texts = Array.new(10) { Thread.new { Array.new(30) { runner.run_and_stream("Hi").final_output } } }.map(&:value)

      expect(texts.flatten.size).to eq(300)
      expect(texts.flatten.uniq.size).to eq(1)
      until_idle
    end
  end
end

RSpec.describe RAAF::Streaming::Configuration, "#max_concurrent_streams" do
  include_context "with a model server"

  let(:one) { runner_for(server.base_url, max_concurrent_streams: 1) }

  def expect_full
    expect { one.stream("Hi") }.to raise_error(RAAF::Errors::StreamLimitError, /max_concurrent_streams/) { |error|
      expect(error).to have_attributes(limit: :max_concurrent_streams, provider: "openai", retryable?: true)
    }
    expect { one.run_and_stream("Hi") { nil } }.to raise_error(RAAF::Errors::StreamLimitError)
  end

  it "refuses one more before a byte is sent" do
    server.default_script(**no_answer, repeat: true)
    stream = one.stream("Hi")
    server.wait_for_request

    expect_full

    expect(server.requests.size).to eq(1)
    expect(server.connections).to eq(1)
    stream.cancel
  end

  # Every way in which a stream can come to its end: it gets one that runs, and has it ended when it returns.
  ends = {
    "the whole answer" => [{deltas: %w[Hi]}, ->(stream) { stream.result }],
    "an error status" => [{status: 401}, ->(stream) { stream.wait }],
    "a cut connection" => [{deltas: %w[Hi], fault: :cut, after: 2}, ->(stream) { stream.wait }],
    "a cancel" => [{fault: :no_response}, ->(stream) { stream.cancel }],
    "a break" => [{deltas: %w[Hi], keep_open: true, done: false, finish_reason: nil}, ->(stream) { stream.first }],
    "an exception in the block" => [{deltas: %w[Hi], keep_open: true, done: false, finish_reason: nil},
      ->(stream) { stream.each { raise "mine" } rescue nil }], # rubocop:disable Style/RescueModifier
    "a killed thread" => [{fault: :no_response}, lambda do |stream|
      thread = Thread.new { stream.wait }
      Thread.pass until thread.status == "sleep"
      thread.kill.join
    end],
    "a shutdown" => [{fault: :no_response}, ->(_) { RAAF::Streaming.shutdown }]
  }

  ends.each do |how, (script, finish)|
    it "gives the place free with #{how}" do
      server.script(**script)
      stream = one.stream("Hi")
      server.wait_for_request

      finish.call(stream)

      server.clear_scripts.script(deltas: %w[next])
      expect(one.run_and_stream("Hi").final_output).to eq("next")
    end
  end

  it "gives the place free with a timeout, and with a callback that raises" do
    server.script(**no_answer)
    one.stream("Hi", first_token_timeout: 0.05).wait
    server.script(**silence_after("Hel"))
    without_log { one.stream("Hi").on(:content) { raise "mine" }.wait }

    server.script(deltas: %w[next])
    expect(one.run_and_stream("Hi").final_output).to eq("next")
  end

  it "gives the place free when a handle is collected that nobody holds" do
    server.script(**no_answer)
    Thread.new { one.stream("Hi") && nil }.join
    eventually do
      Thread.new { Array.new(100) { Object.new } && nil }.join
      GC.start
      reactor_count(:active).zero?
    end

    server.script(deltas: %w[next])
    expect(one.run_and_stream("Hi").final_output).to eq("next")
  end

  it "has room for the next stream when the last chunk is there" do
    server.default_script(deltas: %w[Hi], repeat: true)
    texts = []

    one.run_and_stream("Hi") { |chunk| texts << one.run_and_stream("Hi").final_output if chunk.complete? }

    expect(texts).to eq(%w[Hi])
  end

  it "is counted over all runners and threads, and is not there where it is nil" do
    server.default_script(**no_answer, repeat: true)
    started = Array.new(8) do
      Thread.new do
        Array.new(5) do
          runner_for(server.base_url, max_concurrent_streams: 10).stream("Hi")
        rescue RAAF::Errors::StreamLimitError
          nil
        end
      end
    end.flat_map(&:value).compact

    expect(started.size).to eq(10)
    more = Array.new(5) { runner_for(server.base_url, max_concurrent_streams: nil).stream("Hi") }
    expect(reactor_count(:active)).to eq(15)
    (started + more).each(&:cancel)
  end
end
