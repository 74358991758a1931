# frozen_string_literal: true

module RAAF
  module Streaming
    # Makes of an {AgentService} one that broadcasts the chunks itself, to `agent_<user id>` and in the form of the
    # guide's AgentChannel, and that returns when the answer is there: for jobs, the console, and specs.
    #
    # @example
    #   class StreamingAgentService < AgentService
    #     include RAAF::Streaming::BroadcastingService
    #   end
    module BroadcastingService
      # Asks, and broadcasts the answer. An answer that fails is broadcast as an `:error` chunk, and not raised: whoever
      # reads it has been told.
      #
      # @param message [String]
      # @param context [Hash, nil]
      # @yieldparam chunk [Chunk] each, after it was broadcast; the block may be left out
      # @return [Result, nil] nil: it failed
      # @raise [ArgumentError, Errors::Error] where nothing could be asked
      def stream_chat(message, context = {})
        told = false
        runner.run_and_stream(check_message(message), context: check_context(context)) do |chunk|
          broadcast(chunk)
          told = chunk.error? && chunk.terminal?
          yield chunk if block_given?
        end
      rescue Errors::Error
        raise unless told
      end

      private

      def broadcast(chunk)
        ActionCable.server.broadcast("agent_#{user.id}", {
          type: "agent_chunk", chunk_type: chunk.type, content: chunk.delta, cumulative: chunk.cumulative,
          metadata: chunk.metadata
        })
      end
    end
  end
end
