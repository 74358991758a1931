# frozen_string_literal: true

require_relative "../streaming/providers/mistral"

module RAAF
  module Models
    # Asks Mistral. Loaded only where raaf-core is absent.
    #
    # @example
    #   RAAF::Models::MistralProvider.new(extra_body: {safe_prompt: true})
    # @see Streaming::Providers::Mistral
    class MistralProvider < Streaming::Providers::Mistral
    end
  end
end
