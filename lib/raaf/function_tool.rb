# frozen_string_literal: true

require_relative "streaming/core_loader"
# raaf-core has a file of this name, which is the one that was meant.
return if RAAF::Streaming::CoreLoader.load_core

require_relative "streaming/config_api"
require_relative "streaming/tools/tool"
require_relative "streaming/tool_schema"

module RAAF
  # A tool as raaf-core's code makes them. The stand-in for its class, and loaded only where that is absent.
  #
  # It differs from {Streaming::Tool} where raaf-core's does: everything may be left out but what is called, the
  # arguments are always held to the schema, and whatever the code raises is a RAAF::ToolError, with what was raised as
  # its cause. It has no `throttle`.
  #
  # @example
  #   tool = RAAF::FunctionTool.new(method(:search), description: "Finds pages about a topic")
  #   tool.call(topic: "Ruby")
  class FunctionTool < Streaming::Tool
    # The description of a tool that has none, as in raaf-core.
    DESCRIPTION = "A function tool"

    # @return [#call] the code
    attr_reader :callable
    # @return [Boolean, #call, nil] whether the model is told of it; a callable gets the run's context
    attr_accessor :is_enabled

    # @param tools [Array<Object>]
    # @param context [Hash, nil]
    # @return [Array<Object>] those that are enabled, or cannot be asked
    def self.enabled_tools(tools, context = nil)
      tools.select { |tool| !tool.respond_to?(:enabled?) || tool.enabled?(context) }
    end

    # @param callable [#call] a Method, a Proc, or an object
    # @param name [String, nil] nil: the method's, the object's, or its class's
    # @param description [String, nil]
    # @param parameters [Hash, nil] JSON Schema; nil: from the signature
    # @param is_enabled [Boolean, #call, nil]
    # @raise [ArgumentError] where there is nothing to call
    def initialize(callable, name: nil, description: nil, parameters: nil, is_enabled: nil)
      super(callable, name: name, description: description || DESCRIPTION, is_enabled: is_enabled,
                      parameters: parameters || read_off(callable))
    end

    # Runs it.
    #
    # @param arguments [Hash{Symbol=>Object}]
    # @return [Object] what the code returns
    # @raise [ToolError] whatever the code raises, as its cause
    def call(**arguments)
      super
    rescue => e
      raise ToolError, "Error executing tool '#{name}': #{e.message}"
    end

    # @param context [Hash, nil] the run's
    # @return [Boolean] whether the model is told of it; false where asking raised, which is logged
    def enabled?(context = nil)
      super(context || {})
    rescue => e
      Streaming.logger.warn("whether the tool #{name} is enabled could not be asked: #{e.class}: #{e.message}")
      false
    end

    # @return [Boolean] whether it has something to call
    def callable?
      true
    end

    # @return [Boolean] whether it has parameters
    def parameters?
      !properties.empty?
    end

    # @return [Boolean] whether some of them must be given
    def required_parameters?
      Array(parameters[:required] || parameters["required"]).any?
    end

    # @return [Hash{Symbol=>Object}] as OpenAI writes a tool, and its name outside too
    def to_h
      super.merge(name: name)
    end

    private

    def name_of(callable)
      own = callable.name if callable.respond_to?(:name)
      own || callable.class.name.split("::").last.downcase
    end

    # To raaf-core every parameter of a signature is a string.
    def read_off(callable)
      schema = Signature.new(callable).schema
      schema.merge(properties: schema[:properties].transform_values { {type: "string"} }, additionalProperties: false)
    end
  end
end
