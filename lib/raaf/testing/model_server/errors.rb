# frozen_string_literal: true

module RAAF
  module Testing
    class ModelServer
      # The connection is over; whatever was being sent or awaited on it ends here.
      class Disconnected < StandardError; end

      # The client closed its end. A block script sees it raised out of `write` and `sleep`.
      class ClientClosed < Disconnected; end

      # The server itself is ending the connection: it was stopped, or a limit was reached.
      class ServerClosed < Disconnected; end

      # What a test waited for did not happen in time, or cannot happen any more.
      class WaitTimeout < StandardError; end

      # The client sent something that is no HTTP request.
      class BadRequest < StandardError
        # @return [Integer] the HTTP status to answer with
        attr_reader :status

        # @param message [String]
        # @param status [Integer]
        def initialize(message, status: 400)
          super(message)
          @status = status
        end
      end
    end
  end
end
