# frozen_string_literal: true

require_relative "native"

module RAAF
  module Streaming
    # The arguments of the tool calls of one model call, as objects that grow: what the setting `partial_arguments`
    # adds to :tool_call_delta chunks.
    #
    # @api private
    class PartialArguments
      def initialize
        @calls = {} # [choice, tool index] => PartialJSON
      end

      # Called by the native stream for each :tool_call_delta chunk, in order, before the chunk is frozen.
      #
      # @param chunk [Chunk] its `arguments` are set: the call's Hash, the same each time; {} as long as no object has
      #   begun
      # @return [void]
      def add_to(chunk)
        json = (@calls[[chunk.choice, chunk.tool_index]] ||= PartialJSON.new)
        json << chunk.delta
        chunk.arguments = json.value.is_a?(Hash) ? json.value : {}
      end
    end
  end
end
