# frozen_string_literal: true

require_relative "runner"

module RAAF
  module Streaming
    # Runs an agent: as a call with a block ({Runner#run_and_stream}), or as a handle that is there at once ({#stream}).
    #
    # @example
    #   runner = RAAF::Streaming::AsyncRunner.new(agent: agent)
    #   runner.run_and_stream("Tell me a story") { |chunk| print chunk.delta if chunk.content? }
    class AsyncRunner < Runner
      # Asks, and returns at once.
      #
      # @param (see Runner#run_and_stream)
      # @return [Stream] running, or waiting for its place
      # @raise [Errors::ConfigurationError, Errors::StreamLimitError, ArgumentError] before anything is sent
      # @example With callbacks: no thread a stream
      #   runner.stream("Hello").on(:content) { |chunk| socket.write(chunk.delta) }
      def stream(message, context: {}, session_id: nil, user_id: nil, provider: nil, model: nil, **settings)
        open_stream(message, context: context, session_id: session_id, user_id: user_id, provider: provider,
          model: model, settings: settings).start
      end
    end
  end
end
