# frozen_string_literal: true

require "raaf/testing"
require_relative "../http_client"

RSpec.describe RAAF::Testing::ModelServer, "faults" do
  include HTTPClient

  let(:server) { described_class.start }

  after { server.stop }

  # @return [String] everything up to the end of the connection
  def received(**script)
    server.script(**script)
    connect(server) do |socket|
      ask(socket)
      read_to_end(socket)
    end
  end

  def body_of(answer)
    answer.split("\r\n\r\n", 2).last
  end

  it "cuts after a number of events, without the end of the chunks" do
    answer = received(deltas: %w[a b c], fault: :cut, after: 3)

    expect(content(answer)).to eq("ab")
    expect(answer).not_to include("\r\n0\r\n")
    expect(server.requests.first).not_to be_finished
  end

  it "cuts after a number of bytes, in the middle of an event" do
    whole = "data: {}\n\ndata: {}\n\n"

    expect(body_of(received(bytes: whole, fault: :cut, after: 13, transfer: :close))).to eq(whole[0, 13])
    expect(body_of(received(deltas: ["a"], fault: :cut, after: {bytes: 5}, transfer: :close))).to eq("data:")
  end

  it "cuts a body before its length is reached" do
    answer = received(status: 500, body: "0123456789", fault: :cut, after: 4)

    expect(answer).to include("content-length: 10").and end_with("0123")
  end

  it "cuts in the middle of raw headers" do
    expect(received(raw: "HTTP/1.1 200 OK\r\nX: y", fault: :cut, after: 10)).to eq("HTTP/1.1 2")
  end

  it "cuts after the headers by default, and before them on request" do
    expect(received(deltas: ["a"], fault: :cut)).to end_with("\r\n\r\n")
    expect(received(deltas: ["a"], fault: :cut, after: :request)).to eq("")
  end

  it "still cuts where the answer is shorter than the place" do
    expect(received(deltas: ["a"], fault: :cut, after: 100)).to end_with("data: [DONE]\n\n\r\n")
  end

  it "resets the connection" do
    server.script(deltas: ["a"], fault: :reset, after: 2).script(fault: :reset, after: :request)
    connect(server) do |socket|
      ask(socket)
      read_head(socket)
      2.times { read_chunk(socket) }
      expect { socket.readpartial(1) }.to raise_error(Errno::ECONNRESET)
    end
    connect(server) do |socket|
      ask(socket)
      expect { socket.readpartial(1) }.to raise_error(Errno::ECONNRESET)
    end
  end

  it "stalls until the client goes away" do
    server.script(deltas: %w[a b], fault: :stall, after: 2)
    connect(server) do |socket|
      ask(socket)
      read_head(socket)
      2.times { read_chunk(socket) }
      expect(socket.wait_readable(0.05)).to be_nil
    end
    server.wait_for_close(server.requests.first)
  end

  it "never answers" do
    server.script(fault: :no_response)
    connect(server) do |socket|
      ask(socket)
      server.wait_for_request
      expect(socket.wait_readable(0.05)).to be_nil
    end
  end

  it "drips a byte at a time from the given place, and still ends properly" do
    server.script(bytes: "0123456789", fault: :drip, after: 4, delay: 0.001)

    expect(post(server).body).to eq("0123456789")
    expect(server.requests.first.writes.map { |write| write[:bytes] }).to eq([4, 1, 1, 1, 1, 1, 1])
  end

  it "drips the headers too" do
    server.script(bytes: "ab", fault: :drip, after: :request)
    expect(post(server).body).to eq("ab")
  end

  it "sends garbage, the same for the same seed, and then the proper end" do
    bodies = Array.new(2) do
      server.script(deltas: ["a"], fault: :garbage, after: 1, seed: 9, size: 100)
      post(server).body.b
    end

    expect(bodies.map { |body| body[-100..] }.uniq).to eq([Random.new(9).bytes(100)])
    expect(server.requests.first).to be_finished
  end

  it "sends garbage in place of HTTP" do
    expect(received(fault: :garbage, after: :request, seed: 1, size: 50).b).to eq(Random.new(1).bytes(50))
  end

  it "delays the headers" do
    server.script(deltas: [], header_delay: 0.05)
    asked = Process.clock_gettime(Process::CLOCK_MONOTONIC)
    connect(server) do |socket|
      ask(socket)
      read_head(socket)
    end
    expect(Process.clock_gettime(Process::CLOCK_MONOTONIC) - asked).to be >= 0.05
  end
end
