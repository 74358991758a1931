# frozen_string_literal: true

module RAAF
  module Testing
    class ModelServer
      # Finds what the user said last in a request.
      module Prompt
        # @param request [Request]
        # @return [String] the text of the last user message that has any (with Anthropic tool results are messages of
        #   the user, too); "" where there is none
        def self.of(request)
          messages = messages(request).grep(Hash).select { |message| message[:role] == "user" }
          messages.map { |message| text(message[:content] || message[:parts]) }.reject(&:empty?).last || ""
        end

        # The conversation: `messages`, Gemini's `contents`, or in OpenAI's Responses `input`, which may be one String.
        # @param request [Request]
        # @return [Array<Hash>] [] where there is none
        def self.messages(request)
          json = request.json.is_a?(Hash) ? request.json : {}
          given = json[:messages] || json[:contents] || json[:input]
          return [{role: "user", content: given}] if given.is_a?(String) && json[:input].equal?(given)

          given.is_a?(Array) ? given : []
        end

        # Content is a String, or a list of parts of which only text has words.
        # @param content [String, Array<Hash>, nil]
        # @return [String]
        def self.text(content)
          return content.to_s unless content.is_a?(Array)

          content.grep(Hash).filter_map { |part| part[:text] }.join(" ")
        end
      end
    end
  end
end
