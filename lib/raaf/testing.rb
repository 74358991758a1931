# frozen_string_literal: true

require_relative "testing/openai_chat_wire"
require_relative "testing/model_server"
require_relative "testing/mock_provider"

module RAAF
  # What an application's tests need to work with streams without a provider:
  #
  # * {ModelServer}: a real HTTP server on loopback that answers like a provider, on time or badly.
  # * {MockProvider}: a provider without a socket, for tests that care about the text only.
  # * {OpenAIChatWire}: writes the bytes that both of them send. The other providers' wires are named after them.
  #
  # Needs Ruby's standard library only; the native extension is not loaded.
  module Testing
  end
end
