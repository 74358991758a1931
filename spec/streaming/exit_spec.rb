# frozen_string_literal: true

RSpec.describe "A process that ends while it streams" do
  include_context "with a model server"
  include LifecycleScripts

  # Seconds. It takes milliseconds; what is asked for is 2 s for the native thread and 2 s for callbacks.
  let(:bound) { ENV["RAAF_SLOW"] ? 50 : 5 }

  before { server.default_script(**silence_after("Hel"), repeat: true) }

  # Scripts that print "ready" when they stream, and then do so until something ends them.
  busy = {
    "the main thread takes the chunks" => <<~RUBY,
      runner.run_and_stream("Hi") { puts "ready" }
    RUBY
    "the main thread waits for the first token" => <<~RUBY,
      Thread.new { Thread.pass until Thread.main.status == "sleep"; puts "ready" }
      runner(ARGV[0] + "/silent").run_and_stream("Hi")
    RUBY
    "callbacks run" => <<~RUBY,
      heard = Queue.new
      20.times { runner.stream("Hi").on { heard << 1 } }
      20.times { heard.pop }
      puts "ready"
      sleep
    RUBY
    "a callback blocks" => <<~RUBY,
      heard = Queue.new
      runner.stream("Hi").on { heard << 1; sleep }
      heard.pop
      puts "ready"
      sleep
    RUBY
    "other threads take the chunks" => <<~RUBY,
      heard = Queue.new
      10.times { Thread.new { runner.run_and_stream("Hi") { heard << 1 } } }
      10.times { heard.pop }
      puts "ready"
      sleep
    RUBY
    "nobody takes the chunks of its handles" => <<~RUBY
      streams = Array.new(20) { runner.stream("Hi") }
      sleep(0.01) until streams.all? { |stream| stream.status == :streaming }
      puts "ready"
      sleep
    RUBY
  }

  %w[INT TERM].each do |name|
    busy.each do |what, source|
      it "ends at SIG#{name} while #{what}" do
        server.script(**no_answer) if what.include?("first token")
        script = start_script(source, server.base_url)
        expect(script.line).to eq("ready")

        script.signal(name).finish

        expect(script.seconds).to be < bound
        expect(script.status.termsig).to eq(Signal.list[name])
        expect_no_crash(script)
        server.requests.each { |request| server.wait_for_close(request) }
      end
    end
  end

  ["exit", "exit(3)", "exit!(4)", "abort", "Process.kill(:KILL, Process.pid)", "raise 'enough'"].each do |leave|
    it "ends with the status of `#{leave}`" do
      script = run_script(<<~RUBY, server.base_url, within: bound + 20)
        heard = Queue.new
        Thread.new { runner.run_and_stream("Hi") { heard << 1 } }
        runner.stream("Hi").on { heard << 1 }
        2.times { heard.pop }
        #{leave}
      RUBY

      expected = {"exit" => 0, "exit(3)" => 3, "exit!(4)" => 4}.fetch(leave, 1)
      expect(script.status.exitstatus || script.status.termsig).to eq(leave.include?("KILL") ? 9 : expected)
      expect_no_crash(script)
      server.requests.each { |request| server.wait_for_close(request) }
    end
  end

  it "tells the consumers why, so that they can store what they have" do
    script = start_script(<<~RUBY, server.base_url)
      heard = Queue.new
      said = Queue.new
      at_exit { 3.times { p said.pop } }
      tell = ->(error) { said << [error.reason, error.retryable?, error.partial_text] }
      runner.stream("Hi").on(:content) { heard << 1 }.on(:error) { |chunk| tell[chunk.exception] }
      2.times do
        Thread.new do
          runner.run_and_stream("Hi") { heard << 1 }
        rescue RAAF::Errors::CancelledError => e
          tell[e]
        end
      end
      3.times { heard.pop }
      puts "ready"
      sleep
    RUBY
    expect(script.line).to eq("ready")

    script.signal("TERM").finish

    expect(script.output.lines(chomp: true)).to eq(["ready"] + ['[:shutdown, true, "Hel"]'] * 3)
    expect_no_crash(script)
  end

  it "registers its exit hook with the first stream, and not before" do
    server.default_script(deltas: %w[Hi], repeat: true)
    script = run_script(<<~RUBY, server.base_url)
      at_exit { puts RAAF::Streaming::Reactor.running? }
      runner.run_and_stream("Hi")
      at_exit { puts RAAF::Streaming::Reactor.running? }
    RUBY

    expect(script.output).to eq("true\nfalse\n")
  end

  it "can still stream in what runs after that hook" do
    server.default_script(deltas: %w[Hi], repeat: true)
    script = run_script(<<~RUBY, server.base_url)
      at_exit { puts runner.run_and_stream("Hi").final_output }
      puts runner.run_and_stream("Hi").final_output
    RUBY

    expect(script.output).to eq("Hi\nHi\n")
    expect_no_crash(script)
  end

  it "starts no thread and opens nothing when the gem is required" do
    source = <<~RUBY # without the prelude, which requires it
      seen = -> { [Thread.list.size, Dir.children("/proc/self/task").size, Dir.children("/proc/self/fd").size] }
      GC.start # what Bundler has left open is closed now, and not meanwhile
      before = seen.call
      require "raaf-streaming"
      puts RAAF::Streaming::Reactor.running?, seen.call == before || [before, seen.call].inspect
    RUBY
    script = start_process(RbConfig.ruby, "-I", LifecycleScripts::LIBRARY, "-e", source).finish

    expect(script.output).to eq("false\ntrue\n")
  end
