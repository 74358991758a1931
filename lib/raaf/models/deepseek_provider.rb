# frozen_string_literal: true

require_relative "../streaming/providers/deepseek"

module RAAF
  module Models
    # Asks DeepSeek. Loaded only where raaf-core is absent.
    #
    # @example
    #   RAAF::Models::DeepSeekProvider.new                 # DEEPSEEK_API_KEY from the environment
    # @see Streaming::Providers::DeepSeek
    class DeepSeekProvider < Streaming::Providers::DeepSeek
    end
  end
end
