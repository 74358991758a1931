# frozen_string_literal: true

module RAAF
  module Streaming
    # The forms in which an agent's `response_format` may be given, in the one that providers are told: OpenAI's.
    #
    # @api private
    module ResponseFormat
      # The types of OpenAI's response_format. Source: OpenAI's API reference, chat completions.
      TYPES = %w[text json_object json_schema].freeze

      # The name of a schema that has none.
      NAME = "answer"

      private_constant :TYPES, :NAME

      module_function

      # @param given [Hash, Symbol, String, nil] OpenAI's Hash; a JSON Schema alone; or `:json`
      # @return [Hash{Symbol=>Object}, nil] `{type: "json_schema", json_schema: {name:, schema:}}` or `{type:
      #   "json_object"}`, or whatever else OpenAI has
      # @raise [ArgumentError] for anything else
      def of(given)
        case given
        when nil then nil
        when :json, "json", :json_object, "json_object" then {type: "json_object"}
        when Hash then from_hash(given.transform_keys(&:to_sym))
        else raise ArgumentError, unusable(given)
        end
      end

      def from_hash(hash)
        return hash if TYPES.include?(hash[:type].to_s)
        raise ArgumentError, unusable(hash) unless hash.key?(:properties) || hash.key?(:type) || hash.key?(:$ref)

        {type: "json_schema", json_schema: {name: NAME, schema: hash}}
      end

      def unusable(given)
        "response_format must be a JSON Schema, {type: \"json_schema\", json_schema: {name:, schema:}} or :json, " \
          "not #{given.inspect[0, 100]}"
      end

      private_class_method :from_hash, :unusable
    end
  end
end