end

RSpec.describe RAAF::Streaming, ".shutdown" do
  include_context "with a model server"

  it "ends every running stream with an error that can be retried, and a later stream works", :backends do
    server.default_script(**silence_after("Hel"), repeat: true)
    taking = take(runner.stream("Hi"))
    taking.next_chunk
    heard = Queue.new
    called = runner.stream("Hi").on { |chunk| heard << chunk }
    heard.pop
    idle = runner.stream("Hi")
    server.wait_for_request(3)

    expect(described_class.shutdown).to be(true)

    expect(described_class::Reactor.running?).to be(false)
    expect(taking.types).to eq(%i[content error])
    expect(heard.pop).to be_error
    errors = [taking.error, *[called, idle].map { |stream| stream.result rescue $! }] # rubocop:disable Style/RescueModifier
    expect(errors).to all(be_a(RAAF::Errors::CancelledError).and(have_attributes(reason: :shutdown, retryable?: true)))
    server.requests.each { |request| server.wait_for_close(request) }
    server.clear_scripts.script(deltas: %w[Hi])
    expect(runner.stream("Hi").on { nil }.result.final_output).to eq("Hi")
  end

  it "may be called when nothing runs, twice, and by several threads" do
    expect([described_class.shutdown, described_class.shutdown]).to eq([true, true])
    server.default_script(**no_answer, repeat: true)
    takings = Array.new(5) { take(runner.stream("Hi")) }
    server.wait_for_request(5)

    expect(Array.new(4) { Thread.new { described_class.shutdown } }.map(&:value)).to all(be(true))

    expect(takings.map(&:types)).to all(eq([:error]))
  end

  it "ends a stream whose callback does not come back for those who wait for it" do
    server.default_script(**silence_after("Hel"), repeat: true)
    entered = Queue.new
    streams = Array.new(20) do
      runner.stream("Hi").on do
        entered << 1
        sleep
      end
    end
    2.times { entered.pop }

    without_log do
      described_class.shutdown(timeout: 0.1)
      dispatcher_threads.each { |thread| thread.join(LifecycleHelpers::PATIENCE) }
    end

    errors = streams.map { |stream| stream.result rescue $! } # rubocop:disable Style/RescueModifier
    expect(errors).to all(be_a(RAAF::Errors::CancelledError))
    server.clear_scripts.script(deltas: %w[Hi])
    expect(runner.stream("Hi").on { nil }.result.final_output).to eq("Hi")
  end

  it "may be called inside a callback" do
    server.default_script(**silence_after("Hel"), repeat: true)
    stopped = Queue.new

    stream = runner.stream("Hi").on(:content) { stopped << described_class.shutdown }

    expect(stopped.pop).to be(true)
    expect { stream.result }.to raise_error(RAAF::Errors::CancelledError)
  end

  it "loses no stream that is started at the same time" do
    server.default_script(**no_answer, repeat: true)
    starter = Thread.new { Array.new(300) { runner.stream("Hi", max_concurrent_streams: nil) } }

    described_class.shutdown until starter.join(0)
    described_class.shutdown

    expect(starter.value.map { |stream| stream.wait.status }).to all(eq(:cancelled))
  end
end
