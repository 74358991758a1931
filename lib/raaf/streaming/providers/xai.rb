# frozen_string_literal: true

require_relative "chat_completions"

module RAAF
  module Streaming
    module Providers
      # Asks xAI for its Grok models.
      #
      # Its reasoning models refuse penalties and `stop`, and most models refuse `reasoning_effort`. Penalties and
      # effort are left out for them; `stop` is not, because the answer would be another one: xAI's refusal says so.
      # Only grok-3-mini shows its reasoning. What search found comes as citations; it is asked for by
      # `search_parameters` in extra_body. No files here.
      # Source: xAI's API reference and its guide to reasoning; recorded streams.
      class XAI < ChatCompletions
        # In messages and metrics.
        NAME = "xai"
        # Source: xAI's API reference.
        DEFAULT_BASE_URL = "https://api.x.ai/v1"
        # Source: xai-sdk-python.
        KEY_VARIABLES = %w[XAI_API_KEY].freeze
        # What goes through.
        CAPABILITIES = %i[text reasoning tools images structured_output citations].freeze
        # All models: `max_tokens` is deprecated.
        COMPLETION_TOKENS_MODELS = //

        # Models that refuse `reasoning_effort`.
        NO_EFFORT = /\Agrok-(?:2|3(?!-mini)|4(?![.\d])|4\.20(?!-multi-agent)|code-fast)/
        # Models that take penalties: those that do not reason.
        PENALTIES = /non-reasoning|\Agrok-(?:2|3(?!-mini))/

        private_constant :NO_EFFORT, :PENALTIES

        private

        def left_out(model)
          effort = NO_EFFORT.match?(model) ? %i[reasoning_effort] : []
          PENALTIES.match?(model) ? effort : effort + %i[frequency_penalty presence_penalty]
        end
      end
    end
  end
end
