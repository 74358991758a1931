# frozen_string_literal: true

require_relative "../streaming/providers/together"

module RAAF
  module Models
    # Asks Together. Loaded only where raaf-core is absent.
    #
    # @example
    #   RAAF::Models::TogetherProvider.new                 # TOGETHER_API_KEY from the environment
    # @see Streaming::Providers::Together
    class TogetherProvider < Streaming::Providers::Together
    end
  end
end
