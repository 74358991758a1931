# frozen_string_literal: true

require "socket"
require "time"

# What a run says when it was refused, or got no answer: each kind of failure its own class, with what is known about it
# and without a key.
RSpec.describe "A run that fails" do
  include ReplayHelpers

  key = ReplayHelpers::KEY

  # What holds for every failure: one :error chunk, then the same error raised, and no key in anything that is shown.
  def expect_failure(run, error_class, **attributes)
    error = run.error
    expect(error).to be_an_instance_of(error_class)
    expect(error).to have_attributes(provider: "openai", model: "gpt-4o", **attributes)
    expect(error.message).to include("openai (gpt-4o)")
    expect(run.last).to be_error.and have_attributes(exception: error, error: error.message, delta: error.message)
    expect(run.chunks).to be_a_proper_sequence
    expect_no_key(run)
    error
  end

  def expect_no_key(run)
    error, chunk = run.error, run.last
    shown = [error.message, error.inspect, error.full_message, error.to_h.inspect, error.body, error.request_id,
      JSON.generate(error.to_h), chunk.inspect, chunk.to_h.inspect, chunk.to_json, chunk.delta]
    expect(shown.compact.map(&:b).join("\n")).not_to include(ReplayHelpers::KEY)
  end

  describe "with an HTTP status" do
    statuses = {
      400 => RAAF::Errors::InvalidRequestError, 401 => RAAF::Errors::AuthenticationError,
      403 => RAAF::Errors::PermissionError, 404 => RAAF::Errors::NotFoundError,
      422 => RAAF::Errors::InvalidRequestError, 429 => RAAF::Errors::RateLimitError,
      500 => RAAF::Errors::ServerError, 503 => RAAF::Errors::ServerError, 529 => RAAF::Errors::OverloadedError
    }

    statuses.each do |status, error_class|
      it "#{status} is a #{error_class.name}, with the provider's words and its id of the request" do
        run = stream_scripted(status: status, headers: {"x-request-id" => "req_12345"},
          body: {error: {message: "No luck today", type: "some_type", param: "model", code: nil}})

        error = expect_failure(run, error_class, status: status, request_id: "req_12345", type: "some_type",
          param: "model", partial_text: "", retry_after: nil)
        expect(error.message).to include("No luck today").and include("HTTP #{status}")
        expect(error.body).to include("No luck today")
        expect(run.chunks.size).to eq(1)
      end
    end

    it "is read from whatever body comes with it" do
      bodies = {"" => nil, "plain words" => "plain words", '{"error":"a string"}' => "a string",
                '{"detail":"details"}' => "details", "<html><title>Bad gateway</title></html>" => "Bad gateway"}
      bodies.each do |body, words|
        error = expect_failure(stream_scripted(status: 500, body: body), RAAF::Errors::ServerError, status: 500)
        expect(error.message).to include(words.to_s)
        expect(error.body.to_s).to eq(body)
      end
    end

    it "is an error too where its content type is that of an event stream" do
      run = stream_scripted(bytes: %(data: {"error":{"message":"No luck"}}\n\n), status: 503)

      expect_failure(run, RAAF::Errors::ServerError, status: 503)
    end

    [400, 413, 422].each do |status|
      it "#{status} is a ContextLengthError where the conversation is too long" do
        coded = {error: {message: "Too much", code: "context_length_exceeded", param: "messages"}}
        worded = {error: {message: "This model's maximum context length is 8192 tokens, however …"}}

        error = expect_failure(stream_scripted(status: status, body: coded), RAAF::Errors::ContextLengthError,
          status: status, code: "context_length_exceeded", param: "messages")
        expect(error).to be_a(RAAF::Errors::InvalidRequestError)
        expect_failure(stream_scripted(status: status, body: worded), RAAF::Errors::ContextLengthError)
      end
    end

    it "503 is an OverloadedError where the provider says so" do
      run = stream_scripted(status: 503, body: {error: {message: "That model is currently overloaded"}})

      expect_failure(run, RAAF::Errors::OverloadedError, status: 503)
    end

    it "is reported although the body's end never comes" do
      body = JSON.generate(error: {message: "No luck today"})
      run = stream_scripted(status: 500, body: body, transfer: :chunked, keep_open: true)

      expect(expect_failure(run, RAAF::Errors::ServerError, status: 500).message).to include("No luck today")
    end

    it "is reported although the body breaks off" do
      %i[cut reset].each do |fault|
        run = stream_scripted(status: 401, body: '{"error":{"message":"No luck today"}}', fault: fault, after: 10)

        # A reset may take the response with it.
        next if fault == :reset && run.error.is_a?(RAAF::Errors::ConnectionError)

        expect_failure(run, RAAF::Errors::AuthenticationError, status: 401)
      end
    end

    it "shows advice and no key where the key is wrong" do
      error = expect_failure(stream_scripted(status: 401), RAAF::Errors::AuthenticationError)

      expect(error.message).to include("OPENAI_API_KEY")
      expect(error).not_to be_retryable
    end
  end

  describe "with 429" do
    def limited(headers)
      expect_failure(stream_scripted(status: 429, headers: headers), RAAF::Errors::RateLimitError, status: 429)
    end

    it "knows how many seconds to wait" do
      error = limited("retry-after" => "7")

      expect(error.retry_after).to eq(7)
      expect(error.message).to include("7 s")
    end

    it "knows them where a date is given" do
      date = (Time.now + 120).httpdate

      expect(limited("retry-after" => date).retry_after).to be_between(60, 121)
    end

    it "does not wait for a date that has passed" do
      expect(limited("retry-after" => (Time.now - 120).httpdate).retry_after).to eq(0)
    end

    it "knows them to the millisecond, which wins, in any order" do
      expect(limited("retry-after-ms" => "1500", "retry-after" => "9").retry_after).to eq(1.5)
      expect(limited("retry-after" => "9", "retry-after-ms" => "1500").retry_after).to eq(1.5)
      expect(limited("Retry-After-Ms" => "20").retry_after).to eq(0.02)
    end

    it "knows nothing where the header makes no sense" do
      expect(limited("retry-after" => "soon").retry_after).to be_nil
    end

    it "hands the seconds to the chunk too" do
      run = stream_scripted(status: 429, headers: {"retry-after" => "7"})

      expect(run.last.retry_after).to eq(7)
      expect(run.last.to_h).to eq(type: :error, error: run.error.message, retry_after: 7)
    end

    it "says that waiting does not help where the quota is used up" do
      run = stream_scripted(status: 429, body: {error: {message: "Pay", code: "insufficient_quota"}})

      expect(expect_failure(run, RAAF::Errors::RateLimitError)).not_to be_retryable
    end
  end

  it "with a redirect, is not sent on, nor is its key" do
    RAAF::Testing::ModelServer.start do |elsewhere|
      run = stream_scripted(status: 302, headers: {"location" => "#{elsewhere.base_url}/chat/completions"}, body: "")

      error = expect_failure(run, RAAF::Errors::ProtocolError, status: 302)
      expect(error.message).to include("Redirects are not followed")
      expect(elsewhere.connections).to eq(0)
    end
  end

  describe "with 200, but no event stream" do
    it "is a ProtocolError with the title of a page" do
      run = stream_scripted(status: 200, content_type: "text/html",
        body: "<!doctype html><html><head><title>Welcome</title></head><body>…</body></html>")

      error = expect_failure(run, RAAF::Errors::ProtocolError, status: 200)
      expect(error.message).to include("Welcome").and include("base_url")
    end

    it "is the provider's error where the body is one" do
      run = stream_scripted(status: 200, body: {error: {message: "No luck", type: "server_error", code: 500}})

      expect(expect_failure(run, RAAF::Errors::ServerError, status: 200).message).to include("No luck")
    end

    it "is a ProtocolError where the body is some other JSON" do
      [{hello: "world"}, [1, 2], []].each do |body|
        expect_failure(stream_scripted(status: 200, body: body), RAAF::Errors::ProtocolError, status: 200)
      end
    end

    it "is a ProtocolError where the whole answer came as one JSON object" do
      run = stream_scripted(status: 200, body: RAAF::Testing::OpenAIChatWire.new.completion(content: "Hello"))

      expect_failure(run, RAAF::Errors::ProtocolError, status: 200)
    end

    it "is a ProtocolError where the body is empty" do
      expect_failure(stream_scripted(status: 200, body: ""), RAAF::Errors::ProtocolError, status: 200)
      expect_failure(stream_scripted(status: 200, body: "\n\n"), RAAF::Errors::ProtocolError, status: 200)
      expect_failure(stream_scripted(raw: "HTTP/1.1 204 No Content\r\n\r\n"), RAAF::Errors::ProtocolError, status: 204)
    end

    it "is a TruncatedStreamError where an event stream is empty" do
      expect_failure(stream_scripted(bytes: ""), RAAF::Errors::TruncatedStreamError, status: 200)
      expect_failure(stream_scripted(bytes: ": hello\n\n\n"), RAAF::Errors::TruncatedStreamError, status: 200)
    end

    it "is taken for a stream all the same where only the header says otherwise" do
      ["application/json", "text/plain", nil].each do |type|
        run = stream_scripted(deltas: %w[Hel lo], content_type: type)

        expect(run.error).to be_nil
        expect(run.text).to eq("Hello")
      end
    end

    it "is a ProtocolError for an event that is no JSON, with what was delivered before" do
      good = RAAF::Testing::OpenAIChatWire.new.content("Hello")
      run = stream_scripted(bytes: "#{good}data: {nonsense\n\n#{good}data: [DONE]\n\n")

      expect_failure(run, RAAF::Errors::ProtocolError, status: 200, partial_text: "Hello")
    end

    it "goes on after such an event where that was asked for" do
      good = RAAF::Testing::OpenAIChatWire.new.content("Hello")
      run = stream_scripted({malformed_events: :skip}, bytes: "#{good}data: {nonsense\n\n#{good}data: [DONE]\n\n")

      expect(run.error).to be_nil
      expect(run.text).to eq("HelloHello")
    end
  end

  describe "without a connection" do
    it "is a ConnectionError where it is refused" do
      port = TCPServer.open("127.0.0.1", 0) { |socket| socket.local_address.ip_port }
      run = stream_from("http://127.0.0.1:#{port}/v1")

      error = expect_failure(run, RAAF::Errors::ConnectionError, reason: :connect, status: nil, request_id: nil)
      expect(error).to be_retryable
      expect(error.message).to include("127.0.0.1")
    end

    it "is a ConnectionError where the name is not known" do
      run = stream_from("http://no-such-host.invalid/v1", proxy: false)

      expect(expect_failure(run, RAAF::Errors::ConnectionError, reason: :resolve).message)
        .to include("no-such-host.invalid")
    end

    it "is a ConnectionError where the certificate is not trusted, and nothing was sent" do
      RAAF::Testing::ModelServer.start(tls: true) do |server|
        error = expect_failure(stream_from(server), RAAF::Errors::ConnectionError, reason: :tls)

        expect(error).not_to be_retryable
        expect(error.message).to match(/certificate/i).and include("ca_file")
        expect(server.requests).to be_empty
      end
    end

    it "is a ConnectionError where the certificate is another host's" do
      RAAF::Testing::ModelServer.start(tls: {hosts: ["elsewhere.example"]}) do |server|
        expect_failure(stream_from(server, ca_file: server.ca_file), RAAF::Errors::ConnectionError, reason: :tls)
        expect(server.requests).to be_empty
      end
    end

    it "is a ConnectionError where the certificate has expired" do
      RAAF::Testing::ModelServer.start(tls: {not_after: Time.now - 3600}) do |server|
        expect_failure(stream_from(server, ca_file: server.ca_file), RAAF::Errors::ConnectionError, reason: :tls)
        expect(server.requests).to be_empty
      end
    end

    it "is a ConnectionError where https is asked for and plain http answers" do
      TCPServer.open("127.0.0.1", 0) do |server|
        answer = Thread.new { server.accept.tap { |socket| socket.write("HTTP/1.1 400 Bad Request\r\n\r\n") } }
        run = stream_from("https://127.0.0.1:#{server.local_address.ip_port}/v1")
        answer.value.close

        expect_failure(run, RAAF::Errors::ConnectionError, reason: :tls)
      end
    end

    it "does not fail with the file of the certificate, given by setting or by environment" do
      RAAF::Testing::ModelServer.start(tls: true) do |server|
        2.times { server.script(deltas: %w[Hel lo], usage: true) }

        expect(stream_from(server, ca_file: server.ca_file).text).to eq("Hello")
        with_env("SSL_CERT_FILE" => server.ca_file) { expect(stream_from(server).text).to eq("Hello") }
      end
    end

    it "is truncated over TLS as over plain sockets" do
      RAAF::Testing::ModelServer.start(tls: true) do |server|
        server.script(deltas: %w[a b c], fault: :cut, after: 3)
        run = stream_from(server, ca_file: server.ca_file)

        expect_failure(run, RAAF::Errors::TruncatedStreamError, partial_text: "ab")
      end
    end
  end

  describe "on a broken connection" do
    it "is a ProtocolError where the answer is not HTTP" do
      ["\x00\x01\x02 garbage \xFF\r\n\r\n".b, "220 mail.example ESMTP\r\n", "SSH-2.0-OpenSSH_9.2\r\n",
        Random.new(1).bytes(2000)].each do |bytes|
        expect_failure(stream_scripted(raw: bytes), RAAF::Errors::ProtocolError, status: nil)
      end
    end

    it "is a ConnectionError where it breaks before an answer, and is to be tried again" do
      [{fault: :cut, after: :request}, {fault: :reset, after: :request},
        {raw: "HTTP/1.1 200 OK\r\nContent-Ty"}].each do |script|
        error = expect_failure(stream_scripted(**script), RAAF::Errors::ConnectionError, reason: :lost)
        expect(error).to be_retryable
      end
    end

    it "is a ConnectionError where it is reset within the headers" do
      run = stream_scripted(raw: "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n", fault: :reset, after: 20)

      expect_failure(run, RAAF::Errors::ConnectionError, reason: :lost)
    end

    it "is a TruncatedStreamError where the body's framing turns to garbage" do
      RAAF::Testing::ModelServer.start do |server|
        server.script do |_request, response|
          response.start(200, {"content-type" => "text/event-stream"})
          response.write(RAAF::Testing::OpenAIChatWire.new.content("Hello")).send_raw("this is no chunk\r\n")
          response.cut
        end

        expect_failure(stream_from(server), RAAF::Errors::TruncatedStreamError, status: 200, partial_text: "Hello")
      end
    end
  end

  describe "whose answer quotes the key" do
    echoes = {
      "in the body" => {status: 401, body: "Incorrect API key provided: #{key}"},
      "in JSON" => {status: 401, body: {error: {message: "Bad key #{key}", code: key, type: key, param: key}}},
      "in a page" => {status: 200, content_type: "text/html", body: "<html><title>#{key}</title></html>"},
      "in a header" => {status: 500, headers: {"x-request-id" => "req-#{key}"}},
      "in an event" => {bytes: %(data: {"error":{"message":"Bad key #{key}","code":"#{key}"}}\n\n)},
      "with the whole header" => {status: 400, body: "Authorization: Bearer #{key}"}
    }

    echoes.each do |name, script|
      it "does not show it #{name}" do
        run = stream_scripted(**script)

        expect(run.error).to be_a(RAAF::Errors::Error)
        expect_no_key(run)
      end
    end
  end

  it "before anything is sent, for a key with a line break in it" do
    expect { runner_for("http://127.0.0.1:1/v1", api_key: "abc\r\nX-Evil: 1") }
      .to raise_error(ArgumentError, /line break/) { |error| expect(error.message).not_to include("abc") }
  end

  it "is raised where there is no block, and by a handle as by its chunks" do
    RAAF::Testing::ModelServer.start do |server|
      3.times { server.script(status: 401) }
      runner = runner_for(server)

      expect { runner.run_and_stream("Hello") }.to raise_error(RAAF::Errors::AuthenticationError)
      expect { runner.stream("Hello").result }.to raise_error(RAAF::Errors::AuthenticationError)
      stream = runner.stream("Hello").wait
      expect(stream.status).to eq(:failed)
    end
  end
end
