# frozen_string_literal: true

require_relative "../streaming/providers/xai"

module RAAF
  module Models
    # Asks xAI. Loaded only where raaf-core is absent.
    #
    # @example
    #   RAAF::Models::XAIProvider.new                      # XAI_API_KEY from the environment
    # @see Streaming::Providers::XAI
    class XAIProvider < Streaming::Providers::XAI
    end
  end
end
