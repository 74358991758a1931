# frozen_string_literal: true

module RAAF
  module Streaming
    module Generators
      # One argument of a tool, as it is given to the generator.
      #
      # @api private
      class Parameter
        # JSON Schema's types, and an example of each, in Ruby.
        TYPES = {"string" => '"some text"', "integer" => "1", "number" => "1.5", "boolean" => "true",
                 "array" => '["some text"]', "object" => "{}"}.freeze

        # What can be no variable's name; and context, which is the run's.
        RESERVED = %w[alias and begin break case class def defined do else elsif end ensure false for if in module next
          nil not or redo rescue retry return self super then true undef unless until when while yield context].freeze

        # @param text [String] such as "days:integer:optional"
        # @return [Parameter]
        # @raise [Thor::Error] says what is wrong with it
        def self.parse(text)
          name, type, optional, *more = text.split(":", -1)
          raise Thor::Error, "#{text.inspect} is not name:type or name:type:optional" if
            more.any? || ![nil, "optional"].include?(optional)
          raise Thor::Error, "#{name.inspect} cannot be an argument's name" if
            !name.to_s.match?(/\A[a-z_][a-z0-9_]*\z/) || RESERVED.include?(name)

          type ||= "string"
          return new(name, type, optional.nil?) if TYPES.key?(type)

          raise Thor::Error, "#{name}: the types are #{TYPES.keys.join(", ")}, not #{type.inspect}"
        end

        # @return [String]
        attr_reader :name

        # @param name [String]
        # @param type [String] of TYPES
        # @param required [Boolean]
        def initialize(name, type, required)
          @name = name
          @type = type
          @required = required
        end

        # @return [Boolean]
        def required?
          @required
        end

        # @return [String] the line of its schema
        def schema
          items = ", items: {type: \"string\"}" if @type == "array"
          "#{name}: {type: #{@type.inspect}#{items}, description: #{name.humanize.inspect}}"
        end

        # @return [String] in the signature
        def keyword
          required? ? "#{name}:" : "#{name}: nil"
        end

        # @return [String] in a call
        def example
          "#{name}: #{TYPES.fetch(@type)}"
        end
      end
    end
  end
end
