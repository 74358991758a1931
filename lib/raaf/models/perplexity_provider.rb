# frozen_string_literal: true

require_relative "../streaming/providers/perplexity"

module RAAF
  module Models
    # Asks Perplexity. Loaded only where raaf-core is absent.
    #
    # @example
    #   RAAF::Models::PerplexityProvider.new(extra_body: {search_mode: "academic"})
    # @see Streaming::Providers::Perplexity
    class PerplexityProvider < Streaming::Providers::Perplexity
    end
  end
end
