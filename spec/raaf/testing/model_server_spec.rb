# frozen_string_literal: true

require "raaf/testing"
require "stringio"
require_relative "http_client"

RSpec.describe RAAF::Testing::ModelServer do
  include HTTPClient

  let(:server) { described_class.start }

  after { server.stop }

  describe "starting and stopping" do
    it "gives the address that a provider's base_url takes" do
      expect(server.base_url).to eq("http://127.0.0.1:#{server.port}/v1")
    end

    it "stops when the block is left, also by an exception" do
      inner = nil
      expect { described_class.start { |started| (inner = started) && raise("no") } }.to raise_error("no")
      expect(inner).to be_stopped
      expect { TCPSocket.new("127.0.0.1", inner.port) }.to raise_error(Errno::ECONNREFUSED)
    end

    it "returns what the block returns" do
      expect(described_class.start(&:port)).to be_an(Integer)
    end

    it "refuses to listen where others could reach it" do
      expect { described_class.start(host: "0.0.0.0") }.to raise_error(ArgumentError, /loopback/)
    end

    it "closes connections in every state, and leaves no thread behind" do
      connect(server, &:itself) # what reading with a time limit starts is not ours
      before = Thread.list
      server.script(deltas: ["a"], fault: :stall, after: 1)
      server.script(deltas: ["a"], first_delay: 300)
      server.script { |_request, response| response.sleep(300) }
      idle = TCPSocket.new("127.0.0.1", server.port)
      busy = Array.new(4) { TCPSocket.new("127.0.0.1", server.port).tap { |socket| ask(socket) } }
      server.wait_for_request(4)
      server.wait_until { server.connections == 6 }

      server.stop

      expect([idle, *busy].map { |socket| read_to_end(socket) }).to all(be_a(String))
      expect(Thread.list - before).to be_empty
    end

    it "kills the thread of a block script that does not come back" do
      stuck = Queue.new
      server.script { |_request, _response| stuck.pop }
      connect(server) do |socket|
        ask(socket)
        server.wait_for_request
        server.stop(timeout: 0.1)
        expect(read_to_end(socket)).to eq("")
      end
    end

    it "may be stopped twice" do
      server.stop
      expect { server.stop }.not_to raise_error
    end
  end

  describe "scripts" do
    it "answers each request with the next one" do
      server.script(deltas: ["first"]).script(deltas: ["second"])

      expect([content(post(server).body), content(post(server).body)]).to eq(%w[first second])
      expect(server.scripts_left).to eq(0)
    end

    it "keeps a repeated one for all that follow" do
      server.script(deltas: ["again"], repeat: true)

      expect(Array.new(3) { content(post(server).body) }).to eq(%w[again again again])
    end

    it "falls back to the default script when none is left" do
      server.default_script(deltas: ["default"])
      server.script(deltas: ["scripted"])

      expect(Array.new(3) { content(post(server).body) }).to eq(%w[scripted default default])
    end

    it "forgets those that were not taken" do
      server.default_script(deltas: ["default"])
      server.script(deltas: ["scripted"]).clear_scripts

      expect(content(post(server).body)).to eq("default")
    end

    it "says at once what is wrong with one" do
      expect { server.script(delta: ["a"]) }.to raise_error(ArgumentError, /delta/)
      expect { server.script(deltas: [], fault: :explode) }.to raise_error(ArgumentError, /cut/)
      expect { server.script(deltas: [], after: 3) }.to raise_error(ArgumentError, /fault/)
      expect { server.script(deltas: [], fault: :cut, after: -1) }.to raise_error(ArgumentError, /after/)
      expect { server.script(bytes: "a", writes: [0]) }.to raise_error(ArgumentError, /split/)
    end

    it "answers on any path, so that every provider's format can be played" do
      server.script(bytes: "event: ping\n\n")

      expect(post(server, path: "/v1/messages").body).to eq("event: ping\n\n")
    end
  end

  describe "paths" do
    it "speaks under any prefix" do
      server.default_script(demo: true, tokens: 2, delay: 0, first_delay: 0)

      expect(post(server, path: "/some/where/chat/completions?x=1").code).to eq("200")
    end

    it "answers an unknown path with 404, as OpenAI writes errors" do
      response = post(server, path: "/v1/chat")

      expect(response.code).to eq("404")
      expect(JSON.parse(response.body)["error"]).to include("type" => "invalid_request_error", "message" => /v1\/chat/)
    end

    it "lists models" do
      models = JSON.parse(Net::HTTP.get(URI("#{server.base_url}/models")))

      expect(models).to include("object" => "list", "data" => include(include("id" => "gpt-4o", "object" => "model")))
    end
  end

  describe "recording" do
    it "keeps what was asked" do
      server.script(deltas: ["a"])
      post(server, body: {model: "m", messages: []}, path: "/v1/chat/completions?a=b", headers: {"X-Test" => "yes"})

      expect(server.requests.size).to eq(1)
      expect(server.requests.first).to have_attributes(
        http_method: "POST", path: "/v1/chat/completions?a=b", json: {model: "m", messages: []},
        headers: include("x-test" => "yes"), received_at: be_a(Float), body: '{"model":"m","messages":[]}'
      )
    end

    it "has no JSON where the body is none" do
      server.script(deltas: [])
      post(server, body: "{")

      expect(server.requests.first.json).to be_nil
    end

    it "notes each write with its time and bytes" do
      server.script(bytes: "abcdef", writes: [1, 3])
      post(server)

      writes = server.requests.first.writes
      expect(writes.map { |write| write[:bytes] }).to eq([1, 3, 2])
      expect(writes.map { |write| write[:at] }).to eq(writes.map { |write| write[:at] }.sort)
    end

    it "tells requests of one connection from those of another" do
      server.default_script(deltas: ["a"])
      Net::HTTP.start("127.0.0.1", server.port) { |http| 2.times { http.post("/v1/chat/completions", "{}") } }
      post(server)

      expect(server.requests.map(&:connection_id)).to eq([1, 1, 2])
      expect(server.connections).to eq(2)
    end

    it "knows when an answer was sent to its end, and that a cut one was not" do
      server.script(deltas: ["a"]).script(deltas: ["a"], fault: :cut)
      post(server)
      expect { post(server) }.to raise_error(EOFError)

      server.wait_until { server.requests.all?(&:disconnected?) }
      expect(server.requests.map(&:finished?)).to eq([true, false])
    end

    it "forgets the oldest requests where there is a limit" do
      described_class.start(keep_requests: 2) do |small|
        small.default_script(deltas: [])
        %w[a b c].each { |name| post(small, body: {model: name}) }

        expect(small.requests.map { |request| request.json[:model] }).to eq(%w[b c])
        expect(small.wait_for_request(3).json[:model]).to eq("c")
      end
    end

    it "keeps what a block script raised, and closes the connection" do
      server.script { |_request, _response| raise "mistake in the test" }

      expect { post(server) }.to raise_error(EOFError)
      server.wait_until { server.errors.any? }
      expect(server.errors.first.message).to eq("mistake in the test")
    end
  end

  describe "noticing that the client goes away" do
    def leave_during(server)
      connect(server) { |socket| ask(socket) && server.wait_for_request && yield(socket) }
      request = server.wait_for_close(server.wait_for_request)
      expect(request.closed_by_client_at).to be >= request.received_at
      expect(request).not_to be_finished
    end

    it "happens during a silence before the next write" do
      server.script(deltas: %w[a b], delay: 300)
      leave_during(server) { |socket| read_head(socket) && read_chunk(socket) }
      expect(server.requests.first.writes.size).to eq(1)
    end

    it "happens while an answer is held open" do
      server.script(deltas: ["a"], keep_open: true)
      leave_during(server) { |socket| read_head(socket) }
    end

    it "happens while no answer comes at all" do
      server.script(fault: :no_response)
      leave_during(server) { nil }
    end

    it "happens when the client resets the connection" do
      server.script(deltas: ["a"], first_delay: 300)
      leave_during(server) { |socket| socket.setsockopt(Socket::Option.linger(true, 0)) }
    end

    it "happens while the server waits for a client that does not read" do
      server.script(deltas: (1..).lazy.map { "x" * 10_000 })
      leave_during(server) { |socket| read_head(socket) }
    end

    it "happens during the pauses of an unscripted answer" do
      server.default_script(demo: true, delay: 300)
      leave_during(server) { |socket| read_head(socket) && read_chunk(socket) }
    end

    it "is seen by a block script, whose ensure runs" do
      seen = Queue.new
      server.script do |_request, response|
        response.start
        response.sleep(300)
      rescue described_class::ClientClosed => e
        seen << e.class
        raise
      end
      leave_during(server) { |socket| read_head(socket) }
      expect(seen.pop).to eq(described_class::ClientClosed)
      expect(server.errors).to be_empty
    end

    it "is noted for a connection that was idle as well" do
      server.script(deltas: ["a"])
      post(server)

      expect(server.wait_for_close(server.requests.first)).to be_finished
    end
  end

  describe "waiting" do
    it "returns the request that was waited for" do
      server.default_script(deltas: [])
      client = Thread.new { 2.times { post(server) } }

      expect(server.wait_for_request(2)).to equal(server.requests[1])
      client.join
    end

    it "fails with what did come when the time is over" do
      expect { server.wait_for_request(timeout: 0.01) }
        .to raise_error(described_class::WaitTimeout, /request 1 did not come within 0.01 s/)
    end

    it "fails when the client keeps its connection" do
      server.script(deltas: [], fault: :stall)
      connect(server) do |socket|
        ask(socket)
        expect { server.wait_for_close(server.wait_for_request, timeout: 0.01) }
          .to raise_error(described_class::WaitTimeout, /kept the connection open/)
      end
    end

    it "fails at once when it was the server that closed" do
      server.script(deltas: [], fault: :cut)
      expect { post(server) }.to raise_error(EOFError)
      expect { server.wait_for_close(server.wait_for_request, timeout: 60) }
        .to raise_error(described_class::WaitTimeout, /the server closed/)
    end

    it "looks at a condition again after each write" do
      server.script(deltas: %w[a b c], fault: :stall, after: 3)
      connect(server) do |socket|
        ask(socket)
        expect(server.wait_until { server.requests.first&.writes&.size == 3 }).to be(true)
      end
    end
  end

  describe "dropping connections" do
    it "closes them as a restarted server does, and accepts new ones" do
      server.default_script(deltas: ["a"])
      connect(server) do |socket|
        ask(socket)
        server.wait_until { server.requests.first&.finished? }
        server.drop_connections
        expect { loop { socket.readpartial(1000) } }.to raise_error(EOFError)
      end
      expect(content(post(server).body)).to eq("a")
      expect(server.requests.first.closed_by_client_at).to be_nil
    end
  end

  describe "secrets" do
    it "are in no inspect, log or error, but in the recorded headers" do
      log = StringIO.new
      described_class.start(log: log) do |logging|
        logging.script(deltas: ["a"])
        secrets = {"Authorization" => "Bearer sk-header", "X-Api-Key" => "sk-x"}
        post(logging, path: "/v1/x?key=sk-query", headers: secrets)
        request = logging.requests.first

        expect(request.headers).to include("authorization" => "Bearer sk-header")
        expect([request.inspect, request.to_s, logging.inspect, log.string].join).not_to match(/sk-/)
        expect(request.inspect).to include("authorization: [hidden]")
      end
    end
  end

  describe "the log" do
    it "has a line a request that no prompt can break" do
      log = StringIO.new
      described_class.start(log: log) do |logging|
        logging.script(deltas: %w[a b], role: false)
        post(logging, body: {model: "m\e[2J", messages: [{role: "user", content: "Tell\n\e[31mme #{"x" * 100}"}]})
      end

      expect(log.string.lines.size).to eq(1)
      expect(log.string).to match(/\A[\d:.]+ POST m\?\[2J "Tell\\n\\e\[31mme x+…" 4 writes in \d+\.\d\d s\n\z/)
    end
  end
end
