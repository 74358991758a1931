# frozen_string_literal: true

require "json"
require_relative "../chunk"

module RAAF
  module Streaming
    module ChunkProcessing
      # Chunks of one stream as JSON, for another process. The text so far stands in it once, and not in every chunk.
      module Packed
        # What is left out: it follows from the rest, or is no data.
        LEFT_OUT = %i[cumulative exception].freeze
        # Values that are Symbols.
        SYMBOLS = %i[type status].freeze
        private_constant :LEFT_OUT, :SYMBOLS

        module_function

        # @param chunks [Array<Chunk>]
        # @return [String]
        # @raise [JSON::GeneratorError] for what cannot be written
        def pack(chunks)
          before = nil #: String?
          JSON.generate(chunks.map do |chunk|
            text = chunk.cumulative
            written = written(chunk, text, before)
            before = text
            written
          end)
        end

        # @param json [String]
        # @return [Array<Chunk>] frozen
        def unpack(json)
          text = ""
          JSON.parse(json, symbolize_names: true).map do |values|
            text = values.delete(:cumulative) || text
            text += values[:delta].to_s if values.delete(:grows)
            SYMBOLS.each { |name| values[name] = values[name].to_sym if values[name].is_a?(String) }
            Chunk.new(type: values.delete(:type), **values, cumulative: text).freeze
          end
        end

        # @param chunk [Chunk]
        # @param text [String] the text so far
        # @param before [String, nil] what it was with the chunk before
        # @return [Hash{Symbol=>Object}]
        def written(chunk, text, before)
          values = chunk.marshal_dump.except(*LEFT_OUT)
          return values if text == before
          return values.merge(grows: true) if before && text == before + chunk.delta

          values.merge(cumulative: text)
        end
        private_class_method :written
      end
    end
  end
end
