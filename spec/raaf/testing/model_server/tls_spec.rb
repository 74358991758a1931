# frozen_string_literal: true

require "raaf/testing"
require_relative "../http_client"

RSpec.describe RAAF::Testing::ModelServer, "over TLS" do
  include HTTPClient

  let(:server) { described_class.start(tls: tls) }
  let(:tls) { true }

  after { server.stop }

  def secure_post(host: "127.0.0.1", ca_file: server.ca_file)
    http = Net::HTTP.new(host, server.port)
    http.use_ssl = true
    http.ca_file = ca_file
    http.start { http.post("/v1/chat/completions", '{"messages":[{"role":"user","content":"Hi"}]}') }
  end

  def secure_connect
    socket = OpenSSL::SSL::SSLSocket.new(TCPSocket.new("127.0.0.1", server.port))
    socket.sync_close = true
    yield socket.connect
  ensure
    socket.close
  end

  it "is trusted by a client that was given its certificate, at every loopback name" do
    server.default_script(deltas: ["secret"])

    expect(server.base_url).to start_with("https://127.0.0.1:")
    expect(content(secure_post.body)).to eq("secret")
    expect(content(secure_post(host: "localhost").body)).to eq("secret")
  end

  it "is not trusted by anybody else" do
    expect { secure_post(ca_file: nil) }.to raise_error(OpenSSL::SSL::SSLError, /certificate verify failed/)
    expect(server.requests).to be_empty
  end

  it "answers without a script too" do
    server.default_script(demo: true, tokens: 3, delay: 0, first_delay: 0)

    expect(events(secure_post.body).last).to eq(:done)
  end

  it "sends answers larger than any buffer" do
    server.script(bytes: "x" * 3_000_000)

    expect(secure_post.body.bytesize).to eq(3_000_000)
  end

  it "notices that the client goes away during a silence" do
    server.script(deltas: ["a"], fault: :stall, after: 1)
    secure_connect do |socket|
      ask(socket)
      read_head(socket)
    end
    expect(server.wait_for_close(server.requests.first).closed_by_client_at).to be_a(Float)
  end

  it "survives a client that does not speak TLS" do
    connect(server) do |socket|
      socket.write("GET / HTTP/1.1\r\n\r\n")
      read_to_end(socket)
    end
    server.script(deltas: ["still here"])
    expect(content(secure_post.body)).to eq("still here")
  end

  it "takes the file with the certificate away when it stops" do
    file = server.ca_file
    expect(File.read(file)).to start_with("-----BEGIN CERTIFICATE-----")
    server.stop
    expect(File.exist?(file)).to be(false)
  end

  context "with a certificate for another name" do
    let(:tls) { {hosts: ["example.test"]} }

    it "is refused even by who trusts it" do
      expect { secure_post }.to raise_error(OpenSSL::SSL::SSLError, /does not match|mismatch|verify failed/)
    end
  end

  context "with a certificate that has ended" do
    let(:tls) { {not_after: Time.now - 60} }

    it "is refused" do
      expect { secure_post }.to raise_error(OpenSSL::SSL::SSLError, /expired/)
    end
  end
end
