# frozen_string_literal: true

require_relative "../streaming/providers/groq"

module RAAF
  module Models
    # Asks Groq. Loaded only where raaf-core is absent.
    #
    # @example
    #   RAAF::Models::GroqProvider.new                     # GROQ_API_KEY from the environment
    # @see Streaming::Providers::Groq
    class GroqProvider < Streaming::Providers::Groq
    end
  end
end
