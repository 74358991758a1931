# frozen_string_literal: true

require_relative "chat_completions"

module RAAF
  module Streaming
    module Providers
      # Asks any other server that speaks OpenAI's chat completions: vLLM, LM Studio, llama.cpp, LiteLLM, a gateway,
      # Cohere's and Gemini's compatible addresses. Nothing is read from the environment, and a key is sent only if one
      # is given.
      #
      # Everything is sent as it is given; what the server does not take can be left out by `extra_body: {name: nil}`,
      # `stream_options` too.
      #
      # @example
      #   OpenAICompatible.new(base_url: "http://localhost:8000/v1")
      #   OpenAICompatible.new(base_url: "https://api.moonshot.ai/v1", api_key: key, name: "moonshot",
      #     reasoning_field: :reasoning_content)
      class OpenAICompatible < ChatCompletions
        # In messages and metrics, unless another is given.
        NAME = "openai_compatible"
        # What goes through, if the server and its model can do it.
        CAPABILITIES = %i[text reasoning tools images files structured_output citations].freeze
        # They are the server's own matter.
        ROLES = {}.freeze

        # @param base_url [String] what stands before "/chat/completions"
        # @param reasoning_field [Symbol, nil] the field of an assistant's message in which the server wants its
        #   reasoning back, as models that think between tool calls do; nil: it does not
        # @param options [Hash] see {Models::HTTPProvider#initialize}
        # @raise (see Models::HTTPProvider#initialize)
        def initialize(base_url:, reasoning_field: nil, **options)
          raise ArgumentError, "base_url must be given" if base_url.nil?

          super(base_url: base_url, **options)
          @reasoning_field = reasoning_field
        end

        private

        attr_reader :reasoning_field

        def missing_key
          nil
        end
      end
    end
  end
end
