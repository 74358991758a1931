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
    # * Output guardrails see each answer at its end, when its pieces have long been delivered, and before the tools
    #   that it calls are run: one that trips makes the run fail, and what it refused does not go on in the
    #   conversation; one that filters changes the result and what goes on, not the pieces.
    # * Hooks: `on_start(context, agent)` before each request; `on_tool_start(context, agent, tool, arguments)` and then
    #   `on_tool_end(context, agent, tool, result)` or `on_tool_error(context, agent, tool, error)`, on the thread that
    #   runs the tool; `on_handoff(context, agent, other)`, and the `on_handoff` of the other agent, called with the
    #   first agent and the context; `on_end(context, agent, output)` once, with the text of the whole run. One that
    #   raises is logged, and changes nothing.
    #
    # Source: raaf-ai/raaf, core/lib/raaf/{runner,guardrails,lifecycle,run_context}.rb.
    #
    # @api private
    class CoreAgent
      # @param agent [Agent]
      # @param messages [Array<Hash>] the conversation
      # @param context [Hash]
      # @param core_context [Object, nil] what an earlier call of the run has made of that
      def initialize(agent, messages, context, core_context = nil)
        @agent = agent
        @messages = messages
        @context = context
        @core_context = core_context
        core_context&.messages&.replace(messages)
      end

      # The same for the run's next call: hooks find in its context what earlier ones have stored there.
      #
      # @param agent [Agent]
      # @param messages [Array<Hash>]
      # @return [CoreAgent]
      def next(agent, messages)
        self.class.new(agent, messages, @context, @core_context)
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

      # @param text [String] the answer; an empty one is not asked about
      # @return [String] the answer, perhaps filtered
      # @raise [Errors::OutputGuardrailError]
      def check_output(text)
        return text if text.empty?

        list(:output_guardrails).reduce(text) do |filtered, guardrail|
          found = info(guardrail, filtered, Errors::OutputGuardrailError)
          found[:filtered_output] || filtered
        end
      end

      # @param name [Symbol] such as :on_start
      # @param arguments [Array<Object>] after context and agent
      # @return [void]
      def call_hook(name, *arguments)
        logging(name, @agent) do
          hooks = @agent.hooks if reader?(:hooks)
          next unless hooks

          # For all of them, so that on_start makes it, and not two tools at once.
          context = core_context
          next unless hooks.respond_to?(name)

          hooks.public_send(name, *taken(hooks.method(name), [context, @agent, *arguments]))
        end
      end

      # @param other [Agent] whom the conversation is handed over to
      # @return [void]
      def call_handoff_hooks(other)
        logging(:on_handoff, other) do
          other.on_handoff&.call(@agent, core_context) if reader?(:on_handoff, other)
        end
        call_hook(:on_handoff, other)
      end

      private

      # Not respond_to?: raaf-core's agents answer to the names of their tools, and run them.
      def reader?(name, agent = @agent)
        agent.class.public_method_defined?(name)
      end

      # raaf-core's own runner gives a tool's arguments to its hooks in some places and not in others.
      def taken(hook, arguments)
        kinds = hook.parameters.map(&:first)
        kinds.include?(:rest) ? arguments : arguments.first(kinds.count { |kind| %i[req opt].include?(kind) })
      end

      def logging(hook, agent)
        yield
      rescue => e
        Streaming.logger.error("the hook #{hook} of the agent #{agent.name} raised #{e.class}: #{e.message}")
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
        return @context unless defined?(RAAF::RunContextWrapper)

        @core_context ||= RAAF::RunContextWrapper.new(RAAF::RunContext.new(messages: @messages.dup, metadata: @context))
      end
    end
  end
end
