# frozen_string_literal: true

require "json"
require_relative "../message_content"
require_relative "../pending_calls"

module RAAF
  module Streaming
    module Providers
      # A conversation as Gemini takes it: `contents` of roles user and model, and the system's words apart.
      #
      # What the model said goes back as it came: the parts that the dialect kept (signatures of thoughts, code that
      # was run) stand where they were. Results of tools that follow one another are one content, since the API wants as
      # many as there were calls, and each names its function.
      #
      # @api private
      class GeminiContents
        # Types of files that are told by the end of their address. Source: Google's guides to files, images and audio.
        MEDIA_TYPES = {
          "png" => "image/png", "jpg" => "image/jpeg", "jpeg" => "image/jpeg", "webp" => "image/webp",
          "gif" => "image/gif", "heic" => "image/heic", "pdf" => "application/pdf", "mp3" => "audio/mp3",
          "wav" => "audio/wav", "mp4" => "video/mp4", "txt" => "text/plain"
        }.freeze

        private_constant :MEDIA_TYPES

        # @return [Hash, nil] `systemInstruction`
        attr_reader :system
        # @return [Array<Hash{Symbol=>Object}>] `contents`
        attr_reader :to_a

        # @param messages [Array<Hash{Symbol=>Object}>]
        # @param provider [String] whose parts of earlier answers are sent back
        def initialize(messages, provider:)
          @provider = provider
          @to_a = []
          @calls = PendingCalls.new
          text, rest = MessageContent.split_system(messages)
          @system = {parts: [{text: text}]} unless text.empty?
          rest.each { |message| add(message) }
        end

        private

        def add(message)
          case message[:role].to_s
          when "assistant" then add_content("model", model_parts(message))
          when "tool" then add_result(message)
          else add_content("user", MessageContent.parts(message[:content]).map { |part| user_part(part) })
          end
        end

        # The API refuses a content without parts.
        def add_content(role, parts)
          @to_a << {role: role, parts: parts} unless parts.empty?
        end

        def user_part(part)
          return {text: part[:text].to_s} if MessageContent.text?(part)

          media = MessageContent.media(part)
          media ? media_part(media) : part.except(:type)
        end

        def media_part(media)
          return {inlineData: {mimeType: media.media_type, data: media.data}} if media.data

          address = media.file_id || media.url.to_s
          {fileData: {mimeType: MEDIA_TYPES[address[/\.(\w+)(?:\?.*)?\z/, 1].to_s.downcase], fileUri: address}.compact}
        end

        # ---- the model's messages ----

        def model_parts(message)
          @calls.begin_turn
          waiting = waiting_calls(message)
          parts = MessageContent.with_provider_parts(message, @provider).each_with_object([]) do |piece, all|
            all.concat(piece.is_a?(String) ? [{text: piece}] : kept_parts(piece, all, waiting))
          end
          parts + waiting.map { |call| call_part(call) }
        end

        # Where Gemini gave a call no id, those of this conversation are not its own, and are not sent.
        def waiting_calls(message)
          functions = MessageContent.provider_parts(message, @provider).filter_map { |item| item[:part][:functionCall] }
          own_ids = functions.all? { |function| function[:id] }
          MessageContent.tool_calls(message).map { |call| call.merge(wire_id: (call[:id] if own_ids)) }
        end

        # A part of an earlier answer, and the calls without a part of their own that came before it.
        def kept_parts(part, before, waiting)
          function = part[:functionCall]
          return [signed_text(part, before)].compact unless function

          place = waiting.index { |call| same_call?(call, function) }
          return [] unless place # it was taken out of the conversation, and would get no result

          earlier = waiting.shift(place).map { |call| call_part(call) }
          @calls.add(waiting.shift[:id], function[:name], wire_id: function[:id])
          earlier << part
        end

        # The text of a signed part stands in the content too, right before it; there it is taken out. Where it does not
        # (the content was changed since), only the signature goes back.
        def signed_text(part, before)
          text = part[:text].to_s
          return part if text.empty? || part[:thought] || !part.key?(:text)

          last = before.last
          return part.merge(text: "") unless last && last.keys == [:text] && last[:text].end_with?(text)

          last[:text] = last[:text].delete_suffix(text)
          before.pop if last[:text].empty?
          part
        end

        # By its id; where it has none, by what is asked.
        def same_call?(call, function)
          return call[:id] == function[:id] if function[:id]

          call[:name] == function[:name] && call[:arguments] == with_string_keys(function[:args] || {})
        end

        def with_string_keys(value)
          case value
          when Hash then value.to_h { |key, one| [key.to_s, with_string_keys(one)] }
          when Array then value.map { |one| with_string_keys(one) }
          else value
          end
        end

        def call_part(call)
          @calls.add(call[:id], call[:name], wire_id: call[:wire_id])
          {functionCall: {id: call[:wire_id], name: call[:name], args: call[:arguments]}.compact}
        end

        # ---- what tools answered ----

        def add_result(message)
          part = {functionResponse: response_of(message)}
          last = @to_a.last
          return add_content("user", [part]) unless last && last[:parts].all? { |other| other.key?(:functionResponse) }

          last[:parts] << part
        end

        def response_of(message)
          call = @calls.take(message)
          media = MessageContent.parts(message[:content]).filter_map { |part| MessageContent.media(part) }
          {id: call&.wire_id, name: call&.name || message[:name] || message[:tool_call_id] || "function",
           response: result_object(MessageContent.text(message[:content])),
           parts: (media.map { |one| media_part(one) } unless media.empty?)}.compact
        end

        # The API wants an object; `output` is its name for a result that is none.
        def result_object(text)
          parsed = JSON.parse(text)
          parsed.is_a?(Hash) ? parsed : {output: text}
        rescue JSON::ParserError
          {output: text}
        end
      end
    end
  end
end
