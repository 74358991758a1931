# frozen_string_literal: true

require_relative "../streaming/providers/openai_responses"

module RAAF
  module Models
    # Asks OpenAI's Responses, or a server that speaks them. Loaded only where raaf-core, which has a class of this
    # name, is absent.
    #
    # @example
    #   RAAF::Models::ResponsesProvider.new                               # OPENAI_API_KEY from the environment
    #   RAAF::Models::ResponsesProvider.new(base_url: "https://api.x.ai/v1", api_key: ENV["XAI_API_KEY"], name: "xai")
    # @see Streaming::Providers::OpenAIResponses#initialize
    class ResponsesProvider < Streaming::Providers::OpenAIResponses
    end
  end
end
