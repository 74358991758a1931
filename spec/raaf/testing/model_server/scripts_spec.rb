# frozen_string_literal: true

require "raaf/testing"
require_relative "../http_client"

RSpec.describe RAAF::Testing::ModelServer, "scripts" do
  include HTTPClient

  let(:server) { described_class.start }

  after { server.stop }

  def answer(request: {model: "m"}, **script, &block)
    server.script(**script, &block)
    post(server, body: request)
  end

  describe "of deltas" do
    it "sends role, one event a delta, finish reason and [DONE]" do
      response = answer(deltas: %w[Hel lo])

      expect(response["content-type"]).to eq("text/event-stream; charset=utf-8")
      expect(deltas(response.body)).to eq([{role: "assistant", content: ""}, {content: "Hel"}, {content: "lo"}, {}])
      expect(events(response.body)[-2].dig(:choices, 0, :finish_reason)).to eq("stop")
      expect(events(response.body).last).to eq(:done)
      expect(events(response.body).first[:model]).to eq("m")
    end

    it "writes each event by itself" do
      answer(deltas: %w[a b])

      expect(server.requests.first.writes.size).to eq(5)
    end

    it "leaves out what it is told to" do
      response = answer(deltas: ["a"], role: false, finish_reason: nil, done: false)

      expect(events(response.body).size).to eq(1)
    end

    it "sends reasoning before the text, in any server's field" do
      response = answer(deltas: ["a"], reasoning: %w[h m], reasoning_field: :reasoning, role: false)

      expect(deltas(response.body)).to eq([{reasoning: "h"}, {reasoning: "m"}, {content: "a"}, {}])
    end

    it "takes any delta as it is" do
      response = answer(deltas: [{content: nil, custom: 1}], role: false)

      expect(deltas(response.body).first).to eq(content: nil, custom: 1)
    end

    it "sends a refusal" do
      expect(deltas(answer(refusal: %w[No .]).body)).to include({refusal: "No"}, {refusal: "."})
    end

    it "sends tool calls with their places, and says so at the end" do
      response = answer(
        tool_calls: [{id: "a", name: "one", arguments: %w[{ }]}, {id: "b", name: "two", arguments: {x: 1}}]
      )

      calls = deltas(response.body).filter_map { |delta| delta[:tool_calls]&.first }
      expect(calls.map { |call| call[:index] }).to eq([0, 0, 0, 1, 1])
      expect(calls.last[:function]).to eq(arguments: '{"x":1}')
      expect(events(response.body)[-2].dig(:choices, 0, :finish_reason)).to eq("tool_calls")
    end

    it "sends usage only where it is asked for" do
      given = events(answer(deltas: ["a"], usage: {prompt_tokens: 1, completion_tokens: 2}).body)
      made_up = events(answer(deltas: ["a"], usage: true).body)
      none = events(answer(deltas: ["a"]).body)

      expect(given[-2]).to include(choices: [], usage: {prompt_tokens: 1, completion_tokens: 2, total_tokens: 3})
      expect(made_up[-2][:usage]).to include(completion_tokens: 1)
      expect(none.grep(Hash).filter_map { |event| event[:usage] }).to be_empty
    end

    it "sends an error in place of the end" do
      all = events(answer(deltas: ["a"], error: {message: "Busy", type: "overloaded", code: 503}).body)

      expect(all.last).to eq(error: {message: "Busy", type: "overloaded", param: nil, code: 503})
    end

    it "cuts events into several writes, also inside a character" do
      response = answer(deltas: ["äöü"], split: :bytewise, role: false, done: false, finish_reason: nil)

      expect(content(response.body.force_encoding("UTF-8"))).to eq("äöü")
      expect(server.requests.first.writes.map { |write| write[:bytes] }.uniq).to eq([1])
    end

    it "takes endless deltas and writes only what is read" do
      server.script(deltas: (1..).lazy.map(&:to_s))
      connect(server) do |socket|
        ask(socket)
        read_head(socket)
        chunks = Array.new(4) { read_chunk(socket) }
        expect(content(chunks.join)).to eq("123")
      end
    end

    it "waits between events at least as long as it is told" do
      answer(deltas: %w[a b], delay: 0.02, first_delay: 0.05)

      request = server.requests.first
      times = request.writes.map { |write| write[:at] }
      expect(times.first - request.received_at).to be >= 0.05
      expect(times.each_cons(2).map { |a, b| b - a }).to all(be >= 0.02)
    end

    it "holds the connection open after the last event where it is told to" do
      server.script(deltas: ["a"], keep_open: true)
      connect(server) do |socket|
        ask(socket)
        read_head(socket)
        chunks = Array.new(4) { read_chunk(socket) }
        expect(chunks.last).to eq("data: [DONE]\n\n")
        expect(socket.wait_readable(0.05)).to be_nil
      end
    end

    it "answers a request with stream: false with one JSON object" do
      response = answer(request: {model: "m", stream: false}, deltas: %w[Hel lo], reasoning: ["Hm"], usage: true,
        tool_calls: [{id: "a", name: "one", arguments: {x: 1}}])

      message = JSON.parse(response.body, symbolize_names: true)
      expect(response["content-type"]).to eq("application/json")
      expect(message).to include(object: "chat.completion", model: "m", usage: include(completion_tokens: 2))
      expect(message.dig(:choices, 0)).to include(finish_reason: "tool_calls", message: include(
        content: "Hello", reasoning_content: "Hm",
        tool_calls: [{id: "a", type: "function", function: {name: "one", arguments: '{"x":1}'}}]
      ))
    end
  end

  describe "of bytes" do
    it "sends exactly these, cut as it is told" do
      bytes = "data: \xff\r\n\r\n".b
      {
        :whole => [11], :bytewise => [1] * 11, [1, 5] => [1, 5, 5], 4 => [4, 4, 3]
      }.each do |writes, sizes|
        expect(answer(bytes: bytes, writes: writes).body.b).to eq(bytes)
        expect(server.requests.last.writes.map { |write| write[:bytes] }).to eq(sizes)
      end
    end

    it "cuts at the same random places for the same seed" do
      sizes = Array.new(2) do
        answer(bytes: "x" * 200, writes: {random: 42})
        server.requests.last.writes.map { |write| write[:bytes] }
      end

      expect(sizes.first).to eq(sizes.last)
      expect(sizes.first).to all(be_between(1, 16))
    end

    it "takes status, headers and content type" do
      response = answer(bytes: "{}\n", status: 203, content_type: "application/x-ndjson", headers: {x_request_id: "r1"})

      expect([response.code, response["content-type"], response["x-request-id"]])
        .to eq(["203", "application/x-ndjson", "r1"])
    end

    it "ends the body by closing, or by its length" do
      closed = answer(bytes: "abc", transfer: :close)
      counted = answer(bytes: "abc", transfer: :length)

      expect([closed.body, closed["connection"], closed["transfer-encoding"]]).to eq(["abc", "close", nil])
      expect([counted.body, counted["content-length"], counted["connection"]]).to eq(%w[abc 3 keep-alive])
    end

    it "leaves out a default header that is set to nil, and repeats one given as a list" do
      response = answer(bytes: "", headers: {"date" => nil, "x-list" => %w[a b]})

      expect(response["date"]).to be_nil
      expect(response.get_fields("x-list")).to eq(%w[a b])
    end
  end

  describe "of a status" do
    it "writes an error as OpenAI does" do
      response = answer(status: 429, headers: {"retry-after" => 2})

      expect([response.code, response["retry-after"], response["content-type"]]).to eq(["429", "2", "application/json"])
      expect(JSON.parse(response.body)["error"]).to include("code" => "rate_limit_exceeded")
    end

    it "takes a body as an object or as it is" do
      expect(answer(status: 529, body: {type: "error"}).body).to eq('{"type":"error"}')
      html = answer(status: 502, body: "<html>", content_type: "text/html")
      expect([html.code, html.body, html["content-type"]]).to eq(["502", "<html>", "text/html"])
    end
  end

  describe "of raw bytes" do
    it "puts exactly these on the socket and closes" do
      raw = "HTTP/1.1 200 OK\r\nX-Odd: \xff\r\n\r\nhello".b
      server.script(raw: raw)
      connect(server) do |socket|
        ask(socket)
        expect(read_to_end(socket).b).to eq(raw)
      end
    end

    it "keeps the connection where it is told to" do
      server.script(raw: "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx", close: false, repeat: true)
      Net::HTTP.start("127.0.0.1", server.port) do |http|
        expect(Array.new(2) { http.post("/", "").body }).to eq(%w[x x])
      end
      expect(server.connections).to eq(1)
    end
  end

  describe "of a block" do
    it "writes what the block writes, and ends it" do
      response = answer do |request, response|
        response.start(201, "x-model" => request.json[:model])
        response.event({a: 1}).sleep(0.001).event("text", event: "named")
      end

      expect([response.code, response["x-model"]]).to eq(["201", "m"])
      expect(response.body).to eq("data: {\"a\":1}\n\nevent: named\ndata: text\n\n")
    end

    it "answers with nothing where the block does nothing" do
      expect(answer { nil }.body).to eq("")
    end

    it "lets the block cut the connection" do
      expect { answer { |_request, response| response.start.write("a").cut } }.to raise_error(EOFError)
      expect(server.errors).to be_empty
    end

    it "refuses to write before the headers" do
      expect { answer { |_request, response| response.write("a") } }.to raise_error(EOFError)
      expect(server.errors.first.message).to match(/outside/)
    end
  end

  describe "of a block that chooses" do
    it "answers by what the block gives for the request" do
      server.default_script { |request| {deltas: [request.json[:model]], repeat: false} }

      expect(%w[a b].map { |model| deltas(post(server, body: {model: model}).body)[1] })
        .to eq([{content: "a"}, {content: "b"}])
    end

    it "says what is wrong with what the block gives" do
      expect { answer { |_request| :nothing } }.to raise_error(EOFError)
      expect { answer { |_request| {deltas: [], no_such: 1} } }.to raise_error(EOFError)
      expect(server.errors.map(&:message)).to match([/Symbol, not the Hash/, /no_such/])
    end
  end
end
