# frozen_string_literal: true

require_relative "openai_chat_wire"
require_relative "mock_provider/answer"
require_relative "mock_provider/streaming_responses"

module RAAF
  module Testing
    # A provider without a network: it answers with the chunks a test gave it. The bytes it hands over are
    # those of a real provider, so they run through the same native parser and queue.
    #
    # Where the gem raaf-testing is loaded, its class of this name keeps its own methods and gains these.
    #
    # @example
    #   provider = RAAF::Testing::MockProvider.new
    #   provider.add_streaming_response(chunks: ["Hello", " there", "!"], delay: 0.01)
    #   provider.add_streaming_error(RAAF::Errors::RateLimitError.new("Rate limited"))
    class MockProvider
      include StreamingResponses
    end
  end
end
