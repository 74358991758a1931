# frozen_string_literal: true

RSpec.describe RAAF::Streaming::Stream, "#cancel" do
  include_context "with a model server"

  # What a cancelled consumer has to have seen: what came before, one error, and then its exception.
  def expect_cancelled(taking, after: [])
    expect(taking.types).to eq(after + [:error])
    expect(taking.error).to be_a(RAAF::Errors::CancelledError).and have_attributes(reason: :cancelled)
    expect(taking.error).not_to be_retryable
    expect(taking.chunks.last.exception).to equal(taking.error)
    expect(taking.chunks.last).to be_terminal
  end

  context "while the model is silent" do
    it "closes the connection before the headers have come" do
      server.script(**no_answer)
      stream = runner.stream("Hi")
      taking = take(stream)
      request = server.wait_for_request
      until_asleep(taking.thread)

      stream.cancel

      server.wait_for_close(request)
      expect_cancelled(taking)
      expect(stream.status).to eq(:cancelled)
      expect(request.writes).to be_empty
    end

    it "closes the connection between the headers and the first token" do
      server.script(**silence_after)
      stream = runner.stream("Hi")
      taking = take(stream)
      request = server.wait_for_request
      server.wait_until { request.writes.size == 1 } # the role
      until_asleep(taking.thread)

      stream.cancel

      server.wait_for_close(request)
      expect_cancelled(taking)
    end

    it "closes the connection in the middle of the answer, before the server's next write", :backends do
      server.script(deltas: %w[Hel lo], delay: 300, role: false)
      stream = runner.stream("Hi")
      taking = take(stream)
      expect(taking.next_chunk.delta).to eq("Hel")
      until_asleep(taking.thread)

      stream.cancel

      request = server.wait_for_close(server.requests.first)
      expect(request.writes.size).to eq(1)
      expect_cancelled(taking, after: [:content])
      expect(taking.error.partial_text).to eq("Hel")
    end
  end

  it "ends a stream that nobody takes, for whoever asks later" do
    server.script(**silence_after("Hel", "lo"))
    stream = runner.stream("Hi")
    request = server.wait_for_request
    server.wait_until { request.writes.size == 3 }

    stream.cancel

    server.wait_for_close(request)
    expect { stream.result }.to raise_error(RAAF::Errors::CancelledError)
    expect(stream.status).to eq(:cancelled)
  end

  it "ends a stream whose consumer holds it up" do
    server.script(deltas: ["x" * 1000] * 5_000)
    gate = Queue.new
    stream = runner.stream("Hi", queue_max_items: 2)
    taking = take(stream) { gate.pop }
    taking.next_chunk

    stream.cancel

    server.wait_for_close(server.requests.first)
    gate.close
    taking.join
    expect(taking.error).to be_a(RAAF::Errors::CancelledError)
    expect(taking.types.count(:error)).to eq(1)
  end

  it "holds also for a stream that the reactor has not begun yet" do
    server.default_script(**no_answer, repeat: true)

    takings = Array.new(100) { take(runner.stream("Hi").cancel) }

    takings.each { |taking| expect_cancelled(taking) }
    until_idle
  end

  describe "while the name of the host is being looked up", if: RUBY_PLATFORM.include?("linux") do
    include LifecycleScripts

    it "ends the one who asks for it, and those who wait behind him, and holds up nobody" do
      server.default_script(deltas: %w[Hi], repeat: true)
      Dir.mktmpdir do |directory|
        lock = File.join(directory, "lock")
        File.write(lock, "")
        env = {"LD_PRELOAD" => [ENV["LD_PRELOAD"], slow_lookups(directory)].compact.join(":"), "SLOW_LOOKUPS" => lock}
        script = run_script(<<~'RUBY', server.base_url, server.port.to_s, lock, env: env)
          _, port, lock = ARGV
          slow = runner("http://slow.test:#{port}/v1")
          said = ->(stream) { stream.result.final_output rescue $!.class }

          looks_up, waits, waits_too = Array.new(3) { slow.stream("Hi") }
          p [looks_up, waits, waits_too].map(&:status)
          p runner.run_and_stream("Hi").final_output # a host that is known
          p said[waits.cancel]
          p said[looks_up.cancel]
          p waits_too.status
          File.delete(lock)
          p said[waits_too]
          p RAAF::Streaming::Reactor.stats.values_at(:active)
        RUBY

        expect(script.output.lines(chomp: true)).to eq(["[:connecting, :connecting, :connecting]", '"Hi"',
          "RAAF::Errors::CancelledError", "RAAF::Errors::CancelledError", ":connecting", '"Hi"', "[0]"])
        expect_no_crash(script)
        expect(server.requests.size).to eq(2)
      end
    end
  end

  it "frees its place among max_concurrent_streams at once" do
    server.default_script(**no_answer, repeat: true)

    100.times { runner.stream("Hi", max_concurrent_streams: 1).cancel }

    expect(reactor_count(:active)).to eq(0)
  end

  it "may be called twice, and by many threads" do
    server.script(**no_answer)
    stream = runner.stream("Hi")
    taking = take(stream)
    server.wait_for_request

    expect(Array.new(10) { Thread.new { stream.cancel.cancel } }.map(&:value)).to all(equal(stream))

    expect_cancelled(taking)
  end

  it "leaves a run alone that has ended" do
    server.script(deltas: %w[Hel lo])
    stream = runner.stream("Hi")
    stream.wait

    stream.cancel

    expect(stream.status).to eq(:complete)
    expect(stream.result.final_output).to eq("Hello")
  end

  it "leaves the error of a run alone that has failed" do
    server.script(status: 401)
    stream = runner.stream("Hi")
    stream.wait

    stream.cancel

    expect(stream.status).to eq(:failed)
    expect { stream.result }.to raise_error(RAAF::Errors::AuthenticationError)
  end

  it "ends the chunks from inside their block" do
    server.script(**silence_after("Hel"))
    stream = runner.stream("Hi")
    chunks = []

    taken = lambda do
      stream.each do |chunk|
        chunks << chunk
        stream.cancel if chunk.content?
      end
    end

    expect(&taken).to raise_error(RAAF::Errors::CancelledError)
    expect(chunks.map(&:type)).to eq(%i[content error])
    server.wait_for_close(server.requests.first)
  end

  it "may be called in a signal handler" do
    server.script(**silence_after("Hel"))
    stream = runner.stream("Hi")
    taking = take(stream)
    taking.next_chunk
    before = Signal.trap("USR2") { stream.cancel }

    Process.kill("USR2", Process.pid)

    expect_cancelled(taking, after: [:content])
  ensure
    Signal.trap("USR2", before || "DEFAULT")
  end

  it "leaves other streams and the next one alone" do
    server.script(**no_answer).script(deltas: %w[o t h e r], delay: 0.01).script(deltas: %w[next])
    cancelled = runner.stream("Hi")
    server.wait_for_request(1)
    other = take(runner.stream("Hi"))
    server.wait_for_request(2)

    cancelled.cancel

    expect(other.types).to eq([:content] * 5 + [:complete])
    expect(runner.run_and_stream("Hi").final_output).to eq("next")
    expect { cancelled.result }.to raise_error(RAAF::Errors::CancelledError)
  end

  describe "and the status of a stream" do
    it "goes from connecting to waiting, streaming and complete" do
      gate = Queue.new
      listening = TCPServer.new("127.0.0.1", 0) # takes connections into its backlog, and no TLS handshake
      stream = runner_for("https://127.0.0.1:#{listening.addr[1]}/v1").stream("Hi")
      expect(stream.status).to eq(:connecting)
      listening.accept
      expect(stream.status).to eq(:connecting)
      stream.cancel

      server.script do |_, response|
        response.start(200, "content-type" => "text/event-stream")
        gate.pop
        response.event({choices: [{index: 0, delta: {content: "Hi"}}]})
        gate.pop
        response.event({choices: [{index: 0, delta: {}, finish_reason: "stop"}]}).event("[DONE]")
      end
      stream = runner.stream("Hi")
      server.wait_for_request
      expect(stream.status).to eq(:waiting)
      gate << :go
      eventually { stream.status == :streaming }
      gate << :go
      expect(stream.wait.status).to eq(:complete)
      expect(stream).to be_finished
    ensure
      gate&.close
      listening&.close
    end

    it "is still streaming when the end has come but has not been taken" do
      server.script(deltas: %w[Hel lo])
      stream = runner.stream("Hi")
      eventually { reactor_count(:active).zero? }

      expect(stream.status).to eq(:streaming)
      expect(stream).not_to be_finished
    end
  end
end
