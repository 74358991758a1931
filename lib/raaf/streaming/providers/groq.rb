# frozen_string_literal: true

require_relative "chat_completions"

module RAAF
  module Streaming
    module Providers
      # Asks Groq.
      #
      # Not taken: the name of a message's author (`messages[].name`), more than one choice, log probabilities.
      # Penalties are taken and have no effect. How reasoning is shown is a field of Groq's own, `reasoning_format` or
      # `include_reasoning` in extra_body, as are `search_settings` and `documents`. What Groq's own tools did
      # (`executed_tools`) is among the parts of the answer's message, and is not sent back.
      # Source: Groq's API reference and its page on OpenAI compatibility; groq-python, types/chat.
      class Groq < ChatCompletions
        # In messages and metrics.
        NAME = "groq"
        # Source: Groq's API reference. groq-python adds "/openai/v1" to each path instead.
        DEFAULT_BASE_URL = "https://api.groq.com/openai/v1"
        # Source: groq-python, _client.py.
        KEY_VARIABLES = %w[GROQ_API_KEY].freeze
        # What goes through.
        CAPABILITIES = %i[text reasoning tools images structured_output citations].freeze
        # All models: `max_tokens` is deprecated.
        COMPLETION_TOKENS_MODELS = //

        private

        def chat_message(message)
          super.except(:name)
        end
      end
    end
  end
end
