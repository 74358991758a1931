# frozen_string_literal: true

require_relative "openai_chat"
require_relative "responses_input"

module RAAF
  module Streaming
    module Providers
      # Asks OpenAI's Responses, or a server that speaks them (xAI, OpenRouter, vLLM, LM Studio). Account, address and
      # key are those of {OpenAIChat}, and come from the same environment variables.
      #
      # Nothing depends on what the server keeps: `store: false` is sent, and reasoning comes and goes encrypted
      # (`include: ["reasoning.encrypted_content"]`), which models that do not reason refuse, so it is asked of those in
      # {REASONING_MODELS} and wherever effort or summary is set. `extra_body: {store: true, previous_response_id: "…"}`
      # goes the other way. What the answer held besides text and calls (reasoning, calls of OpenAI's own tools) stands
      # under `:parts` in its message, and is sent back with it.
      #
      # Settings: max_tokens becomes `max_output_tokens`, response_format `text.format`, reasoning_effort
      # `reasoning.effort`, the system's messages `instructions`; a tool without `strict` gets `strict: false`, since
      # what is left out here means true, and in chat completions false. `stop` is an error, because the Responses have
      # none and the answer would go on; seed, frequency_penalty, presence_penalty and the names of messages' authors
      # are left out. OpenAI's own tools go into `extra_body: {tools: […]}`, which then must list the functions too.
      # Sources: OpenAI's API reference, create a model response; its guides to reasoning and function calling; its
      # answers "Encrypted content is not supported with this model" and "Item with id … not found".
      #
      # @example
      #   provider = RAAF::Models::ResponsesProvider.new(reasoning_summary: "auto")
      #   agent = RAAF::Agent.new(name: "Assistant", model: "gpt-5", reasoning_effort: "low")
      #   RAAF::Streaming::AsyncRunner.new(agent: agent, provider: provider)
      class OpenAIResponses < OpenAIChat
        # What goes through.
        CAPABILITIES = %i[text reasoning tools images files structured_output citations].freeze

        # Models that reason, and so can give their reasoning encrypted. A prefix such as "openai/" may stand before.
        # Source: OpenAI's list of models.
        REASONING_MODELS = %r{(?:\A|/)(?:o\d|gpt-[5-9](?![\d.]*-chat)|codex-)}

        # Settings that are sent as they are.
        SAME_SETTINGS = %i[temperature top_p parallel_tool_calls user].freeze

        private_constant :SAME_SETTINGS

        # @param reasoning_summary [String, nil] "auto", "concise" or "detailed": what of its reasoning the model tells;
        #   nil: nothing, since OpenAI refuses it to organizations that are not verified
        # @param options [Hash] see {OpenAIChat#initialize}
        # @raise (see OpenAIChat#initialize)
        def initialize(reasoning_summary: nil, **options)
          super(**options)
          @reasoning_summary = reasoning_summary
        end

        # @return [Symbol] :openai_responses
        def dialect
          :openai_responses
        end

        private

        def request_url(_model)
          join_url(base_url, "/responses")
        end

        def request_body(messages, model, settings, tools)
          refuse_stop(model, settings[:stop])
          system, conversation = MessageContent.split_system(messages)
          input = ResponsesInput.new(provider: name, stored: stored?(settings))
          {model: model, input: input.items(conversation), stream: true, store: false,
           instructions: (system unless system.empty?), **settings.slice(*SAME_SETTINGS),
           max_output_tokens: settings[:max_tokens], text: text_format(settings[:response_format]),
           **reasoning_fields(model, settings[:reasoning_effort]), **tool_fields(tools, settings)}
        end

        def refuse_stop(model, stop)
          return if Array(stop).empty?

          raise Errors::ConfigurationError.new(
            "OpenAI's Responses have no stop: ask by RAAF::Models::OpenAIProvider, or leave it out",
            provider: name, model: model
          )
        end

        def stored?(settings)
          add_extra({}, settings[:extra_body].to_h)[:store] ? true : false
        end

        def text_format(format)
          return if format.nil?

          format = format.transform_keys(&:to_sym)
          schema = format[:json_schema]
          {format: schema ? {type: "json_schema", **schema.transform_keys(&:to_sym)} : format}
        end

        def reasoning_fields(model, effort)
          reasoning = {effort: effort, summary: @reasoning_summary}.compact
          return {} if reasoning.empty? && !REASONING_MODELS.match?(model)

          {include: ["reasoning.encrypted_content"], reasoning: (reasoning unless reasoning.empty?)}
        end

        def tool_fields(tools, settings)
          return {parallel_tool_calls: nil} if tools.empty?

          {tools: tools.map { |tool| flat_tool(tool) }, tool_choice: tool_choice(settings[:tool_choice])}
        end

        # A tool that is no function is one of the provider's own, in its own form.
        def flat_tool(tool)
          tool = tool.transform_keys(&:to_sym)
          function = tool[:function] or return tool
          {type: "function", strict: false, **function.transform_keys(&:to_sym)}
        end

        def tool_choice(choice)
          given = super
          name = given[:function] if given.is_a?(Hash)
          name ? {type: "function", name: name.transform_keys(&:to_sym)[:name]} : given
        end
      end
    end
  end
end
