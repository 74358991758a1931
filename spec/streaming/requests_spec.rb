# frozen_string_literal: true

# What goes out: the request itself, and the way it takes.
RSpec.describe "A request" do
  include ReplayHelpers

  let(:server) { RAAF::Testing::ModelServer.start }

  after { server.stop }

  # @return [RAAF::Testing::ModelServer::Request] as the server saw it
  def sent(message = "Hello", **settings)
    server.script(deltas: ["Hi"], usage: true)
    run = stream_from(server, message, **settings)
    raise run.error if run.error

    server.requests.last
  end

  it "goes to the address of chat completions" do
    request = sent

    expect(request.http_method).to eq("POST")
    expect(request.path).to eq("/v1/chat/completions")
  end

  it "keeps the query of an address" do
    server.script(deltas: ["Hi"])

    expect(stream_from("#{server.base_url}?api-version=2024-10-21").error).to be_nil
    expect(server.requests.last.path).to eq("/v1/chat/completions?api-version=2024-10-21")
  end

  it "has these headers, each once, and no other" do
    headers = sent.headers

    expect(headers).to eq(
      "host" => "127.0.0.1:#{server.port}", "authorization" => "Bearer #{ReplayHelpers::KEY}",
      "content-type" => "application/json", "accept" => "text/event-stream", "accept-encoding" => "identity",
      "user-agent" => "raaf-streaming/#{RAAF::Streaming::VERSION}",
      "content-length" => server.requests.last.body.bytesize.to_s
    )
  end

  it "has the conversation as JSON in UTF-8" do
    request = sent("Zażółć 👋 \u2028\"\\")

    expect(JSON.parse(request.body.dup.force_encoding(Encoding::UTF_8), symbolize_names: true)).to eq(
      model: "gpt-4o", stream: true, stream_options: {include_usage: true},
      messages: [{role: "system", content: "Be brief."}, {role: "user", content: "Zażółć 👋 \u2028\"\\"}]
    )
  end

  it "of 2 MB is sent whole, and without Expect" do
    message = Random.new(1).bytes(1 << 20).unpack1("H*")
    request = sent(message)

    expect(request.headers).not_to include("expect")
    expect(request.json[:messages].last[:content]).to eq(message)
  end

  it "takes headers of the caller's own, and can leave ours out" do
    server.script(deltas: ["Hi"])
    provider = RAAF::Models::OpenAIProvider.new(base_url: server.base_url,
      headers: {"X-Team" => "blue", "authorization" => nil, "User-Agent" => "mine/1"})
    agent = RAAF::Agent.new(name: "Assistant", model: "gpt-4o")
    RAAF::Streaming::AsyncRunner.new(agent: agent, provider: provider).run_and_stream("Hello")

    headers = server.requests.last.headers
    expect(headers).to include("x-team" => "blue", "user-agent" => "mine/1")
    expect(headers).not_to include("authorization")
  end

  describe "after another" do
    def two_streams
      first = stream_from(server)
      settle
      second = stream_from(server)
      expect([first.error, second.error]).to eq([nil, nil])
      server.requests.map(&:connection_id)
    end

    it "goes over the same connection" do
      server.default_script(deltas: %w[Hel lo], usage: true)

      expect(two_streams).to eq([1, 1])
      expect(server.connections).to eq(1)
    end

    it "goes over the same connection where the first answer had no [DONE]" do
      server.default_script(deltas: %w[Hel lo], done: false)

      expect(two_streams).to eq([1, 1])
    end

    it "goes over the same connection where the answer ends only after the run has" do
      ended = Queue.new
      2.times do
        server.script do |_request, response|
          response.start(200, {"content-type" => "text/event-stream"})
          response.write("#{RAAF::Testing::OpenAIChatWire.new.content("Hello")}data: [DONE]\n\n")
          ended.pop
          response.write(": and now it is over\n\n").finish
        end
      end

      2.times do
        expect(stream_from(server).text).to eq("Hello")
        ended << true
        settle
      end
      expect(server.connections).to eq(1)
    end

    it "goes over the same connection after an error status" do
      server.script(status: 429).script(deltas: ["Hi"])

      expect(stream_from(server).error).to be_a(RAAF::Errors::RateLimitError)
      settle
      expect(stream_from(server).text).to eq("Hi")
      expect(server.connections).to eq(1)
    end

    it "goes over a new connection where the server has closed the old one" do
      2.times { server.script(deltas: ["Hi"], transfer: :close) }

      expect(two_streams).to eq([1, 2])
    end

    it "goes over a new connection where the old one died unnoticed" do
      server.default_script(deltas: ["Hi"])
      expect(stream_from(server).text).to eq("Hi")
      settle
      server.drop_connections
      server.wait_until { server.open_connections.zero? }

      expect(stream_from(server).text).to eq("Hi")
      expect(server.connections).to eq(2)
    end

    it "goes over a new connection where the first was left in the middle" do
      server.script(deltas: ["Hi"].cycle, delay: 0.01).script(deltas: ["Hi"])
      runner_for(server).run_and_stream("Hello") { |_| break }
      server.wait_for_close(server.requests.first, timeout: 20)

      expect(stream_from(server).text).to eq("Hi")
      expect(server.connections).to eq(2)
    end

    it "is never answered with what belongs to the first" do
      server.default_script(deltas: ["Hi"], keep_open: true)
      10.times { expect(stream_from(server).chunks.size).to eq(2) }

      expect(server.requests.size).to eq(10)
    end
  end

  describe "through a proxy" do
    no_proxies = %w[http_proxy HTTP_PROXY https_proxy HTTPS_PROXY no_proxy NO_PROXY].to_h { |name| [name, nil] }.freeze

    around { |example| with_env(no_proxies) { example.run } }

    # A name that only the proxy knows.
    def address
      "http://model.invalid:#{server.port}/v1"
    end

    it "goes where http_proxy says, with the whole address" do
      server.script(deltas: %w[Hel lo], usage: true)
      ReplayProxy.start do |proxy|
        run = with_env("http_proxy" => proxy.url) { stream_from(address) }

        expect(run.error).to be_nil
        expect(run.text).to eq("Hello")
        expect(proxy.heads.first).to start_with("POST http://model.invalid:#{server.port}/v1/chat/completions HTTP/1.1")
      end
    end

    it "goes where the setting says, also to loopback" do
      server.script(deltas: %w[Hel lo])
      ReplayProxy.start do |proxy|
        expect(stream_from(server, proxy: proxy.url).text).to eq("Hello")
        expect(proxy.connections).to eq(1)
      end
    end

    it "goes where the setting says, whatever no_proxy says" do
      server.script(deltas: %w[Hel lo])
      ReplayProxy.start do |proxy|
        run = with_env("no_proxy" => "*") { stream_from(address, proxy: proxy.url) }

        expect(run.text).to eq("Hello")
        expect(proxy.connections).to eq(1)
      end
    end

    it "shows the proxy its name and password, and the model server not" do
      server.script(deltas: ["Hi"])
      ReplayProxy.start do |proxy|
        expect(stream_from(server, proxy: proxy.url("me:s3cret-word")).text).to eq("Hi")
        expect(proxy.heads.first).to match(/^Proxy-Authorization: Basic #{["me:s3cret-word"].pack("m0")}\r$/i)
      end
    end

    it "goes past it to hosts of no_proxy" do
      ReplayProxy.start do |proxy|
        ["model.invalid", ".invalid", "other.example, model.invalid", "*"].each do |list|
          run = with_env("http_proxy" => proxy.url, "no_proxy" => list) { stream_from(address) }

          expect(run.error).to be_a(RAAF::Errors::ConnectionError).and have_attributes(reason: :resolve)
        end
        expect(proxy.connections).to eq(0)
      end
    end

    it "goes past it to loopback" do
      server.script(deltas: ["Hi"])
      ReplayProxy.start do |proxy|
        expect(with_env("http_proxy" => proxy.url) { stream_from(server) }.text).to eq("Hi")
        expect(proxy.connections).to eq(0)
      end
    end

    it "goes past it where the setting is false" do
      ReplayProxy.start do |proxy|
        run = with_env("http_proxy" => proxy.url) { stream_from(address, proxy: false) }

        expect(run.error).to have_attributes(class: RAAF::Errors::ConnectionError, reason: :resolve)
        expect(proxy.connections).to eq(0)
      end
    end

    it "does not take http_proxy for https" do
      ReplayProxy.start do |proxy|
        run = with_env("http_proxy" => proxy.url) { stream_from("https://model.invalid/v1") }

        expect(run.error).to have_attributes(class: RAAF::Errors::ConnectionError, reason: :resolve)
        expect(proxy.connections).to eq(0)
      end
    end

    it "is an error that says so where the proxy is not there, and shows no password" do
      port = TCPServer.open("127.0.0.1", 0) { |socket| socket.local_address.ip_port }
      run = stream_from(server, proxy: "http://me:s3cret-word@127.0.0.1:#{port}")

      expect(run.error).to be_a(RAAF::Errors::ConnectionError)
      expect(run.error.full_message + run.error.to_h.inspect).not_to include("s3cret-word")
      expect(server.requests).to be_empty
    end

    it "is an error with the proxy's status where it refuses" do
      ReplayProxy.start(refusal: "HTTP/1.1 407 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n") do |proxy|
        run = stream_from(server, proxy: proxy.url)

        expect(run.error).to be_a(RAAF::Errors::InvalidRequestError).and have_attributes(status: 407)
        expect(server.requests).to be_empty
      end
    end

    describe "with TLS" do
      let(:server) { RAAF::Testing::ModelServer.start(tls: {hosts: ["model.invalid"]}) }

      def address
        "https://model.invalid:#{server.port}/v1"
      end

      it "is tunnelled, and the proxy sees neither key nor conversation" do
        server.script(deltas: %w[Hel lo], usage: true)
        ReplayProxy.start do |proxy|
          run = with_env("https_proxy" => proxy.url) { stream_from(address, ca_file: server.ca_file) }

          expect(run.error).to be_nil
          expect(run.text).to eq("Hello")
          expect(proxy.heads.join).to start_with("CONNECT model.invalid:#{server.port} HTTP/1.1")
          expect(proxy.heads.join.downcase).not_to include("authorization")
          expect(proxy.heads.join).not_to include(ReplayHelpers::KEY)
        end
        expect(server.requests.last.headers).to include("authorization" => "Bearer #{ReplayHelpers::KEY}")
      end

      it "knows nothing of the tunnel in its result" do
        server.script(deltas: ["Hi"], headers: {"x-request-id" => "req_1"})
        ReplayProxy.start do |proxy|
          run = stream_from(address, proxy: proxy.url, ca_file: server.ca_file)

          expect(run.result.request_id).to eq("req_1")
        end
      end

      it "is an error where the proxy refuses the tunnel" do
        ReplayProxy.start(refusal: "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n") do |proxy|
          run = stream_from(address, proxy: proxy.url, ca_file: server.ca_file)

          expect(run.error).to be_a(RAAF::Errors::ConnectionError)
          expect(run.error.message).to include("403")
          expect(server.connections).to eq(0)
        end
      end

      it "does not trust a certificate any more than without a proxy" do
        ReplayProxy.start do |proxy|
          run = stream_from(address, proxy: proxy.url)

          expect(run.error).to be_a(RAAF::Errors::ConnectionError).and have_attributes(reason: :tls)
        end
        expect(server.requests).to be_empty
      end
    end
  end
end
