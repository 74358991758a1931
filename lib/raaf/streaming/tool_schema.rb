# frozen_string_literal: true

require_relative "tools/tool"

module RAAF
  module Streaming
    # Describes a tool to a provider, in the form of OpenAI's `tools`: `{type: "function", function: {…}}`.
    #
    # @api private
    module ToolSchema
      # What a function's description may hold. Source: OpenAI's API reference, chat completions, `tools`.
      FUNCTION_KEYS = %i[name description parameters strict].freeze

      # The parameters of a tool that names none.
      NO_PARAMETERS = {type: "object", properties: {}}.freeze

      private_constant :FUNCTION_KEYS

      module_function

      # @param tool [Tool, Hash, Method, Class, #name, #to_h] what {Tool} makes a tool of, or, one of
      #   * a Hash as OpenAI wants it, or only its inner part (name, description, parameters), keys as Symbol or String
      #   * an object, or a class, with `name` and, where it has them, `description` and `parameters` (JSON Schema as a
      #     Hash)
      #   * a class whose instances, made without arguments, are such objects
      #   * raaf-core's FunctionTool, whose `to_h` has the inner part under `:function`
      #   * raaf-core's Tool and whatever else has a `to_tool_definition`
      #   * a Hash of another type than "function": a tool that the provider runs itself, such as a web search
      # @return [Hash{Symbol=>Object}] `{type: "function", function: {name:, description:, parameters:}}`; a tool that
      #   the provider runs as it is given
      # @raise [ArgumentError] for anything else
      def of(tool)
        tool = tool.to_tool_definition if tool.respond_to?(:to_tool_definition)
        return tool.transform_keys(&:to_sym) if hosted?(tool)

        function = function_of(tool).slice(*FUNCTION_KEYS).compact
        raise ArgumentError, "a tool needs a name: #{tool.inspect}" if function[:name].to_s.empty?

        {type: "function", function: {parameters: NO_PARAMETERS}.merge(function, name: function[:name].to_s)}
      end

      # @param tool [Object] as for {of}
      # @return [String] the name that a model calls it by; of a tool that the provider runs, its name or type
      # @raise [ArgumentError] as {of}
      def name_of(tool)
        schema = of(tool)
        (schema.dig(:function, :name) || schema[:name] || schema[:type]).to_s
      end

      def hosted?(tool)
        return false unless tool.is_a?(Hash)

        type = tool[:type] || tool["type"]
        !type.nil? && type.to_s != "function"
      end

      def function_of(tool)
        callable = Tool.wrap(tool)
        return from_object(callable) if callable
        return from_hash(tool) if tool.is_a?(Hash)
        return from_object(tool) if describes_itself?(tool)

        tool.is_a?(Class) ? from_instance(tool) : from_conversion(tool)
      end

      def describes_itself?(tool)
        tool.respond_to?(:name) && (tool.respond_to?(:parameters) || tool.respond_to?(:description))
      end

      def from_hash(hash)
        hash = hash.transform_keys(&:to_sym)
        hash[:function].is_a?(Hash) ? hash[:function].transform_keys(&:to_sym) : hash
      end

      def from_object(tool)
        FUNCTION_KEYS.to_h { |key| [key, (tool.public_send(key) if tool.respond_to?(key))] }
      end

      def from_instance(tool)
        function_of(tool.new)
      rescue ArgumentError
        raise ArgumentError, unusable(tool)
      end

      def from_conversion(tool)
        raise ArgumentError, unusable(tool) unless tool.respond_to?(:to_h)

        from_hash(tool.to_h)
      end

      def unusable(tool)
        "#{tool.inspect} cannot be described to a model: give a Hash with name, description and parameters, or an " \
          "object with these methods"
      end

      private_class_method :hosted?, :function_of, :describes_itself?, :from_hash, :from_object, :from_instance,
        :from_conversion, :unusable
    end
  end
end
