# frozen_string_literal: true

require "digest"
require_relative "chat_completions"

module RAAF
  module Streaming
    module Providers
      # Asks Mistral.
      #
      # It refuses every field that it does not know, so they are left out: `stream_options` (the counts come without),
      # `user`, and of a message everything but its role, content and tool calls, the author's name included. `seed` is
      # `random_seed`, and "required" of tool_choice is "any". The id of a tool call must be nine letters and digits:
      # others, of an answer by somebody else, are replaced by such, the same for the same id. Files are
      # `document_url` or, by their id, `file`. `safe_prompt`, `prompt_mode` and the like go into extra_body.
      #
      # Signed reasoning goes back in the next turn, before the text that followed it.
      # Source: Mistral's API reference; mistralai/client-python, models/chatcompletionstreamrequest.py, thinkchunk.py.
      class Mistral < ChatCompletions
        # In messages and metrics.
        NAME = "mistral"
        # Source: Mistral's API reference.
        DEFAULT_BASE_URL = "https://api.mistral.ai/v1"
        # Source: mistralai/client-python, utils/security.py.
        KEY_VARIABLES = %w[MISTRAL_API_KEY].freeze
        # What goes through.
        CAPABILITIES = %i[text reasoning tools images files structured_output citations].freeze
        # It refuses `stream_options`.
        USAGE_REQUEST = {}.freeze
        # Unknown to it.
        LEFT_OUT = %i[user].freeze
        # Its name for it.
        RENAMED = {seed: :random_seed}.freeze
        # Its word for "required".
        TOOL_CHOICES = {"none" => "none", "auto" => "auto", "required" => "any", "any" => "any"}.freeze
        # No model of Mistral's takes `max_completion_tokens`.
        COMPLETION_TOKENS_MODELS = /(?!)/

        # What a message may have; a tool's result has its name too.
        MESSAGE_KEYS = %i[role content tool_calls tool_call_id prefix].freeze
        # What an id of a tool call must be. Source: the API's answer "must be a-z, A-Z, 0-9, with a length of 9".
        TOOL_ID = /\A[a-zA-Z0-9]{9}\z/

        private_constant :MESSAGE_KEYS, :TOOL_ID

        private

        def chat_message(message)
          sent = super
          keys = (sent[:role].to_s == "tool") ? [*MESSAGE_KEYS, :name] : MESSAGE_KEYS
          sent = sent.slice(*keys)
          sent = sent.merge(tool_call_id: tool_id(sent[:tool_call_id])) if sent[:tool_call_id]
          sent = sent.merge(tool_calls: sent[:tool_calls].map { |call| tool_call(call) }) if sent[:tool_calls]
          sent[:content].is_a?(Array) ? sent.merge(content: sent[:content].map { |part| content_part(part) }) : sent
        end

        def give_back(message, parts)
          thinking = parts.select { |part| part[:type] == "thinking" }
          return super if thinking.empty?

          super.merge(content: thinking + MessageContent.parts(message[:content]))
        end

        def tool_call(call)
          call.merge(id: tool_id(call[:id]))
        end

        def tool_id(id)
          TOOL_ID.match?(id.to_s) ? id : Digest::SHA256.hexdigest(id.to_s)[0, 9]
        end

        def content_part(part)
          media = part.is_a?(Hash) ? MessageContent.media(part.transform_keys(&:to_sym)) : nil
          return part unless media

          case media.kind
          when :file then file_part(media)
          when :audio then {type: "input_audio", input_audio: media.data}
          else part
          end
        end

        def file_part(media)
          return {type: "file", file_id: media.file_id} if media.file_id

          url = media.url || "data:#{media.media_type};base64,#{media.data}"
          {type: "document_url", document_url: url, document_name: media.filename}.compact
        end
      end
    end
  end
end
