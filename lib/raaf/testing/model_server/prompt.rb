# frozen_string_literal: true

module RAAF
  module Testing
    class ModelServer
      # Finds what the user said last in a request.
      module Prompt
        # Where a conversation stands: with most providers, and with Gemini.
        FIELDS = %i[messages contents].freeze

        # @param request [Request]
        # @return [String] the last user message's text; "" where there is none
        def self.of(request)
          message = messages(request).to_a.reverse_each.find { |entry| entry.is_a?(Hash) && entry[:role] == "user" }
          text(message && (message[:content] || message[:parts]))
        end

        # @param request [Request]
        # @return [Array, nil] the conversation; nil where there is none
        def self.messages(request)
          json = request.json
          found = json.values_at(*FIELDS).compact.first if json.is_a?(Hash)
          found if found.is_a?(Array)
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
