# frozen_string_literal: true

require_relative "../streaming/providers/openrouter"

module RAAF
  module Models
    # Asks OpenRouter. Loaded only where raaf-core is absent.
    #
    # @example
    #   RAAF::Models::OpenRouterProvider.new(app_url: "https://example.com", app_name: "Example")
    # @see Streaming::Providers::OpenRouter
    class OpenRouterProvider < Streaming::Providers::OpenRouter
    end
  end
end
