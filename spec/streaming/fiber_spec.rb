# frozen_string_literal: true

require "async"

# Not under valgrind: it takes a switch between two fibers for a large call or return, unless Ruby tells it
# (Debian's does not), and then calls what stands on a stack invalid to read.
RSpec.describe "Streams in fibers", valgrind: false do
  include_context "with a model server"

  # Models that stay silent, before the first token and in the middle, until the gate is closed.
  def silent_until(gate)
    server.default_script(repeat: true) do |_, response|
      response.start(200, "content-type" => "text/event-stream")
      response.event({choices: [{index: 0, delta: {content: "Hel"}}]})
      gate.pop
      response.event({choices: [{index: 0, delta: {content: "lo"}, finish_reason: "stop"}]}).event("[DONE]")
    end
  end

  # A fiber that counts, and lets the models speak when it has come far enough.
  def count_to(number, gate)
    Async do |task|
      number.times { task.sleep(0.001) }
      gate.close
    end
  end

  it "wait without holding up others: 50 on one thread, beside a fiber that counts", :backends do
    gate = Queue.new
    silent_until(gate)
    threads = Queue.new

    texts = Sync do
      counting = nil
      streams = Array.new(50) do
        Async do
          runner.run_and_stream("Hi") do |chunk|
            threads << Thread.current
            counting ||= count_to(100, gate) # begins while all are silent, and only its end lets them go on
            chunk.delta
          end.final_output
        end
      end
      streams.map(&:wait)
    end

    expect(texts).to eq(["Hello"] * 50)
    expect(Array.new(threads.size) { threads.pop }.uniq).to eq([Thread.current])
  end

  it "are told apart: each fiber gets its own answer, in order" do
    server.default_script(repeat: true) do |request, response|
      response.start(200, "content-type" => "text/event-stream")
      word = request.json[:messages].last[:content]
      5.times do |i|
        response.event({choices: [{index: 0, delta: {content: "#{word}#{i} "}}]})
        response.sleep(0.002)
      end
      response.event({choices: [{index: 0, delta: {}, finish_reason: "stop"}]}).event("[DONE]")
    end

    texts = Sync { Array.new(20) { |i| Async { runner.run_and_stream("s#{i}-").final_output } }.map(&:wait) }

    expect(texts).to eq(Array.new(20) { |i| Array.new(5) { |n| "s#{i}-#{n} " }.join })
  end

  it "do not block other threads, nor those them" do
    gate = Queue.new
    silent_until(gate)
    taking = take(runner.stream("Hi"))
    taking.next_chunk

    text = Sync do
      count_to(20, gate)
      runner.run_and_stream("Hi").final_output
    end

    expect(text).to eq("Hello")
    expect(taking.types).to eq(%i[content content complete])
  end

  describe "that are left early" do
    before { server.default_script(**silence_after("Hel"), repeat: true) }

    it "end the request when the task is stopped", :backends do
      Sync do
        task = Async { runner.run_and_stream("Hi") { |chunk| chunk.delta } }
        request = server.wait_for_request
        server.wait_until { request.writes.size == 2 }
        task.stop
        server.wait_for_close(request)
      end

      until_idle
    end

    it "end the request when the task's time is over" do
      expect { Sync { |task| task.with_timeout(0.1) { runner.run_and_stream("Hi") { nil } } } }
        .to raise_error(Async::TimeoutError)
      server.wait_for_close(server.wait_for_request)
    end

    it "end the request with break, and with an exception" do
      expect(Sync { runner.run_and_stream("Hi") { |chunk| break chunk.delta } }).to eq("Hel")
      expect { Sync { runner.run_and_stream("Hi") { raise "mine" } } }.to raise_error("mine")
      server.requests.each { |request| server.wait_for_close(request) }
    end

    it "end the requests when the reactor of the fibers is stopped" do
      Thread.new do
        Async do |task|
          tasks = Array.new(5) { task.async { runner.run_and_stream("Hi") } }
          server.wait_for_request(5)
          tasks.each(&:stop)
        end
      end.join
      server.requests.each { |request| server.wait_for_close(request) }
    end
  end

  it "can be cancelled by another fiber" do
    server.script(**no_answer)
    error = Sync do
      stream = runner.stream("Hi")
      consumer = Async { stream.result rescue $! } # rubocop:disable Style/RescueModifier
      Async do |task|
        task.sleep(0.001) until stream.status == :waiting
        stream.cancel
      end
      consumer.wait
    end

    expect(error).to be_a(RAAF::Errors::CancelledError)
  end

  it "wait for a handle with callbacks, and for each other, without holding up the rest" do
    gate = Queue.new
    silent_until(gate)

    results = Sync do
      called = runner.stream("Hi").on(:content) { nil }
      taken = runner.stream("Hi")
      waiting = [Async { called.result }, Async { taken.each { nil } && taken.result }, Async { taken.result }]
      count_to(20, gate)
      waiting.map(&:wait)
    end

    expect(results.map(&:final_output)).to eq(["Hello"] * 3)
  end

  # Ruby runs an Enumerator's fiber apart from the scheduler, so this one holds up the others while it waits.
  it "may take chunks from outside" do
    server.script(deltas: %w[Hel lo], delay: 0.01)

    expect(Sync { runner.stream("Hi").each.then { |each| Array.new(3) { each.next.delta } } }).to eq(["Hel", "lo", ""])
  end

  it "may redirect" do
    server.script(**silence_after("Long")).script(deltas: %w[Short])

    result = Sync do
      stream = runner.stream("Hi")
      consumer = Async { stream.each { nil }.result }
      Async do |task|
        task.sleep(0.001) until stream.status == :streaming
        stream.redirect("Shorter")
      end
      consumer.wait
    end

    expect(result.final_output).to eq("Short")
  end
end
