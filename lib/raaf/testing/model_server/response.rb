# frozen_string_literal: true

require "json"
require "securerandom"
require "time"

module RAAF
  module Testing
    class ModelServer
      # The answer to one request, as a script writes it. Everything is sent at once, nothing is buffered,
      # and each piece of the body is noted in {Request#writes}.
      #
      # @example In a block script
      #   server.script do |request, response|
      #     response.start(200, "content-type" => "text/event-stream")
      #     response.event({choices: [{index: 0, delta: {content: "Hello"}}]})
      #     response.sleep(0.1)
      #     response.write("data: [DONE]\n\n")
      #     response.finish
      #   end
      class Response
        # HTTP status => the text beside it.
        REASONS = {
          200 => "OK", 400 => "Bad Request", 401 => "Unauthorized", 403 => "Forbidden", 404 => "Not Found",
          405 => "Method Not Allowed", 408 => "Request Timeout", 409 => "Conflict", 413 => "Content Too Large",
          422 => "Unprocessable Content", 429 => "Too Many Requests", 431 => "Request Header Fields Too Large",
          500 => "Internal Server Error", 502 => "Bad Gateway", 503 => "Service Unavailable", 504 => "Gateway Timeout",
          529 => "Overloaded"
        }.freeze

        # How the end of the body is told: by a last chunk, by closing, by a length sent before; :raw sends
        # neither headers nor framing.
        TRANSFERS = %i[chunked close length raw].freeze

        # @api private
        # @param on_finish [#call] called once, when the answer was sent to its end
        def initialize(connection:, request:, journal:, pacer: nil, on_finish: nil)
          @connection = connection
          @request = request
          @journal = journal
          @pacer = pacer
          @on_finish = on_finish
          @transfer = nil
          @state = :new
          @keep_alive = request.keep_alive?
        end

        # Sends the status line and the headers.
        #
        # @param status [Integer]
        # @param headers [Hash{String,Symbol=>String,Integer,Array,nil}] an Array sends the header several
        #   times, nil leaves a default one (date, x-request-id, …) out; :retry_after is "retry-after"
        # @param transfer [Symbol] one of {TRANSFERS}
        # @param length [Integer, nil] bytes of body, for :length
        # @param drip [Numeric, nil] seconds between single bytes of the headers; nil: all at once
        # @param more [Hash] headers again, for a call without braces
        # @return [self]
        # @raise [ArgumentError] for an unknown transfer, or :length without a length
        # @raise [ClientClosed] where the client has gone
        def start(status = 200, headers = {}, transfer: :chunked, length: nil, drip: nil, **more)
          raise ArgumentError, "transfer must be one of #{TRANSFERS.inspect}" unless TRANSFERS.include?(transfer)
          raise ArgumentError, "transfer :length needs length:" if transfer == :length && length.nil?

          @transfer = (transfer == :chunked && !@request.chunked_allowed?) ? :close : transfer
          @keep_alive = false if %i[close raw].include?(@transfer)
          @state = :started
          send_head(head(status, headers.merge(more), length), drip) unless @transfer == :raw
          self
        end

        # Sends a piece of the body; in a chunked answer it is one chunk. An empty piece sends nothing.
        # @param bytes [String]
        # @return [self]
        # @raise [ClientClosed] where the client has gone
        # @raise [RuntimeError] before {#start} or after {#finish}
        def write(bytes)
          raise "write outside of start and finish" unless @state == :started
          return self if bytes.empty?

          @connection.write(frame(bytes))
          record(bytes.bytesize)
          self
        end

        # Sends one server-sent event.
        # @param data [Hash, Array, String] an object is written as JSON
        # @param event [String, nil] the event's name
        # @return [self]
        # @raise (see #write)
        def event(data, event: nil)
          text = data.is_a?(String) ? data : JSON.generate(data)
          write("#{"event: #{event}\n" if event}data: #{text}\n\n")
        end

        # Sends exact bytes: no headers, no framing, in any state. The connection is not used again.
        # @param bytes [String]
        # @return [self]
        # @raise [ClientClosed] where the client has gone
        def send_raw(bytes)
          @keep_alive = false
          @connection.write(bytes)
          record(bytes.bytesize)
          self
        end

        # Sends nothing for a while, and notices when the client goes away meanwhile.
        # @param seconds [Numeric]
        # @return [self]
        # @raise [ClientClosed] at once when the client goes away
        def sleep(seconds)
          @connection.pause(seconds) if seconds.positive?
          self
        end

        # Ends the answer as its transfer asks for; a second call does nothing.
        # @return [void]
        # @raise [ClientClosed] where the client has gone
        def finish
          return if over?

          start(200) if @state == :new
          @connection.write(ending)
          complete
        end

        # Notes that the answer was sent to its end.
        # @api private
        def complete
          @state = :finished
          @request.record_finish
          @on_finish&.call
          @journal.touch
        end

        # @api private
        # @return [String] what tells the client that the body is over
        def ending
          (@transfer == :chunked) ? "0\r\n\r\n" : ""
        end

        # Sends nothing more, and leaves the connection open until the client closes it.
        # @return [void]
        # @raise [Disconnected] always, in the end
        def hold
          @connection.hold
        end

        # Closes the connection here and now, without ending the answer.
        # @return [void]
        def cut
          @state = :cut
          @connection.close
        end

        # Closes the connection with a reset (RST).
        # @return [void]
        def reset
          @state = :cut
          @connection.reset
        end

        # Lets the connection carry another request although the answer was raw.
        # @api private
        def keep_connection
          @keep_alive = true
        end

        # Lets the pacer write the rest of the answer, and watches for the client meanwhile. Returns when the
        # client has sent something after the end, which is its next request.
        # @api private
        # @param events [#next] gives delays (seconds) and bytes, and nil after the last
        # @raise [Disconnected]
        def play_paced(events)
          stream = PacedStream.new(self, @connection, events)
          @pacer.add(stream)
          @connection.watch until stream.over?
        rescue Disconnected
          stream.give_up
          raise
        end

        # @api private
        # @return [Boolean] whether a pacer can write it: over TLS one thread must do all reading and writing
        def pacer?
          !@pacer.nil? && !@connection.tls?
        end

        # @api private
        # @return [String] a piece of the body as it goes on the wire
        def frame(bytes)
          return bytes unless @transfer == :chunked

          "#{bytes.bytesize.to_s(16)}\r\n#{bytes}\r\n"
        end

        # @api private
        def record(bytes)
          @request.record_write(bytes)
          @journal.touch
        end

        # @return [Boolean] whether {#start} was called
        def started?
          @state != :new
        end

        # @return [Boolean] whether nothing more can be sent
        def over?
          %i[finished cut].include?(@state)
        end

        # @return [Boolean] whether the connection may carry another request
        def reusable?
          @keep_alive && @state == :finished
        end

        private

        def head(status, headers, length)
          lines = ["HTTP/1.1 #{status} #{REASONS.fetch(status, "Status #{status}")}"]
          default_headers(length).merge(downcased(headers)).each do |name, value|
            Array(value).each { |single| lines << "#{name}: #{single}" }
          end
          "#{lines.join("\r\n")}\r\n\r\n"
        end

        def default_headers(length)
          defaults = {"date" => Time.now.httpdate, "x-request-id" => "req_#{SecureRandom.hex(12)}"}
          defaults["transfer-encoding"] = "chunked" if @transfer == :chunked
          defaults["content-length"] = length if @transfer == :length
          defaults["connection"] = @keep_alive ? "keep-alive" : "close"
          defaults
        end

        def downcased(headers)
          headers.to_h { |name, value| [(name.is_a?(Symbol) ? name.to_s.tr("_", "-") : name).downcase, value] }
        end

        def send_head(text, drip)
          return @connection.write(text) unless drip

          text.each_char do |char|
            @connection.write(char)
            @connection.pause(drip)
          end
        end
      end
    end
  end
end
