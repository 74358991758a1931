# frozen_string_literal: true

require "json"
require "net/http"
require_relative "command"

RSpec.describe "raaf-stream serve" do
  include Command

  let(:body) { JSON.generate({model: "m", stream: true, messages: [{role: "user", content: "Tell me a story"}]}) }

  def address(output)
    URI(output.gets[%r{\Alistening on (http://127\.0\.0\.1:\d+/v1)\n\z}, 1])
  end

  it "serves until it is told to stop, and logs a line a request" do
    line = nil
    status = start_command("serve", "--tokens", "3", "--delay", "1", "--first-delay", "0") do |output|
      base = address(output)
      answer = Net::HTTP.post(URI("#{base}/chat/completions"), body, "authorization" => "Bearer sk-1")
      expect(answer.body.scan('"content":"').size).to eq(4) # the role's is empty
      line = output.gets
    end

    expect(status).to eq(0)
    expect(line).to match(/ POST m "Tell me a story" 7 writes in 0\.\d\d s\n/)
    expect(line).not_to include("sk-1")
  end

  it "stops cleanly on Ctrl-C, also in the middle of an answer" do
    status = start_command("serve", "--quiet", "--delay", "60000", signal: "INT") do |output|
      base = address(output)
      socket = TCPSocket.new(base.host, base.port)
      socket.write("POST /v1/chat/completions HTTP/1.1\r\nContent-Length: #{body.bytesize}\r\n\r\n#{body}")
      socket.readpartial(1)
    end

    expect(status).to eq(0)
  end

  it "holds a thousand answers at a time" do
    soft, hard = Process.getrlimit(:NOFILE)
    skip "the hard limit of descriptors is #{hard}" if hard < 1100
    Process.setrlimit(:NOFILE, [soft, 1100].max, hard)

    start_command("serve", "--quiet", "--tokens", "2", "--delay", "60000", "--first-delay", "0") do |output|
      base = address(output)
      sockets = Array.new(1000) do
        TCPSocket.new(base.host, base.port).tap do |socket|
          socket.write("POST /v1/chat/completions HTTP/1.1\r\nContent-Length: #{body.bytesize}\r\n\r\n#{body}")
        end
      end
      sockets.each { |socket| nil until socket.gets.include?('"content":"') }
      sockets.each(&:close)
    end
  ensure
    Process.setrlimit(:NOFILE, soft, hard)
  end

  it "says so in one line where the port is taken" do
    taken = TCPServer.new("127.0.0.1", 0)
    out, err, status = run_command("serve", "--port", taken.addr[1].to_s)

    expect([out, status]).to eq(["", 1])
    expect(err).to match(/\Araaf-stream: cannot listen on port #{taken.addr[1]}[^\n]+--port[^\n]+\n\z/)
  end

  it "goes on when nobody reads its log any more" do
    start_command("serve", "--tokens", "1", "--first-delay", "0") do |output|
      base = address(output)
      output.close
      answers = Array.new(2) { Net::HTTP.post(URI("#{base}/chat/completions"), body).body }
      expect(answers).to all(end_with("data: [DONE]\n\n"))
    end
  end
end
