# frozen_string_literal: true

require "json"

module RAAF
  module Testing
    class ModelServer
      # One request that the server received, and what became of its answer. Safe to read from any
      # thread while the answer is still on its way.
      class Request
        # Headers whose values are never shown by {#inspect}.
        SECRET_HEADERS = %w[authorization proxy-authorization x-api-key api-key x-goog-api-key cookie].freeze

        # @return [String] "POST", "GET", …
        attr_reader :http_method
        # @return [String] the request target: the path with its query
        attr_reader :path
        # @return [Hash{String=>String}] names in lower case; a repeated header's values are joined with ", "
        attr_reader :headers
        # @return [String] binary; chunks joined where the client sent it chunked
        attr_reader :body
        # @return [Float] seconds on the monotonic clock, when the last byte of the request was there
        attr_reader :received_at
        # @return [Integer] the connection it came on, counted from 1: equal numbers mean a reused connection
        attr_reader :connection_id

        # @api private
        def initialize(http_method:, path:, headers:, body:, http_version:, connection_id:, received_at: Clock.now)
          @http_method = http_method
          @path = path
          @headers = headers.freeze
          @body = body.freeze
          @http_version = http_version
          @connection_id = connection_id
          @received_at = received_at
          @write_times = []
          @write_sizes = []
          @lock = Mutex.new
        end

        # @return [Hash, Array, nil] the body as JSON with Symbol keys; nil where it is no JSON
        def json
          return @json if defined?(@json)

          @json = parse_json
        end

        # The pieces of the answer's body in the order they were handed to the socket. Headers and the
        # framing of chunks are not counted.
        # @return [Array<Hash>] each `{at: Float (seconds, monotonic clock), bytes: Integer}`
        def writes
          times, sizes = @lock.synchronize { [@write_times.dup, @write_sizes.dup] }
          times.zip(sizes).map { |at, bytes| {at: at, bytes: bytes} }
        end

        # @return [Float, nil] seconds on the monotonic clock, when the server noticed that the client had
        #   closed the connection this request came on; nil while it is open, or where the server closed it
        def closed_by_client_at
          @lock.synchronize { @closed_by_client_at }
        end

        # @return [Boolean] whether the answer was sent to its very end
        def finished?
          @lock.synchronize { @finished == true }
        end

        # @return [Boolean] whether the connection this request came on is over, whoever closed it
        def disconnected?
          @lock.synchronize { @disconnected == true }
        end

        # @return [String] the path without its query
        def route
          path.split("?", 2).first
        end

        # @return [Boolean] whether the connection may carry another request after this one
        def keep_alive?
          connection = headers.fetch("connection", "").downcase
          (@http_version == "1.0") ? connection.include?("keep-alive") : !connection.include?("close")
        end

        # @return [Boolean] whether the client understands a chunked answer
        def chunked_allowed?
          @http_version != "1.0"
        end

        # Shows no secret: neither keys in headers nor in the query.
        # @return [String]
        def inspect
          shown = headers.map { |name, value| "#{name}: #{SECRET_HEADERS.include?(name) ? "[hidden]" : value}" }
          target = path.gsub(/([?&](?:key|api_key|access_token)=)[^&]*/i, '\1[hidden]')
          "#<#{self.class.name} #{http_method} #{target} connection=#{connection_id} {#{shown.join(", ")}} " \
            "body=#{body.bytesize} bytes writes=#{@write_sizes.size} finished=#{finished?}>"
        end

        # The body may carry a prompt, the headers a key: neither belongs in a printed object.
        alias_method :to_s, :inspect

        # Two lists of plain numbers, because this happens for every piece of every answer: a Hash each would
        # keep the garbage collector busier than the sockets.
        # @api private
        def record_write(bytes)
          @lock.synchronize do
            @write_times << Clock.now
            @write_sizes << bytes
          end
        end

        # @api private
        def record_finish
          @lock.synchronize { @finished = true }
        end

        # @api private
        def record_disconnect(by_client:)
          @lock.synchronize do
            @disconnected = true
            @closed_by_client_at ||= Clock.now if by_client
          end
        end

        private

        def parse_json
          JSON.parse(body.dup.force_encoding(Encoding::UTF_8), symbolize_names: true)
        rescue JSON::ParserError
          nil
        end
      end
    end
  end
end
