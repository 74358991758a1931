# frozen_string_literal: true

require_relative "../streaming/providers/gemini"

module RAAF
  module Models
    # Asks Google's Gemini. Loaded only where raaf-core, which may have a class of this name, is absent.
    #
    # @example
    #   RAAF::Models::GeminiProvider.new              # GOOGLE_API_KEY or GEMINI_API_KEY from the environment
    # @see Streaming::Providers::Gemini
    class GeminiProvider < Streaming::Providers::Gemini
    end
  end
end
