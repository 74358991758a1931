# frozen_string_literal: true

require_relative "event_emitter"
require_relative "runner"

module RAAF
  module Streaming
    # Runs an agent: as a call with a block ({Runner#run_and_stream}), or as a handle that is there at once ({#stream}).
    #
    # @example
    #   runner = RAAF::Streaming::AsyncRunner.new(agent: agent)
    #   runner.run_and_stream("Tell me a story") { |chunk| print chunk.delta if chunk.content? }
    class AsyncRunner < Runner
      # As {Runner#run_and_stream}. In a workflow of an {EventEmitter}, that is told of a failure.
      #
      # @param message [String, Array<Hash>] what the user says, or a conversation
      # @param options [Hash{Symbol=>Object}] as {Runner#run_and_stream}
      # @yieldparam chunk [Chunk]
      # @return [Result]
      # @raise [Errors::Error] where the run fails
      # @raise [ArgumentError] for a message that is none
      def run_and_stream(message, **options, &block)
        super
      rescue => e
        EventEmitter.agent_failed(agent, e)
        raise
      end

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
