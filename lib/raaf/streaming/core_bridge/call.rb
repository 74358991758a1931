# frozen_string_literal: true

require_relative "../../models/provider"
require_relative "../core_translation"
require_relative "events"

module RAAF
  module Streaming
    class CoreBridge < Models::Provider
      # One call of a provider's `stream_completion`, and what came of it.
      #
      # @api private
      class Call
        # What fails the answer. Everything else that can be raised ends the thread or the process.
        FAILURES = [StandardError, ScriptError, SystemStackError].freeze

        # The status of an answer that failed before its first piece, by our class of the error. The first match counts.
        STATUSES = {
          Errors::AuthenticationError => 401, Errors::PermissionError => 403, Errors::NotFoundError => 404,
          Errors::RateLimitError => 429, Errors::InvalidRequestError => 400, Errors::ConfigurationError => 400,
          Errors::OverloadedError => 529, Errors::ServerError => 500
        }.freeze

        private_constant :FAILURES, :STATUSES

        # @return [Exception, nil] what the provider's code raised, as it was
        attr_reader :failure

        # @param provider [#stream_completion]
        # @param name [String] the provider's
        # @param secrets [Array<String>] to cut out of messages
        # @param arguments [Hash] for stream_completion
        def initialize(provider, name:, secrets:, **arguments)
          @provider = provider
          @name = name
          @secrets = secrets
          @arguments = arguments
          @failure = nil
        end

        # Asks, and writes the answer. In the server's thread.
        #
        # @param response [Server::Response]
        # @return [void]
        def answer(response)
          @failure = failed = stream(response)
          refuse(response, failed) if failed
        end

        private

        # What is wrong with a piece is thrown and not raised, so that no `rescue` of the provider's takes it for a
        # reason to try again.
        def stream(response)
          events = Events.new
          catch(self) do
            returned = @provider.stream_completion(**@arguments) do |piece|
              response.write(or_throw { events.of(piece) })
            end
            response.write(events.ending(returned))
            nil
          end
        rescue *FAILURES => e
          e
        end

        def or_throw
          yield
        rescue *FAILURES => e
          throw self, e
        end

        def refuse(response, failed)
          error = CoreTranslation.of_provider(failed, provider: @name, secrets: @secrets)
          body = JSON.generate({error: {message: error.message, type: error.class.name, code: error.code}})
          if response.begun?
            response.write("data: #{body}\n\n")
          else
            response.refuse(status_of(error), body, retry_after: error.retry_after)
          end
        end

        def status_of(error)
          STATUSES.find { |error_class, _| error.is_a?(error_class) }&.last || 502
        end
      end
    end
  end
end
