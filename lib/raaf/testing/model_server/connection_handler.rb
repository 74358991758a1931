# frozen_string_literal: true

require "json"

module RAAF
  module Testing
    class ModelServer
      # What happens on one connection, from its first byte to its last: requests are read and answered
      # one after another.
      class ConnectionHandler
        # Names that `GET …/models` lists.
        MODELS = %w[gpt-4o gpt-4o-mini o4-mini].freeze
        # The list's address, whatever stands before it.
        MODELS_ROUTE = %r{/models\z}
        # Seconds for the TLS handshake.
        HANDSHAKE_TIMEOUT = 10
        # Requests of this connection that are told when it closes.
        MAX_REQUESTS = 100

        # @param connection [Connection]
        # @param scripts [ScriptQueue]
        # @param journal [Journal]
        # @param log [AccessLog]
        # @param pacer [Pacer]
        # @param keep_alive_timeout [Numeric] seconds
        def initialize(connection, scripts:, journal:, log:, pacer:, keep_alive_timeout:)
          @connection = connection
          @scripts = scripts
          @journal = journal
          @log = log
          @pacer = pacer
          @reader = RequestReader.new(connection, keep_alive_timeout: keep_alive_timeout)
          @requests = []
          @closed_by_client = false
        end

        # Serves the connection until one side ends it.
        # @return [void]
        def run
          @connection.handshake(HANDSHAKE_TIMEOUT)
          nil while serve(@reader.next_request)
        rescue ClientClosed
          @closed_by_client = true
        rescue ServerClosed
          nil
        rescue BadRequest => e
          refuse(e)
        ensure
          disconnect
        end

        private

        # @return [Boolean] whether the connection goes on
        def serve(request)
          note(request)
          response = Response.new(connection: @connection, request: request, journal: @journal, pacer: @pacer,
            on_finish: -> { @log.request(request) })
          script_for(request).play(request, response)
          response.reusable?
        rescue Disconnected
          raise
        rescue => e
          @journal.add_error(e)
          @log.error(request, e)
          false
        ensure
          @log.request(request) unless request.finished?
        end

        def note(request)
          @requests << request
          @requests.shift if @requests.size > MAX_REQUESTS
          @journal.add_request(request)
        end

        def script_for(request)
          return models if request.http_method == "GET" && MODELS_ROUTE.match?(request.route)

          @scripts.take(request) || not_found(request)
        end

        def models
          list = MODELS.map { |name| {id: name, object: "model", created: 0, owned_by: "raaf"} }
          Scripts::Body.new(body: {object: "list", data: list})
        end

        def not_found(request)
          message = "Nothing is served at #{request.http_method} #{request.route}; try POST /v1/chat/completions."
          Scripts::Body.new(status: 404, body: ErrorBody.json(404, message))
        end

        # The bytes were no request, so where the next one would begin is unknown: answer and close.
        def refuse(error)
          body = ErrorBody.json(error.status, "Bad request: #{error.message}.")
          reason = Response::REASONS.fetch(error.status)
          @connection.write("HTTP/1.1 #{error.status} #{reason}\r\ncontent-type: application/json\r\n" \
            "content-length: #{body.bytesize}\r\nconnection: close\r\n\r\n#{body}")
        rescue Disconnected
          nil
        end

        def disconnect
          @connection.close
          @requests.each { |request| request.record_disconnect(by_client: @closed_by_client) }
          @journal.touch
        end
      end
    end
  end
end
