# frozen_string_literal: true

require_relative "../../models/http_provider"

module RAAF
  module Streaming
    # What is asked, and how: a class a provider. Each goes by a name under {RAAF::Models} too, except where raaf-core
    # has a class of that name, which cannot stream this way.
    module Providers
      # Asks OpenAI's chat completions, or any server that speaks them, such as a gateway, vLLM or Ollama.
      #
      # What is not given is read from the environment at each request, under the names of OpenAI's official clients:
      # OPENAI_API_KEY, OPENAI_BASE_URL, OPENAI_ORG_ID, OPENAI_PROJECT_ID.
      # Source: openai-ruby, lib/openai/client.rb.
      class OpenAIChat < Models::HTTPProvider
        # In messages and metrics.
        NAME = "openai"
        # Where OpenAI answers. Source: OpenAI's API reference.
        DEFAULT_BASE_URL = "https://api.openai.com/v1"
        # Where the key may stand in the environment.
        KEY_VARIABLES = %w[OPENAI_API_KEY].freeze
        # Where the address may stand in the environment.
        BASE_URL_VARIABLES = %w[OPENAI_BASE_URL].freeze

        # Models that take `max_completion_tokens` and refuse `max_tokens`: the o series and GPT-5. A prefix such as
        # "openai/" may stand before. Source: OpenAI's API reference, chat completions, `max_tokens`.
        COMPLETION_TOKENS_MODELS = %r{(?:\A|/)(?:o\d|gpt-5)}

        # What is neither JSON of the body nor sent as it is.
        OWN_SETTINGS = %i[extra_body extra_headers max_tokens tool_choice].freeze

        # Sent without tools, they are an error. Source: OpenAI's answer "only allowed when 'tools' are specified".
        TOOL_SETTINGS = %i[tool_choice parallel_tool_calls].freeze

        # The words of `tool_choice` that are not a tool's name.
        TOOL_CHOICES = %w[none auto required].freeze

        # What a message has for us, and no server knows.
        OWN_MESSAGE_KEYS = %i[parts].freeze

        private_constant :OWN_SETTINGS, :TOOL_SETTINGS, :TOOL_CHOICES, :OWN_MESSAGE_KEYS

        # @param organization [String, nil] nil: OPENAI_ORG_ID
        # @param project [String, nil] nil: OPENAI_PROJECT_ID
        # @param options [Hash] see {Models::HTTPProvider#initialize}
        # @raise (see Models::HTTPProvider#initialize)
        def initialize(organization: nil, project: nil, **options)
          super(**options)
          @organization = organization
          @project = project
        end

        # @return [Symbol] :openai_chat
        def dialect
          :openai_chat
        end

        private

        def own_headers
          {"OpenAI-Organization" => @organization || from_environment("OPENAI_ORG_ID"),
           "OpenAI-Project" => @project || from_environment("OPENAI_PROJECT_ID")}
        end

        def request_url(_model)
          join_url(base_url, "/chat/completions")
        end

        def request_body(messages, model, settings, tools)
          body = {model: model, messages: messages.map { |message| chat_message(message) }, stream: true,
                  stream_options: {include_usage: true}}
          body.merge!(settings.except(*OWN_SETTINGS), token_limit(model, settings[:max_tokens]))
          return body.except(*TOOL_SETTINGS) if tools.empty?

          body.merge(tools: tools, tool_choice: tool_choice(settings[:tool_choice]))
        end

        def fixed_fields
          {stream: true}
        end

        # @param message [Hash{Symbol=>Object}]
        # @return [Hash{Symbol=>Object}] the message as the server takes it
        def chat_message(message)
          message.except(*OWN_MESSAGE_KEYS)
        end

        def token_limit(model, limit)
          {(COMPLETION_TOKENS_MODELS.match?(model) ? :max_completion_tokens : :max_tokens) => limit}
        end

        def tool_choice(choice)
          return choice if choice.nil? || choice.is_a?(Hash) || TOOL_CHOICES.include?(choice.to_s)

          {type: "function", function: {name: choice.to_s}}
        end
      end
    end
  end
end
