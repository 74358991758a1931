# frozen_string_literal: true

require_relative "../streaming/providers/ollama"

module RAAF
  module Models
    # Asks Ollama. Loaded only where raaf-core, which may have a class of this name, is absent.
    #
    # @example
    #   RAAF::Models::OllamaProvider.new              # OLLAMA_HOST from the environment, else this machine
    # @see Streaming::Providers::Ollama
    class OllamaProvider < Streaming::Providers::Ollama
    end
  end
end
