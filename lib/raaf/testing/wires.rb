# frozen_string_literal: true

require_relative "anthropic_wire"
require_relative "gemini_wire"
require_relative "ollama_wire"
require_relative "openai_chat_wire"
require_relative "openai_responses_wire"

module RAAF
  module Testing
    # The formats that {ModelServer} writes: which one a request is to be answered in.
    #
    # A wire is made for one answer and writes its events. Every wire has the methods of {OpenAIChatWire}, of which each
    # returns bytes: `role`, `reasoning`, `content`, `refusal`, `tool_call`, `finish`, `usage`, `done`, `error`, and for
    # a request that wants no stream `completion`; and the constant CONTENT_TYPE. One whose provider writes errors in
    # another way than OpenAI has the class method `error_body`, which takes status and message.
    module Wires
      # Routes and the classes that answer there; the first that matches counts.
      ROUTES = {
        %r{/chat/completions\z} => OpenAIChatWire,
        %r{/v1/messages\z} => AnthropicWire,
        %r{/responses\z} => OpenAIResponsesWire,
        /:(?:streamGenerateContent|generateContent)\z/ => GeminiWire,
        %r{/api/chat\z} => OllamaWire
      }.freeze

      module_function

      # @param request [ModelServer::Request]
      # @return [Class]
      def class_for(request)
        ROUTES.each { |route, wire| return wire if route.match?(request.route) }
        OpenAIChatWire
      end

      # @param request [ModelServer::Request]
      # @return [OpenAIChatWire, Object] a wire for one answer
      def for(request)
        model = request.json[:model] if request.json.is_a?(Hash)
        model ||= request.route[%r{/models/([^/:]+):}, 1]
        model ? class_for(request).new(model: model) : class_for(request).new
      end

      # @param request [ModelServer::Request]
      # @return [Boolean] whether this is where a provider takes a conversation
      def conversation?(request)
        ROUTES.any? { |route, _| route.match?(request.route) }
      end
    end
  end
end
