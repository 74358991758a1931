# frozen_string_literal: true

require_relative "../streaming/providers/openai_compatible"

module RAAF
  module Models
    # Asks any other server that speaks OpenAI's chat completions. Loaded only where raaf-core is absent.
    #
    # @example
    #   RAAF::Models::OpenAICompatibleProvider.new(base_url: "http://localhost:8000/v1")
    # @see Streaming::Providers::OpenAICompatible
    class OpenAICompatibleProvider < Streaming::Providers::OpenAICompatible
    end
  end
end
