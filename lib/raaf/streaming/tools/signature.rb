# frozen_string_literal: true

module RAAF
  module Streaming
    class Tool
      # How a piece of Ruby code wants its arguments, and the schema that follows from it.
      #
      # A signature says names, and which of them must be there, but no types: every parameter may be anything, and what
      # the model sends is passed on. Give `parameters:` to say more.
      #
      # @api private
      class Signature
        # Who calls this tool's run, if the code wants to know.
        CONTEXT = :context

        KEYWORDS = %i[key keyreq keyrest].freeze
        POSITIONAL = %i[req opt].freeze
        REQUIRED = %i[req keyreq].freeze
        private_constant :KEYWORDS, :POSITIONAL, :REQUIRED

        # @param callable [#call]
        def initialize(callable)
          @callable = callable
          @parameters = parameters_of(callable)
        end

        # @return [Hash{Symbol=>Object}] JSON Schema of an object
        def schema
          named = @parameters.select { |kind, name| name && name != CONTEXT && named?(kind) }
          {type: "object", properties: named.to_h { |_, name| [name, {}] },
           required: named.filter_map { |kind, name| name.to_s if REQUIRED.include?(kind) }}
        end

        # @return [Boolean] whether it has a keyword of that name
        def takes_context?
          @parameters.any? { |kind, name| name == CONTEXT && %i[key keyreq].include?(kind) }
        end

        # @return [Boolean] whether it takes an argument that is no keyword
        def positional?
          @parameters.any? { |kind, _| POSITIONAL.include?(kind) || kind == :rest }
        end

        # @param arguments [Hash{Symbol=>Object}]
        # @return [Object] what the code returns
        # @raise [ArgumentError] for a required one that is missing, and for a keyword it does not have
        def invoke(arguments)
          return @callable.call(**arguments) if keywords?

          order = @parameters.filter_map { |kind, name| name if POSITIONAL.include?(kind) }
          @callable.call(*positional(order, arguments))
        end

        private

        # What calls its block by another way (`method_missing`) has no method to look at.
        def parameters_of(callable)
          return callable.parameters(lambda: true) if callable.is_a?(Proc) && !callable.lambda? && RUBY_VERSION >= "3.2"
          return callable.parameters if callable.is_a?(Proc) || callable.is_a?(Method)

          callable.method(:call).parameters
        rescue NameError
          [[:keyrest, nil]]
        end

        def named?(kind)
          REQUIRED.include?(kind) || %i[key opt].include?(kind)
        end

        def keywords?
          @parameters.empty? || @parameters.any? { |kind, _| KEYWORDS.include?(kind) }
        end

        # Up to the first one that was not given: what follows could not be told apart.
        def positional(order, arguments)
          unknown = arguments.keys - order
          raise ArgumentError, "unknown arguments: #{unknown.join(", ")}" unless unknown.empty?

          given = order.take_while { |name| arguments.key?(name) }
          missing = arguments.keys - given
          raise ArgumentError, "missing argument before #{missing.join(", ")}" unless missing.empty?

          given.map { |name| arguments[name] }
        end
      end
    end
  end
end
