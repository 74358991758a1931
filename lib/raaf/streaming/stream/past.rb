# frozen_string_literal: true

require_relative "../chunk"

module RAAF
  module Streaming
    class Stream
      # What was delivered until now, for those who come later: in few chunks, pieces of text joined, so that not every
      # chunk has to be kept.
      #
      # @api private
      class Past
        # Pieces of text that no chunk has as a whole.
        TEXT_TYPES = %i[reasoning refusal].freeze
        private_constant :TEXT_TYPES

        def initialize
          @kept = []
          @said = {} # [type, choice] => text
          @contents = {} # choice => its last chunk, which has the whole text
        end

        # @param chunk [Chunk]
        # @return [void]
        def add(chunk)
          return start_over if chunk.status? && chunk.status == :reset

          if chunk.content?
            @contents[chunk.choice] = chunk
          elsif TEXT_TYPES.include?(chunk.type)
            (@said[[chunk.type, chunk.choice]] ||= +"") << chunk.delta
          else
            @kept << chunk
          end
        end

        # @return [Array<Chunk>]
        def chunks
          said = @said.map { |(type, choice), text| Chunk.new(type: type, choice: choice, delta: text.dup).freeze }
          said + @contents.values.map { |last| whole(last) } + @kept
        end

        private

        # For those who come later the answer that was given up has never been.
        def start_over
          @said.clear
          @contents.clear
        end

        # Everything up to the last piece, as one piece.
        def whole(last)
          text = last.cumulative
          last.dup.tap { |chunk| chunk.delta = text.empty? ? last.delta : text }.freeze
        end
      end
    end
  end
end
