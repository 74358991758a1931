# frozen_string_literal: true

require "json"
require_relative "../message_content"

module RAAF
  module Streaming
    module Providers
      # Writes a conversation as the `input` of OpenAI's Responses: a list of items, in which a tool call, its result
      # and the model's reasoning stand beside the messages.
      #
      # @api private
      class ResponsesInput
        # @param provider [String] whose parts are sent back
        # @param stored [Boolean] whether the server keeps its responses, and so knows reasoning by its id alone
        def initialize(provider:, stored: false)
          @provider = provider
          @stored = stored
        end

        # @param messages [Array<Hash{Symbol=>Object}>] without the system's. One with a `:type` of its own is an item
        #   in the provider's form, such as `{role: "tool", type: "custom_tool_call_output", call_id:, output:}`, and
        #   is sent as it is
        # @return [Array<Hash{Symbol=>Object}>]
        def items(messages)
          messages.flat_map { |message| items_of(message) }
        end

        private

        def items_of(message)
          return [message.except(:role)] unless ["", "message"].include?(message[:type].to_s)

          case message[:role].to_s
          when "assistant" then assistant_items(message)
          when "tool" then [tool_result(message)]
          else [{role: message[:role], content: content(message[:content])}]
          end
        end

        def content(content)
          return content if content.is_a?(String)

          MessageContent.parts(content).map { |part| content_part(part) }
        end

        def content_part(part)
          return {type: "input_text", text: part[:text]} if MessageContent.text?(part)

          media = MessageContent.media(part) or return part
          case media.kind
          when :image then {type: "input_image", image_url: url(media), detail: detail(part)}.compact
          when :file then input_file(media)
          else part # a sound is written as in chat completions
          end
        end

        def url(media)
          media.url || "data:#{media.media_type};base64,#{media.data}"
        end

        def detail(part)
          image = part[:image_url]
          image.transform_keys(&:to_sym)[:detail] if image.is_a?(Hash)
        end

        def input_file(media)
          return {type: "input_file", file_id: media.file_id} if media.file_id
          return {type: "input_file", file_url: media.url} if media.url

          {type: "input_file", filename: media.filename, file_data: url(media)}.compact
        end

        def tool_result(message)
          {type: "function_call_output", call_id: message[:tool_call_id], output: output(message[:content])}
        end

        # A String where there is nothing but text: lists are not known to every server.
        def output(content)
          parts = MessageContent.parts(content)
          (parts.all? { |part| MessageContent.text?(part) }) ? MessageContent.text(content) : content(content)
        end

        # Reasoning must stand before what followed from it, and is refused where nothing does: where a limit ended the
        # answer in the middle of it, or the call that followed was taken out.
        def assistant_items(message)
          calls = calls_of(message)
          pieces = own_messages(MessageContent.with_provider_parts(message, @provider, :openai_responses))
          items = [*pieces.filter_map { |piece| assistant_item(piece, calls) }, *calls]
          items.pop while items.any? && items.last[:type] == "reasoning"
          items
        end

        # A message in the provider's own form takes the place of its text, unless that was changed since.
        def own_messages(pieces)
          pieces.each_with_object([]) do |piece, list|
            if piece.is_a?(Hash) && piece[:type] == "message"
              next unless list.last == piece[:content].to_a.filter_map { |part| part[:text] }.join

              list.pop
            end
            list << piece
          end
        end

        # @param calls [Array<Hash>] those that have not been written yet; the one that is written is taken out
        # @return [Hash, nil] nil: left out
        def assistant_item(piece, calls)
          return assistant_message(piece) if piece.is_a?(String)

          case piece[:type]
          when "function_call" then call_in_place(piece, calls)
          when "reasoning" then piece if usable?(piece)
          else piece
          end
        end

        def assistant_message(text)
          {type: "message", role: "assistant", content: [{type: "output_text", text: text}]}
        end

        # What the message says counts: a call that it has no more is left out.
        def call_in_place(part, calls)
          place = calls.index { |call| call[:call_id] == part[:call_id] } or return
          part.merge(arguments: calls.delete_at(place)[:arguments])
        end

        # By its id alone reasoning is known only to a server that has kept it: else "Item with id … not found".
        def usable?(reasoning)
          @stored || !reasoning[:encrypted_content].to_s.empty? || reasoning[:content].to_a.any?
        end

        def calls_of(message)
          (message[:tool_calls] || []).map do |given|
            call = given.transform_keys(&:to_sym)
            function = (call[:function] || {}).transform_keys(&:to_sym)
            {type: "function_call", call_id: call[:id], name: function[:name],
             arguments: arguments(function[:arguments])}
          end
        end

        def arguments(given)
          return JSON.generate(given) if given.is_a?(Hash)

          given.to_s.empty? ? "{}" : given.to_s
        end
      end
    end
  end
end
