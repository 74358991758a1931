# frozen_string_literal: true

require "json"
require "net/http"
require "socket"
require "timeout"

# Plain HTTP for specs of the model server: one way through Net::HTTP, one through a bare socket that shows every byte.
module HTTPClient
  # Seconds until a spec that waits for bytes fails instead of hanging.
  PATIENCE = 10

  # @return [Net::HTTPResponse] the whole answer
  def post(server, body: {model: "gpt-4o", stream: true, messages: [{role: "user", content: "Hi"}]},
    path: "/v1/chat/completions", headers: {})
    text = body.is_a?(String) ? body : JSON.generate(body)
    Net::HTTP.start("127.0.0.1", server.port, read_timeout: PATIENCE) do |http|
      http.post(path, text, {"content-type" => "application/json"}.merge(headers))
    end
  end

  # @return [Array<Hash>] the JSON of each event; `[DONE]` as :done
  def events(body)
    body.scan(/^data: (.*)$/).flatten.map do |data|
      (data == "[DONE]") ? :done : JSON.parse(data, symbolize_names: true)
    end
  end

  # @return [Array<Hash>] the deltas of all events that have one
  def deltas(body)
    (events(body) - [:done]).filter_map { |event| event.dig(:choices, 0, :delta) }
  end

  # @return [String] all content
  def content(body)
    deltas(body).filter_map { |delta| delta[:content] }.join
  end

  # @yieldparam socket [TCPSocket] closed afterwards
  def connect(server)
    socket = TCPSocket.new("127.0.0.1", server.port)
    Timeout.timeout(PATIENCE) { yield socket }
  ensure
    socket&.close
  end

  # Sends a chat request as bytes.
  def ask(socket, body: '{"messages":[{"role":"user","content":"Hi"}]}', headers: {})
    lines = headers.map { |name, value| "#{name}: #{value}\r\n" }.join
    socket.write("POST /v1/chat/completions HTTP/1.1\r\nHost: test\r\n#{lines}" \
      "Content-Length: #{body.bytesize}\r\n\r\n#{body}")
  end

  # Reads exactly the answer's headers.
  # @return [String]
  def read_head(socket)
    head = +""
    head << socket.readpartial(1) until head.end_with?("\r\n\r\n")
    head
  end

  # Reads until the server closes the connection, in whatever way.
  # @return [String] what came before
  def read_to_end(socket)
    bytes = +""
    loop { bytes << socket.readpartial(10_000) }
  rescue EOFError, Errno::ECONNRESET
    bytes
  end

  # Reads one chunk of a chunked body.
  # @return [String] "" for the last one
  def read_chunk(socket)
    size = socket.gets("\r\n").to_i(16)
    socket.read(size + 2).byteslice(0, size)
  end
end
