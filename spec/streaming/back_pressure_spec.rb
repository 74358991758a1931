# frozen_string_literal: true

require "digest"

RSpec.describe "A consumer that is slower than its model" do
  include_context "with a model server"
  include LifecycleScripts

  mebibyte = 1 << 20
  # Bytes the kernel may hold between two sockets of this machine, and more than the queue's bound.
  slack = 20 * mebibyte

  let(:piece) { ("0123456789abcdef" * 4096).freeze } # 64 KiB
  let(:pieces) { 800 } # 50 MiB

  # A model that says as much as it is let.
  def say_much
    wire = RAAF::Testing::OpenAIChatWire.new
    event = wire.content(piece)
    server.script do |_, response|
      response.start(200, "content-type" => "text/event-stream")
      pieces.times { response.write(event) }
      response.write(wire.finish("stop") + wire.done)
    end
  end

  def written
    server.requests.first.writes.sum { |write| write[:bytes] }
  end

  # Waits until the server gets rid of nothing more.
  # [seconds] is longer than the idle timeout below, which is longer than a busy machine keeps a server from writing.
  def until_stalled(seconds: 3)
    last, since = written, monotonic
    eventually("the server's stall") do
      now = written
      last, since = now, monotonic if now != last
      monotonic - since > seconds
    end
  end

  it "makes the server wait, whatever time it takes, and gets every byte in the end", :backends do
    say_much
    gate = Queue.new
    digest, size = Digest::MD5.new, 0
    stream = runner.stream("Hi", idle_timeout: 2, first_token_timeout: 2, connection_timeout: 5)
    taking = take(stream) do |chunk|
      gate.pop
      digest << chunk.delta
      size += chunk.delta.bytesize
    end
    taking.next_chunk

    until_stalled

    expect(written).to be < slack
    expect(stream.native.bytes_received).to be < 4 * mebibyte
    gate.close
    expect(taking.types.tally).to eq({content: pieces, complete: 1})
    expect(size).to eq(pieces * piece.bytesize)
    expect(digest).to eq(Digest::MD5.new.tap { |all| pieces.times { all << piece } })
    expect(stream.result.final_output.bytesize).to eq(size)
  end

  {
    "with callbacks too" => ->(stream, gate) { stream.on(:content) { gate.pop } },
    "where nobody takes the chunks yet" => ->(stream, _) { stream }
  }.each do |how, taken_by|
    it "makes the server wait #{how}" do
      say_much
      gate = Queue.new
      stream = taken_by.call(runner.stream("Hi", idle_timeout: 0.2), gate)
      server.wait_for_request

      until_stalled

      expect(written).to be < slack
      gate.close
      expect(stream.result.final_output.bytesize).to eq(pieces * piece.bytesize)
    end
  end

  it "gets everything in order through a queue for a single chunk" do
    words = Array.new(500) { |i| "w#{i} " }
    server.script(deltas: words)

    expect(runner.stream("Hi", queue_max_items: 1, queue_max_bytes: 1).text.to_a).to eq(words)
  end

  it "holds up no other stream on the same thread" do
    say_much
    gate = Queue.new
    slow = runner.stream("Hi")
    taking = take(slow) { gate.pop }
    taking.next_chunk
    server.default_script(deltas: %w[Hi], repeat: true)

    expect(Array.new(20) { runner.run_and_stream("Hi").final_output }).to all(eq("Hi"))

    slow.cancel
    gate.close
    taking.join
  end

  it "can do without the text that has been, in memory that does not grow", unless: ENV["RAAF_SLOW"] do
    say_much
    script = run_script(<<~'RUBY', server.base_url)
      peak = -> { File.read("/proc/self/status")[/^VmHWM:\s*(\d+)/, 1].to_i / 1024 }
      GC.start
      before = peak.call
      bytes = 0
      result = runner(retain_text: false).run_and_stream("Hi") do |chunk|
        raise "a text is kept" unless chunk.cumulative.empty?
        bytes += chunk.delta.bytesize
        GC.start if (bytes % (1 << 22)).zero? # what Ruby keeps of its own garbage is not the question
      end
      puts bytes, result.final_output.inspect, peak.call - before
    RUBY

    bytes, output, growth = script.output.lines(chomp: true)
    expect(bytes.to_i).to eq(pieces * piece.bytesize)
    expect(output).to eq('""')
    expect(growth.to_i).to be < 25 # MiB, of 50
    expect_no_crash(script)
  end
end
