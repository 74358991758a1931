# frozen_string_literal: true

require_relative "../streaming/core_loader"
# raaf-core has a file of this name, which is the one that was meant.
return if RAAF::Streaming::CoreLoader.load_core

require_relative "../streaming/providers/openai_chat"

module RAAF
  module Models
    # Asks OpenAI, or a server that speaks its chat completions. Loaded only where raaf-core, which has a class of this
    # name, is absent.
    #
    # @example
    #   RAAF::Models::OpenAIProvider.new                                  # OPENAI_API_KEY from the environment
    #   RAAF::Models::OpenAIProvider.new(base_url: "http://localhost:11434/v1", api_key: "ollama", name: "ollama")
    # @see Streaming::Providers::OpenAIChat#initialize
    class OpenAIProvider < Streaming::Providers::OpenAIChat
    end
  end
end
