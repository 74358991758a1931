# frozen_string_literal: true

require_relative "chat_completions"

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
      class OpenAIChat < ChatCompletions
        # In messages and metrics.
        NAME = "openai"
        # Where OpenAI answers. Source: OpenAI's API reference.
        DEFAULT_BASE_URL = "https://api.openai.com/v1"
        # Where the key may stand in the environment.
        KEY_VARIABLES = %w[OPENAI_API_KEY].freeze
        # Where the address may stand in the environment.
        BASE_URL_VARIABLES = %w[OPENAI_BASE_URL].freeze
        # What goes through. OpenAI's reasoning models show no reasoning in chat completions.
        CAPABILITIES = %i[text tools images files structured_output citations].freeze
        # "developer" is a role of its own here.
        ROLES = {}.freeze

        # @param organization [String, nil] nil: OPENAI_ORG_ID
        # @param project [String, nil] nil: OPENAI_PROJECT_ID
        # @param options [Hash] see {Models::HTTPProvider#initialize}
        # @raise (see Models::HTTPProvider#initialize)
        def initialize(organization: nil, project: nil, **options)
          super(**options)
          @organization = organization
          @project = project
        end

        private

        def own_headers
          {"OpenAI-Organization" => @organization || from_environment("OPENAI_ORG_ID"),
           "OpenAI-Project" => @project || from_environment("OPENAI_PROJECT_ID")}
        end
      end
    end
  end
end
