# frozen_string_literal: true

require_relative "../../errors"
require_relative "../message_content"
require_relative "../pending_calls"

module RAAF
  module Streaming
    module Providers
      # A conversation as Ollama takes it: content is text alone, images stand beside it in bare Base64, and the result
      # of a tool names its function.
      #
      # @api private
      class OllamaMessages
        # @return [Array<Hash{Symbol=>Object}>] `messages`
        attr_reader :to_a

        # @param messages [Array<Hash{Symbol=>Object}>]
        # @param provider [String] for messages of errors
        # @param model [String] for messages of errors
        # @raise [Errors::InvalidRequestError] for what the API has no place for: images by their address, sounds, files
        def initialize(messages, provider:, model:)
          @provider = provider
          @model = model
          @calls = PendingCalls.new
          @to_a = messages.map { |message| translated(message).compact }
        end

        private

        def translated(message)
          role = (message[:role].to_s == "developer") ? "system" : message[:role].to_s
          plain = {role: role, content: MessageContent.text(message[:content]), images: images(message)}
          case role
          when "assistant" then plain.merge(tool_calls: tool_calls(message))
          when "tool" then plain.merge(result_of(message))
          else plain
          end
        end

        def images(message)
          return if message[:content].nil? || message[:content].is_a?(String)

          media = MessageContent.parts(message[:content]).reject { |part| MessageContent.text?(part) }
          media.map { |part| image(part) } unless media.empty?
        end

        def image(part)
          media = MessageContent.media(part)
          data = media.data if media && media.kind == :image
          return data if data

          what = (part[:type].to_s == "image_url") ? "an image by its address" : "a part of type #{part[:type].inspect}"
          raise Errors::InvalidRequestError.new(
            "#{@provider} (#{@model}): Ollama takes text, and images as data URLs, not #{what}", provider: @provider,
            model: @model
          )
        end

        def tool_calls(message)
          @calls.begin_turn
          calls = MessageContent.tool_calls(message)
          calls.each { |call| @calls.add(call[:id], call[:name]) }
          return if calls.empty?

          calls.map { |call| {id: call[:id], function: {name: call[:name], arguments: call[:arguments]}}.compact }
        end

        def result_of(message)
          call = @calls.take(message)
          {tool_name: call&.name || message[:name], tool_call_id: message[:tool_call_id]}
        end
      end
    end
  end
end
