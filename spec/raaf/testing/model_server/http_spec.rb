# frozen_string_literal: true

require "raaf/testing"
require_relative "../http_client"

RSpec.describe RAAF::Testing::ModelServer, "as an HTTP/1.1 server" do
  include HTTPClient

  let(:server) { described_class.start }

  after { server.stop }

  it "keeps the connection for the next request" do
    server.default_script(status: 200, body: "{}")
    connect(server) do |socket|
      bodies = Array.new(3) do
        ask(socket)
        expect(read_head(socket)).to include("connection: keep-alive", "content-length: 2")
        socket.read(2)
      end
      expect(bodies).to eq(%w[{} {} {}])
    end
    expect(server.connections).to eq(1)
  end

  it "answers requests that were sent ahead, in order" do
    server.script(deltas: ["one"], delay: 0.001).script(deltas: ["two"])
    server.script(raw: "end")
    connect(server) do |socket|
      3.times { ask(socket) }
      expect(read_to_end(socket)).to match(/"one".*"two".*end\z/m)
    end
  end

  it "takes a chunked body with extensions and trailers" do
    server.script(deltas: [])
    connect(server) do |socket|
      socket.write("POST /v1/chat/completions HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" \
        "5;x=y\r\n{\"a\":\r\nA\r\n\"bcdefgh\"}\r\n0\r\nX-Trailer: 1\r\n\r\n")
      read_head(socket)
    end
    expect(server.wait_for_request.json).to eq(a: "bcdefgh")
  end

  it "says 100 Continue before it reads the body" do
    server.script(deltas: [])
    connect(server) do |socket|
      socket.write("POST /v1/chat/completions HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
      expect(read_head(socket)).to eq("HTTP/1.1 100 Continue\r\n\r\n")
      socket.write("{}")
      expect(read_head(socket)).to start_with("HTTP/1.1 200 OK\r\n")
    end
  end

  it "takes a request that comes byte by byte" do
    server.script(body: {ok: true})
    connect(server) do |socket|
      "POST /v1/chat/completions HTTP/1.1\r\nContent-Length: 3\r\n\r\n{ }".each_char { |char| socket.write(char) }
      expect(read_head(socket)).to start_with("HTTP/1.1 200 OK\r\n")
    end
    expect(server.requests.first.body).to eq("{ }")
  end

  it "takes a body of megabytes" do
    server.script(body: {})
    body = "x" * 5_000_000
    post(server, body: body)

    expect(server.requests.first.body).to eq(body)
  end

  it "joins headers that are repeated" do
    server.script(deltas: [])
    connect(server) do |socket|
      socket.write("GET /x HTTP/1.1\r\nAccept: a\r\naccept:  b \r\n\r\n")
      read_head(socket)
    end
    expect(server.wait_for_request.headers).to include("accept" => "a, b")
  end

  it "closes after the answer where the client asks for it" do
    server.script(deltas: ["a"]).script(demo: true, tokens: 2, delay: 0, first_delay: 0)
    2.times do
      connect(server) do |socket|
        ask(socket, headers: {"Connection" => "close"})
        expect(read_to_end(socket)).to include("connection: close").and end_with("\r\n0\r\n\r\n")
      end
    end
  end

  it "sends no chunks to an HTTP/1.0 client" do
    server.script(deltas: ["a"])
    connect(server) do |socket|
      socket.write("POST /v1/chat/completions HTTP/1.0\r\nContent-Length: 2\r\n\r\n{}")
      expect(read_to_end(socket)).to end_with("data: [DONE]\n\n")
    end
  end

  {
    "no request at all" => ["hello\r\n\r\n", 400],
    "another protocol" => ["GET / HTTP/2.0\r\n\r\n", 400],
    "a header without a colon" => ["GET / HTTP/1.1\r\nbroken\r\n\r\n", 400],
    "a length that is no number" => ["POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n", 400],
    "a chunk without its size" => ["POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400],
    "endless headers" => ["GET / HTTP/1.1\r\nA: #{"x" * 70_000}", 431],
    "a body larger than the limit" => ["POST / HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n", 413]
  }.each do |what, (bytes, status)|
    it "refuses #{what} with #{status}, and closes" do
      connect(server) do |socket|
        socket.write(bytes)
        expect(read_to_end(socket)).to start_with("HTTP/1.1 #{status} ").and include("connection: close")
      end
      expect(server.requests).to be_empty
    end
  end

  it "closes a connection that stays idle" do
    described_class.start(keep_alive_timeout: 0.05) do |impatient|
      connect(impatient) { |socket| expect(read_to_end(socket)).to eq("") }
    end
  end

  it "holds many connections at a time" do
    server.default_script(deltas: ["a"], fault: :stall, after: 2)
    sockets = Array.new(200) { TCPSocket.new("127.0.0.1", server.port).tap { |socket| ask(socket) } }
    server.wait_until { server.requests.size == 200 && server.requests.all? { |request| request.writes.size == 2 } }

    expect(server.open_connections).to eq(200)
    sockets.each(&:close)
    server.wait_until { server.requests.all?(&:closed_by_client_at) }
  end
end
