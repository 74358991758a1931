# frozen_string_literal: true

require_relative "../streaming/providers/azure_openai"

module RAAF
  module Models
    # Asks models on Azure. Loaded only where raaf-core is absent.
    #
    # @example
    #   RAAF::Models::AzureOpenAIProvider.new(endpoint: "https://mine.openai.azure.com", deployment: "gpt-4o",
    #     api_version: "2024-10-21")
    # @see Streaming::Providers::AzureOpenAI
    class AzureOpenAIProvider < Streaming::Providers::AzureOpenAI
    end
  end
end
