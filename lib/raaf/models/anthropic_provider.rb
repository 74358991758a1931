# frozen_string_literal: true

require_relative "../streaming/providers/anthropic"

module RAAF
  module Models
    # Asks Anthropic, or a server that speaks its Messages API. Loaded only where raaf-core, beside which raaf-providers
    # has a class of this name, is absent.
    #
    # @example
    #   RAAF::Models::AnthropicProvider.new                               # ANTHROPIC_API_KEY from the environment
    # @see Streaming::Providers::Anthropic#initialize
    class AnthropicProvider < Streaming::Providers::Anthropic
    end
  end
end
