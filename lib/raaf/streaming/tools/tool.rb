# frozen_string_literal: true

require_relative "signature"

module RAAF
  module Streaming
    # A tool that a run can call: a name and a description for the model, parameters as JSON Schema, and the Ruby code.
    #
    # Anything that can be called is made one by {wrap}; an agent's `tools` take all of these as they are:
    #
    # - a Method or a Tool: `method(:weather)`
    # - an object, or a class whose instances made without arguments are such objects, with `call(**arguments)` and, as
    #   far as it has them, `name`, `description`, `parameters` and `timeout`
    # - a Hash with `name`, `call` (something that responds to `call`), and `description`, `parameters`, `timeout`
    #
    # The arguments arrive as keywords with symbol keys; code that takes positional ones gets them by their names. Code
    # with a keyword `context` that is no parameter of the tool's gets the run's context there.
    #
    # @example
    #   weather = RAAF::Streaming::Tool.new(name: "weather", description: "The weather in a city") { |city:| look(city) }
    #   agent = RAAF::Agent.new(name: "Assistant", tools: [weather, method(:search)])
    class Tool
      # @return [String] what the model calls it by
      attr_reader :name
      # @return [String, nil] what it does, for the model
      attr_reader :description
      # @return [Hash] JSON Schema of the arguments, an object's
      attr_reader :parameters
      # @return [Numeric, nil] seconds a call may take; nil: the setting tool_timeout
      attr_reader :timeout

      # @param callable [#call, nil] nil: the block
      # @param name [String, Symbol, nil] nil: the method's, or what the object or its class is called
      # @param description [String, nil]
      # @param parameters [Hash, nil] JSON Schema; nil: from the signature (see {Signature})
      # @param timeout [Numeric, nil] seconds
      # @param is_enabled [Boolean, #call, nil] whether the model is told of it; a callable gets the run's context
      # @param strict [Boolean, nil] OpenAI's `strict`
      # @raise [ArgumentError] where there is no name, or nothing to call
      def initialize(callable = nil, name: nil, description: nil, parameters: nil, timeout: nil, is_enabled: nil,
        strict: nil, &block)
        @callable = callable || block
        raise ArgumentError, "a tool needs something to call" unless @callable.respond_to?(:call)

        @name = (name || name_of(@callable)).to_s
        raise ArgumentError, "a tool needs a name: #{@callable.inspect}" if @name.empty?

        @signature = Signature.new(@callable)
        @description = description
        @parameters = parameters || @signature.schema
        @declared = !parameters.nil?
        @timeout = timeout
        @is_enabled = is_enabled
        @strict = strict
      end

      # @param tool [Object] see {Tool}
      # @return [Tool, nil] nil: it can only be described to the model, not called
      # @raise [ArgumentError] for something without a name
      def self.wrap(tool)
        case tool
        when Tool then tool
        when Hash then from_hash(tool.transform_keys(&:to_sym))
        when Class then from_class(tool)
        else from_object(tool) if tool.respond_to?(:call)
        end
      end

      # @param context [Hash] the run's
      # @return [Boolean] whether the model is told of it
      def enabled?(context = {})
        return @is_enabled != false unless @is_enabled.respond_to?(:call)

        Signature.new(@is_enabled).positional? ? @is_enabled.call(context) : @is_enabled.call
      end

      # @return [Boolean] whether the parameters were given, and not read off the signature
      def declared?
        @declared
      end

      # @return [Boolean, nil] OpenAI's `strict`
      attr_reader :strict

      # Runs it.
      #
      # @param arguments [Hash{Symbol=>Object}]
      # @return [Object] what the code returns
      def call(**arguments)
        @signature.invoke(arguments)
      end

      # Runs it for a model.
      #
      # @param arguments [Hash{Symbol=>Object}]
      # @param context [Hash] the run's
      # @return [Object] what the code returns
      # @api private
      def invoke(arguments, context)
        wanted = @signature.takes_context? && !properties.include?("context")
        call(**(wanted ? arguments.merge(context: context) : arguments))
      end

      # @return [Hash{Symbol=>Object}] as OpenAI writes a tool
      def to_h
        ToolSchema.of(self)
      end

      # What an agent's hooks are told of.
      #
      # @return [Object] the object that it was made of, where that has this name itself; else itself
      # @api private
      def given
        (@callable.respond_to?(:name) && @callable.name == name) ? @callable : self
      end

      # @return [String] its name
      def inspect
        "#<#{self.class.name} #{name}>"
      end

      private

      def properties
        (parameters[:properties] || parameters["properties"] || {}).keys.map(&:to_s)
      end

      def name_of(callable)
        return if callable.is_a?(Proc)
        return callable.name if callable.is_a?(Method)

        (callable.is_a?(Class) ? callable : callable.class).name.to_s.split("::").last
      end

      class << self
        private

        def from_hash(hash)
          callable = hash[:call] || hash[:callable] or return
          inner = hash[:function].is_a?(Hash) ? hash[:function].transform_keys(&:to_sym) : hash
          new(callable, name: inner[:name], description: inner[:description], parameters: inner[:parameters],
            timeout: hash[:timeout], strict: inner[:strict])
        end

        # What the class says of itself counts where its instances say nothing.
        def from_class(tool)
          return from_object(tool) if tool.respond_to?(:call)
          return unless tool.method_defined?(:call) && tool.instance_method(:initialize).arity.between?(-1, 0)

          from_object(tool.new, tool)
        end

        def from_object(tool, *others)
          return new(tool) if tool.is_a?(Method) || tool.is_a?(Proc)

          sources = [tool, *others]
          new(tool, name: read(sources, :name), description: read(sources, :description),
            parameters: read(sources, :parameters), timeout: read(sources, :timeout), strict: read(sources, :strict),
            is_enabled: (tool.method(:enabled?) if tool.respond_to?(:enabled?)))
        end

        # A class's own `name` is its constant's, and no tool's.
        def read(sources, name)
          source = sources.find do |candidate|
            candidate.respond_to?(name) && !(name == :name && candidate.method(:name).owner == Module)
          end
          source&.public_send(name)
        end
      end
    end
  end
end
