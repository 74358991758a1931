# frozen_string_literal: true

module RAAF
  module Testing
    class ModelServer
      # Finds what the user said last in a chat request.
      module Prompt
        # @param request [Request]
        # @return [String] the text of the last user message that has any (with Anthropic tool results are messages of
        #   the user, too); "" where there is none
        def self.of(request)
          json = request.json
          messages = json.is_a?(Hash) ? json[:messages] : nil
          return "" unless messages.is_a?(Array)

          messages = messages.grep(Hash).select { |message| message[:role] == "user" }
          messages.map { |message| text(message[:content]) }.reject(&:empty?).last || ""
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
