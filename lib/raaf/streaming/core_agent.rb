# frozen_string_literal: true

require_relative "../errors"
require_relative "config_api"
require_relative "core_translation"

module RAAF
  module Streaming
    # What an agent of raaf-core brings along into a run: its guardrails and its hooks. They are called as its own
    # runner calls them. An agent that has none costs nothing.
    #
    # * Input guardrails see every message of the user before it is sent. One that trips ends the run before a byte is
    #   sent.
    # * Output guardrails see the whole answer at its end, when its pieces have long been delivered: one that trips
    #   makes the run fail, one that filters changes the result and what goes on in the conversation, not the pieces.
    # * Hooks: `on_start(context, agent)` before each request, `on_end(context, agent, output)` after an answer. One
    #   that raises is logged, and changes nothing.
    #
    # Source: raaf-ai/raaf, core/lib/raaf/{runner,guardrails,lifecycle,run_context}.rb.
    #
    # @api private
    class CoreAgent
      # @param agent [Agent]
      # @param messages [Array<Hash>] the conversation
      # @param context [Hash]
      def initialize(agent, messages, context)
        @agent = agent
        @messages = messages
        @context = context
      end

      # @param messages [Array<Hash{Symbol=>Object}>] those of the user among them are looked at
      # @return [void]
      # @raise [Errors::InputGuardrailError]
      def check_input(messages)
        guardrails = list(:input_guardrails)
        return if guardrails.empty?

        messages.select { |message| message[:role].to_s == "user" }.each do |message|
          guardrails.each { |guardrail| info(guardrail, message[:content], Errors::InputGuardrailError) }
        end
      end

      # @param text [String] the answer
      # @return [String] the answer, perhaps filtered
      # @raise [Errors::OutputGuardrailError]
      def check_output(text)
        list(:output_guardrails).reduce(text) do |filtered, guardrail|
          found = info(guardrail, filtered, Errors::OutputGuardrailError)
          found[:filtered_output] || filtered
        end
      end

      # @param name [Symbol] :on_start or :on_end
      # @param arguments [Array<Object>] after context and agent
      # @return [void]
      def call_hook(name, *arguments)
        hooks = @agent.hooks if reader?(:hooks)
        hooks.public_send(name, core_context, @agent, *arguments) if hooks.respond_to?(name)
      rescue => e
        Streaming.logger.error("the hook #{name} of the agent #{@agent.name} raised #{e.class}: #{e.message}")
      end

      private

      # Not respond_to?: raaf-core's agents answer to the names of their tools, and run them.
      def reader?(name)
        @agent.class.public_method_defined?(name)
      end

      def list(name)
        reader?(name) ? Array(@agent.public_send(name)) : []
      end

      def info(guardrail, content, error_class)
        result = guardrail.run(core_context, @agent, content)
        found = result.output&.output_info
        found = {} unless found.is_a?(Hash)
        return found unless result.tripwire_triggered?

        raise error_class.new(found[:blocked_reason], triggered_by: name_of(guardrail), content: content,
          metadata: found)
      end

      def name_of(guardrail)
        guardrail.respond_to?(:get_name) ? guardrail.get_name : guardrail.class.name
      end

      # Theirs where there is one, as their guardrails and hooks expect it; the Hash without.
      def core_context
        @core_context ||= if defined?(RAAF::RunContextWrapper)
          RAAF::RunContextWrapper.new(RAAF::RunContext.new(messages: @messages, metadata: @context))
        else
          @context
        end
      end
    end
  end
end
