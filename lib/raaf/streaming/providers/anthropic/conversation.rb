# frozen_string_literal: true

require_relative "../../../models/http_provider"
require_relative "../../message_content"
require_relative "content_blocks"

module RAAF
  module Streaming
    module Providers
      class Anthropic < Models::HTTPProvider
        # A conversation as Anthropic takes it: the system's messages apart, then turns of the user and the assistant,
        # in which tool results are the user's.
        #
        # Messages of one side that follow one another become one turn, so that all results of one turn's tool calls
        # stand together, before whatever the user says next, as the API demands. A message without any content is left
        # out, which the API would refuse; so is `name`, for which it has no field.
        #
        # Source: Anthropic's API reference, Messages; its pages "Handle tool calls" and "Extended thinking".
        #
        # @api private
        class Conversation
          SYSTEM_ROLES = %w[system developer].freeze

          private_constant :SYSTEM_ROLES

          # @param messages [Array<Hash{Symbol=>Object}>]
          # @param provider [String] whose parts of earlier answers are sent back
          # @raise [Errors::InvalidRequestError] for content that Claude cannot take
          def initialize(messages, provider:)
            @provider = provider
            @content = ContentBlocks.new(provider)
            @system_messages, @others = messages.partition { |message| SYSTEM_ROLES.include?(message[:role].to_s) }
          end

          # @return [String, Array<Hash>, nil] text, or blocks where one has more than text (a cache_control); nil where
          #   there is none
          def system
            blocks = @system_messages.flat_map { |message| @content.of(message[:content]) }
            return if blocks.empty?
            return blocks unless ContentBlocks.plain?(blocks)

            MessageContent.split_system(@system_messages).first
          end

          # @return [Array<Hash{Symbol=>Object}>] :role and :content
          def turns
            said = @others.map { |message| {role: role_of(message), blocks: blocks_of(message)} }
            said = said.reject { |message| message[:blocks].empty? }
            said.chunk_while { |one, other| one[:role] == other[:role] }.map do |side|
              blocks = side.flat_map { |message| message[:blocks] } #: Array[Hash[Symbol, untyped]]
              {role: side.first[:role], content: shortest(in_order(blocks))}
            end
          end

          private

          def role_of(message)
            (message[:role].to_s == "assistant") ? "assistant" : "user"
          end

          def blocks_of(message)
            case message[:role].to_s
            when "assistant" then assistant_blocks(message)
            when "tool" then [tool_result(message)]
            else @content.of(message[:content])
            end
          end

          # One text alone may be a String, which means the same.
          def shortest(blocks)
            (blocks.size == 1 && ContentBlocks.plain?(blocks)) ? blocks.first[:text] : blocks
          end

          # Results come before anything else in their turn.
          def in_order(blocks)
            blocks.partition { |block| block[:type].to_s == "tool_result" }.flatten(1)
          end

          def tool_result(message)
            content = shortest(@content.of(message[:content]))
            {type: "tool_result", tool_use_id: message[:tool_call_id], content: (content unless content.empty?)}.compact
          end

          def assistant_blocks(message)
            calls = MessageContent.tool_calls(message)
            said = message[:content].is_a?(Array) ? @content.of(message[:content]) : said_blocks(message, calls)
            known = said.filter_map { |block| block[:id] }
            said + calls.reject { |call| known.include?(call[:id]) }.map { |call| tool_use(call) }
          end

          def tool_use(call)
            {type: "tool_use", id: call[:id], name: call[:name], input: call[:arguments]}
          end

          # Text, with the blocks of that answer between it that are no text.
          def said_blocks(message, calls)
            pieces = MessageContent.with_provider_parts(message, @provider)
            pieces.each_with_object([]) do |piece, blocks|
              next blocks << {type: "text", text: piece} if piece.is_a?(String)

              cited?(piece) ? add_cited(blocks, piece) : blocks.push(*returned(piece, calls))
            end.reject { |block| block[:type] == "text" && block[:text].strip.empty? }
          end

          def cited?(part)
            part[:type] == "text"
          end

          # A text with its citations stands behind the same text in the content, and takes its place; not where
          # somebody has changed that.
          def add_cited(blocks, part)
            last = blocks.last
            return unless last && ContentBlocks.plain?([last]) && last[:text].end_with?(part[:text])

            blocks[-1] = last.merge(text: last[:text].delete_suffix(part[:text]))
            blocks << part
          end

          # Not sent back: thinking without a signature, of which the answer's limit cut off the end, and a call that
          # the conversation has no more.
          def returned(part, calls)
            case part[:type]
            when "thinking" then part[:signature].to_s.empty? ? [] : [part]
            when "tool_use" then (calls.any? { |call| call[:id] == part[:id] }) ? [part] : []
            else [part]
            end
          end
        end
      end
    end
  end
end
