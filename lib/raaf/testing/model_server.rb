# frozen_string_literal: true

require_relative "wires"
require_relative "model_server/errors"
require_relative "model_server/clock"
require_relative "model_server/prompt"
require_relative "model_server/error_body"
require_relative "model_server/request"
require_relative "model_server/journal"
require_relative "model_server/connection"
require_relative "model_server/request_reader"
require_relative "model_server/response"
require_relative "model_server/splitter"
require_relative "model_server/fault"
require_relative "model_server/demo_text"
require_relative "model_server/demo_answer"
require_relative "model_server/demo_events"
require_relative "model_server/script"
require_relative "model_server/scripts/bytes"
require_relative "model_server/scripts/body"
require_relative "model_server/scripts/raw"
require_relative "model_server/scripts/block"
require_relative "model_server/scripts/choice"
require_relative "model_server/scripts/deltas"
require_relative "model_server/scripts/demo"
require_relative "model_server/script_queue"
require_relative "model_server/access_log"
require_relative "model_server/paced_stream"
require_relative "model_server/pacer"
require_relative "model_server/connection_handler"
require_relative "model_server/listener"

module RAAF
  module Testing
    # A real HTTP/1.1 server on loopback that answers like an AI provider: on time, slowly, wrongly or not
    # at all, as a test scripts it. Without a script it tells something pleasant at a model's pace.
    #
    # It speaks the format of the path it is asked at ({Wires::ROUTES}): OpenAI's chat completions and Responses,
    # Anthropic's Messages, Gemini and Ollama; scripts made of bytes answer on any path, so that any other format
    # can be played. Every method may be called from any thread.
    #
    # @example
    #   RAAF::Testing::ModelServer.start do |server|
    #     server.script(deltas: ["Hel", "lo"], delay: 0.01, usage: true)
    #     # … a client that uses server.base_url …
    #     request = server.wait_for_request
    #     request.json[:model]             # => "gpt-4o"
    #     request.headers["authorization"] # => "Bearer …"
    #   end
    class ModelServer
      # Requests that are remembered; older ones are forgotten.
      KEEP_REQUESTS = 10_000
      # Seconds that an idle connection is kept for the next request.
      KEEP_ALIVE_TIMEOUT = 75
      # Seconds that {#stop} waits for connections to end.
      STOP_TIMEOUT = 5

      # Starts a server.
      #
      # @param port [Integer] 0: any free one
      # @param host [String] a loopback address
      # @param log [#puts, nil] gets a line a request; never shows a key
      # @param tls [Boolean, Hash] true: with a self-signed certificate for 127.0.0.1, ::1 and localhost;
      #   {hosts: [String], not_after: Time} makes a certificate for other names, or an expired one
      # @param keep_requests [Integer] how many requests to remember
      # @param keep_alive_timeout [Numeric] seconds an idle connection is kept
      # @yieldparam server [ModelServer] stopped when the block is left
      # @return [ModelServer, Object] the server, or what the block returned
      # @raise [ArgumentError] for a host that is not loopback
      # @raise [Errno::EADDRINUSE] where the port is taken
      def self.start(port: 0, host: "127.0.0.1", log: nil, tls: false, keep_requests: KEEP_REQUESTS,
        keep_alive_timeout: KEEP_ALIVE_TIMEOUT)
        server = new(port: port, host: host, log: log, tls: tls, keep_requests: keep_requests,
          keep_alive_timeout: keep_alive_timeout)
        return server unless block_given?

        begin
          yield server
        ensure
          server.stop
        end
      end

      private_class_method :new

      # @api private
      def initialize(port:, host:, log:, tls:, keep_requests:, keep_alive_timeout:)
        @host = host
        @log = AccessLog.new(log)
        @certificate = make_certificate(tls)
        @keep_alive_timeout = keep_alive_timeout
        @journal = Journal.new(keep: keep_requests)
        @scripts = ScriptQueue.new
        @pacer = Pacer.new(@journal)
        @open = {}
        @lock = Mutex.new
        @stopped = false
        @listener = Listener.new(host: host, port: port, log: @log) { |socket| serve(socket) }.start
      end

      # @return [Integer]
      def port
        @listener.port
      end

      # @return [String] what a provider's `base_url` setting takes
      def base_url
        "#{@certificate ? "https" : "http"}://#{@host.include?(":") ? "[#{@host}]" : @host}:#{port}/v1"
      end

      # @return [String, nil] path of a PEM file that makes a client trust this server; nil without TLS;
      #   the file is gone after {#stop}
      def ca_file
        @certificate&.ca_file
      end

      # Adds an answer to the queue: each request takes the next one.
      #
      # What is answered, one of:
      #
      # * `deltas:` and its like: a stream in the format of the path, one event a delta. A request with `stream: false`
      #   gets the same as one JSON object.
      # * `bytes:` exact bytes as the body of an event stream, cut into `writes:`.
      # * `status:`, `body:`: a status with a body, as an API refuses.
      # * `raw:` exact bytes on the socket, nothing added.
      # * a block of two arguments, which writes the answer itself (see {Response}), or of one, which gives the options
      #   of another kind for the request; what it raises is kept in {#errors}.
      # * `demo: true`: what an unscripted server says; `tokens:` fixes the number of deltas.
      #
      # @overload script(deltas: [], **options)
      #   @param deltas [Enumerable<String, Hash>] text, or a Hash as it stands in `choices[0].delta`;
      #     may be endless
      #   @param reasoning [Array<String>] comes before the text
      #   @param reasoning_field [Symbol] reasoning_content, reasoning or reasoning_details
      #   @param refusal [String, Array<String>, nil]
      #   @param tool_calls [Array<Hash>] {id:, name:, arguments: String, Hash or Array of fragments,
      #     index: nil (its place) or false (left out), whole: false}
      #   @param usage [Hash, true, nil] true: made-up numbers; nil: none is sent
      #   @param finish_reason [String, nil] default "stop", or "tool_calls" where there are some; nil: none
      #   @param error [String, Hash, nil] an error event in place of finish, usage and [DONE]:
      #     the message, or {message:, type:, code:, param:}
      #   @param done [Boolean] whether `[DONE]` is sent
      #   @param role [Boolean] whether an event with the role comes first
      #   @param delay [Numeric] seconds between two events
      #   @param first_delay [Numeric] seconds between the headers and the first event
      #   @param split [Object, nil] cuts each event into several writes; forms as for `writes:`
      # @overload script(bytes:, **options)
      #   @param bytes [String]
      #   @param writes [Symbol, Integer, Array<Integer>, Hash] :whole, :bytewise, n bytes each, these sizes
      #     and the rest in one, {random: seed} (1 to 16 bytes), {random: seed, max: n}
      #   @param delay [Numeric] seconds between two writes
      # @overload script(status:, body: nil, **options)
      #   @param status [Integer]
      #   @param body [Hash, Array, String, nil] nil: an error as the provider writes it whose path was asked
      # @overload script(raw:, close: true, **options)
      #   @param raw [String] status line, headers, framing and all
      #   @param close [Boolean] false: the connection may carry another request
      # @overload script(demo:, tokens: nil, delay: nil, first_delay: 0.25)
      #   @param tokens [Integer, nil] exactly so many deltas; nil: 60 to 120 words
      #   @param delay [Numeric, nil] seconds between deltas; nil: about 30 a second, varying a little
      # @overload script(&block)
      #   @yieldparam request [Request]
      #   @yieldparam response [Response] where the block takes it
      #   @yieldreturn [Hash, Object] what {#script} takes, where it does not
      #
      # Options of all but the block:
      #
      # * status: (Integer, 200), headers: (Hash; nil as a value leaves a default header out), content_type:
      # * transfer: :chunked, :close (the body ends with the connection) or :length
      # * header_delay: seconds before the status line (0)
      # * keep_open: (false) true: after the last byte neither the answer nor the connection is ended
      # * repeat: (false) true: stays at the head of the queue for all further requests (also with a block)
      # * fault:, after:, seed:, size: see {Fault}
      #
      # @return [self]
      # @raise [ArgumentError] for an unknown option or one of the wrong form
      def script(**options, &block)
        @scripts.add(Script.build(**options, &block))
        self
      end

      # What answers when the queue is empty. Takes the same as {#script}.
      # @return [self]
      # @raise (see #script)
      def default_script(**options, &block)
        @scripts.default = Script.build(**options, &block)
        self
      end

      # Forgets the scripts that no request has taken yet.
      # @return [self]
      def clear_scripts
        @scripts.clear
        self
      end

      # @return [Integer] scripts that no request has taken yet
      def scripts_left
        @scripts.size
      end

      # @return [Array<Request>] what has been received so far, oldest first
      def requests
        @journal.requests
      end

      # @return [Integer] how many sockets have been accepted so far
      def connections
        @journal.connections
      end

      # @return [Integer] how many of them are open
      def open_connections
        @lock.synchronize { @open.size }
      end

      # @return [Array<Exception>] what block scripts have raised so far
      def errors
        @journal.errors
      end

      # Waits until a number of requests have been received.
      # @param number [Integer] counted from 1 since the start
      # @param timeout [Numeric] seconds
      # @return [Request] that one
      # @raise [WaitTimeout]
      def wait_for_request(number = 1, timeout: 5)
        @journal.wait(timeout) { @journal.request(number) } or
          raise WaitTimeout, "request #{number} did not come within #{timeout} s; " \
            "#{@journal.request_count} came on #{connections} connections"
      end

      # Waits until the client has closed the connection that a request came on.
      # @param request [Request]
      # @param timeout [Numeric] seconds
      # @return [Request] the same one
      # @raise [WaitTimeout] also, at once, where the server closed the connection
      def wait_for_close(request, timeout: 5)
        @journal.wait(timeout) { request.disconnected? } or
          raise WaitTimeout, "the client kept the connection open for #{timeout} s: #{request.inspect}"
        return request if request.closed_by_client_at

        raise WaitTimeout, "the server closed the connection, not the client: #{request.inspect}"
      end

      # Waits until anything is true, looking again whenever a connection, a request, a write or an end has
      # been noted. The block must be quick and must not wait itself.
      #
      # @example
      #   server.wait_until { request.writes.size >= 3 }
      # @param timeout [Numeric] seconds
      # @yieldreturn [Object] anything true ends the wait
      # @return [Object] what the block returned
      # @raise [WaitTimeout]
      def wait_until(timeout: 5, &block)
        @journal.wait(timeout, &block) or raise WaitTimeout, "it did not happen within #{timeout} s"
      end

      # Closes every open connection, as a server does that restarts; new ones are still accepted.
      # @return [self]
      def drop_connections
        @lock.synchronize { @open.keys }.each(&:shutdown)
        self
      end

      # Closes all sockets and waits for the threads. A second call does nothing.
      # @param timeout [Numeric] seconds; threads of block scripts that take longer are killed
      # @return [void]
      def stop(timeout: STOP_TIMEOUT)
        already = @lock.synchronize { @stopped.tap { @stopped = true } }
        return if already

        @listener.stop_accepting
        drop_connections
        @pacer.stop(timeout)
        @listener.join(timeout)
        @certificate&.delete
      end

      # @return [Boolean]
      def stopped?
        @stopped
      end

      # @return [String]
      def inspect
        "#<#{self.class.name} #{base_url} connections=#{connections} requests=#{@journal.request_count}>"
      end

      private

      def make_certificate(tls)
        return unless tls

        require_relative "model_server/certificate"
        Certificate.new(**((tls == true) ? {} : tls))
      end

      def serve(socket)
        connection = Connection.new(socket, id: @journal.add_connection, tls: @certificate&.context)
        return connection.close unless register(connection)

        ConnectionHandler.new(connection, scripts: @scripts, journal: @journal, log: @log,
          pacer: @pacer, keep_alive_timeout: @keep_alive_timeout).run
      ensure
        @lock.synchronize { @open.delete(connection) }
        @journal.touch
      end

      # A socket may be accepted while the server stops: it must not be left behind.
      def register(connection)
        @lock.synchronize do
          next false if @stopped

          @open[connection] = true
        end
      end
    end
  end
end
