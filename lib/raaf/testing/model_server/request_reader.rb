# frozen_string_literal: true

module RAAF
  module Testing
    class ModelServer
      # Reads HTTP/1.1 requests one after another from a connection: bodies with Content-Length and chunked
      # ones, `Expect: 100-continue`, requests sent ahead.
      class RequestReader
        # Bytes of request line and headers.
        MAX_HEAD = 1 << 16
        # Bytes of body.
        MAX_BODY = 64 << 20
        # Seconds for the rest of a request once it has begun.
        READ_TIMEOUT = 30

        REQUEST_LINE = %r{\A([A-Z]+) (\S+) HTTP/(1\.[01])\z}

        private_constant :REQUEST_LINE

        # @param connection [Connection]
        # @param keep_alive_timeout [Numeric] seconds to wait for a request to begin
        def initialize(connection, keep_alive_timeout:)
          @connection = connection
          @keep_alive_timeout = keep_alive_timeout
        end

        # @return [Request]
        # @raise [BadRequest] where the bytes are no request
        # @raise [Disconnected] where the client closed, or none came in time
        def next_request
          @connection.await_input(@keep_alive_timeout)
          head = @connection.read_until("\r\n\r\n", limit: MAX_HEAD, timeout: READ_TIMEOUT)
          line, *fields = head.split("\r\n")
          http_method, path, version = parse_request_line(line)
          headers = parse_headers(fields)
          Request.new(http_method: http_method, path: path, headers: headers, body: read_body(headers),
            http_version: version, connection_id: @connection.id)
        end

        private

        def parse_request_line(line)
          match = REQUEST_LINE.match(line.to_s) or raise BadRequest, "not an HTTP/1.1 request line"
          match.captures
        end

        def parse_headers(fields)
          fields.each_with_object({}) do |field, headers|
            name, value = field.split(":", 2)
            raise BadRequest, "a header without a colon" unless value && name.match?(/\A[^\s]+\z/)

            key = name.downcase
            headers[key] = [headers[key], value.strip].compact.join(", ")
          end
        end

        def read_body(headers)
          chunked = headers.fetch("transfer-encoding", "").downcase.include?("chunked")
          length = content_length(headers)
          @connection.write("HTTP/1.1 100 Continue\r\n\r\n") if expects_continue?(headers)
          return read_chunks if chunked

          length.zero? ? +"" : @connection.read(length, timeout: READ_TIMEOUT)
        end

        def content_length(headers)
          text = headers.fetch("content-length", "0")
          raise BadRequest, "Content-Length is no number" unless text.match?(/\A\d+\z/)

          limited(text.to_i)
        end

        def expects_continue?(headers)
          headers.fetch("expect", "").downcase == "100-continue"
        end

        def read_chunks
          body = String.new(encoding: Encoding::BINARY)
          while (size = next_chunk_size).positive?
            limited(body.bytesize + size)
            body << @connection.read(size, timeout: READ_TIMEOUT)
            raise BadRequest, "a chunk without its end" unless read_line.empty?
          end
          nil until read_line.empty? # trailers
          body
        end

        def next_chunk_size
          text = read_line.split(";", 2).first.to_s.strip
          raise BadRequest, "a chunk without its size" unless text.match?(/\A\h{1,8}\z/)

          text.to_i(16)
        end

        def read_line
          @connection.read_until("\r\n", limit: MAX_HEAD, timeout: READ_TIMEOUT)
        end

        def limited(size)
          return size if size <= MAX_BODY

          raise BadRequest.new("a body of more than #{MAX_BODY} bytes", status: 413)
        end
      end
    end
  end
end
