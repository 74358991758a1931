# frozen_string_literal: true

require "json"
require_relative "../../errors"
require_relative "../foreign_json"

module RAAF
  module Streaming
    class Tool
      # The arguments of a call, as the model wrote them: read, and held to the tool's schema.
      #
      # Of JSON Schema it checks what models get wrong: `type`, `required`, `enum`, `additionalProperties: false`,
      # `properties` and `items`, at any depth. Everything else in a schema is for the model.
      #
      # @api private
      module Arguments
        # JSON Schema's types and what they are in Ruby. Source: JSON Schema 2020-12, core, 4.2.1 and 6.1.1.
        TYPES = {
          "object" => ->(value) { value.is_a?(Hash) }, "array" => ->(value) { value.is_a?(Array) },
          "string" => ->(value) { value.is_a?(String) }, "boolean" => ->(value) { value == true || value == false },
          "number" => ->(value) { value.is_a?(Numeric) }, "null" => lambda(&:nil?),
          "integer" => ->(value) { value.is_a?(Integer) || (value.is_a?(Float) && value.finite? && value % 1 == 0) }
        }.freeze

        # Complaints that the model is told of, at most.
        MOST = 5
        private_constant :TYPES, :MOST

        module_function

        # @param json [String] "" stands for no arguments
        # @return [Hash{Symbol=>Object}]
        # @raise [JSON::ParserError] where it is no JSON
        # @raise [ArgumentError] where it is no object
        def parse(json)
          return {} if json.strip.empty?

          parsed = ForeignJSON.parse(json)
          return parsed if parsed.is_a?(Hash)

          raise ArgumentError, "the arguments must be a JSON object, not #{json[0, 100]}"
        end

        # @param arguments [Hash{Symbol=>Object}]
        # @param schema [Hash] keys as Symbol or String
        # @return [void]
        # @raise [ArgumentError] says what is wrong with them, for the model to mend
        def check(arguments, schema)
          complaints = []
          look(arguments, plain(schema), "", complaints)
          raise ArgumentError, "wrong arguments: #{complaints.first(MOST).join("; ")}" unless complaints.empty?
        end

        def look(value, schema, place, complaints)
          types = Array(schema["type"]).select { |type| TYPES.key?(type) }
          unless types.empty? || types.any? { |type| TYPES.fetch(type).call(value) }
            return complaints << "#{called(place)} must be #{types.join(" or ")}"
          end
          allowed = schema["enum"]
          complaints << "#{called(place)} must be one of #{allowed.join(", ")}" if allowed && !allowed.include?(value)

          look_into_object(value, schema, place, complaints) if value.is_a?(Hash)
          look_into_array(value, schema, place, complaints) if value.is_a?(Array)
        end

        def look_into_object(value, schema, place, complaints)
          properties = plain(schema["properties"] || {})
          missing = Array(schema["required"]).map(&:to_s) - value.keys.map(&:to_s)
          complaints.concat(missing.map { |key| "#{place}#{key} is missing" })
          value.each do |key, inner|
            if (known = properties[key.to_s])
              look(inner, plain(known), "#{place}#{key}.", complaints)
            elsif schema["additionalProperties"] == false
              complaints << "#{place}#{key} is not a parameter"
            end
          end
        end

        def look_into_array(value, schema, place, complaints)
          items = schema["items"]
          return unless items.is_a?(Hash)

          value.each_with_index { |inner, i| look(inner, plain(items), "#{place}#{i}.", complaints) }
        end

        def called(place)
          place.empty? ? "the whole" : place.chomp(".")
        end

        def plain(schema)
          schema.is_a?(Hash) ? schema.transform_keys(&:to_s) : {}
        end

        private_class_method :look, :look_into_object, :look_into_array, :called, :plain
      end
    end
  end
end
