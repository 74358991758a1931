# frozen_string_literal: true

require_relative "chat_completions"

module RAAF
  module Streaming
    module Providers
      # Asks Together, which runs open models: "vendor/model".
      #
      # Not taken: `stream_options` (the counts come with the last event), user, parallel_tool_calls. Files: none.
      # A response format with a schema needs a model for it, and wants the prompt to ask for JSON.
      # Source: Together's API reference and its guide to structured outputs.
      class Together < ChatCompletions
        # In messages and metrics.
        NAME = "together"
        # Source: Together's API reference.
        DEFAULT_BASE_URL = "https://api.together.xyz/v1"
        # Source: Together's official clients.
        KEY_VARIABLES = %w[TOGETHER_API_KEY].freeze
        # Source: as for the key.
        BASE_URL_VARIABLES = %w[TOGETHER_BASE_URL].freeze
        # What goes through.
        CAPABILITIES = %i[text reasoning tools images structured_output].freeze
        # Unknown to it; the counts come without.
        USAGE_REQUEST = {}.freeze
        # Unknown to it.
        LEFT_OUT = %i[user parallel_tool_calls].freeze
      end
    end
  end
end
