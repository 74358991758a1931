# frozen_string_literal: true

module RAAF
  module Testing
    class ModelServer
      # Finds what the user said last in a chat request.
      module Prompt
        # @param request [Request]
        # @return [String] the last user message's text; "" where there is none
        def self.of(request)
          json = request.json
          messages = json.is_a?(Hash) ? json[:messages] : nil
          return "" unless messages.is_a?(Array)

          message = messages.reverse_each.find { |entry| entry.is_a?(Hash) && entry[:role] == "user" }
          text(message && message[:content])
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
