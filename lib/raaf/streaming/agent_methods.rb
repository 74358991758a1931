# frozen_string_literal: true

require "json"
require_relative "config_api"
require_relative "model_settings"
require_relative "response_format"
require_relative "tools/set"

module RAAF
  module Streaming
    # What a runner needs of an agent, and raaf-core's agents lack. It is included into {RAAF::Agent}, whichever gem
    # defines that: as a module's, these methods give way to any that the class has itself. This is the one place where
    # a class of raaf-core is extended.
    module AgentMethods
      # The settings of a request that an agent can have. Source: OpenAI's API reference, chat completions; extra_body
      # and extra_headers as in OpenAI's official clients.
      SETTINGS = %i[temperature top_p max_tokens stop tool_choice response_format parallel_tool_calls frequency_penalty
        presence_penalty seed reasoning_effort user extra_body extra_headers].freeze

      # @return [#build_request, nil] who answers for this agent; nil: RAAF.provider, else by the model's name
      attr_accessor :provider

      # Asks, waits for the whole answer, and returns it.
      #
      # @param message [String, Array<Hash>] what the user says, or a conversation
      # @param context [Hash] for instructions and tools
      # @param options [Hash] settings of {Configuration}, for this call
      # @return [Result]
      # @raise [Errors::Error] where it fails
      def run(message, context: {}, **options)
        AsyncRunner.new(agent: self).run_and_stream(message, context: context, **options)
      end

      # The system message of a run.
      #
      # Instructions given as a String get the context behind them, as a block of lines. A Proc receives the context
      # (and the agent, where it takes two arguments) and decides for itself.
      #
      # @param context [Hash]
      # @param include_context [Boolean] whether to add the block; default: the setting context_in_instructions
      # @return [String, nil] nil: no system message
      def instructions_for(context = {}, include_context: Streaming.configuration.context_in_instructions)
        given = instructions
        text = given.respond_to?(:call) ? call_instructions(given, context) : given
        block = context_block(context) if include_context && !given.respond_to?(:call)
        joined = [text.to_s, block.to_s].reject(&:empty?).join("\n\n")
        joined unless joined.empty?
      end

      # @return [Hash{Symbol=>Object}] those of {SETTINGS} that are set, on the agent or in raaf-core's model_settings
      def request_settings
        shared = ModelSettings.read(reader?(:model_settings) ? model_settings : nil)
        own = SETTINGS.to_h { |name| [name, (public_send(name) if reader?(name))] }
        settings = shared.merge(own.compact)
        settings = settings.merge(response_format: ResponseFormat.of(settings[:response_format])).compact
        choice = settings[:tool_choice]
        return settings unless choice.is_a?(String)

        settings.merge(tool_choice: choice.delete_prefix("function:")) # raaf-core's word for a tool's name
      end

      # @param context [Hash] a tool with `enabled?` is asked with it
      # @return [Array<Hash>] the tools as OpenAI writes them
      # @raise [ArgumentError] for a tool that cannot be described
      def tool_schemas(context = {})
        Tool::Set.new(self, context).schemas
      end

      # @return [String] name, model and sizes; neither instructions nor headers nor anything of the provider but its
      #   name, since raaf-core's providers show their keys
      def inspect
        answering = " provider=#{provider.respond_to?(:name) ? provider.name : provider.class}" if provider
        "#<#{self.class.name} #{name.inspect} model=#{model.inspect}#{answering} tools=#{tools.size} " \
          "handoffs=#{handoffs.size}>"
      end

      private

      # Not respond_to?: raaf-core's agents answer to the names of their tools, and run them.
      def reader?(name)
        self.class.public_method_defined?(name)
      end

      # A lambda or a method takes exactly what it declares; a Proc that declares nothing gets nothing.
      def call_instructions(callable, context)
        arity = callable.respond_to?(:arity) ? callable.arity : callable.method(:call).arity
        taken = arity.negative? ? [~arity, 1].max : arity
        callable.call(*[context, self].first(taken))
      end

      def context_block(context)
        return if context.nil? || context.empty?

        lines = context.map { |name, value| "- #{name}: #{context_value(value)}" }
        "Context:\n#{lines.join("\n")}"
      end

      # On one line, so that a value cannot pass for further lines of the block.
      def context_value(value)
        case value
        when Hash, Array then JSON.generate(value)
        else
          text = value.to_s
          text.match?(/[\r\n]/) ? JSON.generate(text) : text
        end
      end
    end
  end
end
