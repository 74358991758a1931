# frozen_string_literal: true

require_relative "chat_completions"

module RAAF
  module Streaming
    module Providers
      # Asks Perplexity's Sonar, which searches the web: each source of an answer is one citation chunk.
      #
      # It wants user and assistant to take turns, so messages of the user that follow each other are sent as one. Files
      # are `file_url`, by address or as Base64. What is searched, and how, goes into extra_body (`search_mode`,
      # `search_domain_filter`, `web_search_options` …).
      #
      # Not taken: `stream_options` (the counts come without), seed, user. Tools are sent as they are given, but Sonar's
      # documentation knows none. Penalties must be above 0, and only one of the two may be given.
      # Source: Perplexity's API reference; perplexity-py, types/chat/completion_create_params.py.
      class Perplexity < ChatCompletions
        # In messages and metrics.
        NAME = "perplexity"
        # Source: perplexity-py, _client.py.
        DEFAULT_BASE_URL = "https://api.perplexity.ai"
        # Source: as for the address.
        KEY_VARIABLES = %w[PERPLEXITY_API_KEY].freeze
        # Source: as for the address.
        BASE_URL_VARIABLES = %w[PERPLEXITY_BASE_URL].freeze
        # What goes through. Reasoning stands in the text, between <think> and </think>.
        CAPABILITIES = %i[text images files structured_output citations].freeze
        # Unknown to it; the counts come without.
        USAGE_REQUEST = {}.freeze
        # Unknown to it.
        LEFT_OUT = %i[seed user].freeze

        private

        def chat_messages(messages)
          super.chunk_while { |one, other| [one, other].all? { |message| message[:role].to_s == "user" } }
            .map { |group| join(group) }
        end

        def join(group)
          return group.first if group.size == 1

          contents = group.map { |message| message[:content] }
          joined = contents.all?(String) ? contents.join("\n\n") : contents.flat_map { |one| MessageContent.parts(one) }
          group.first.merge(content: joined)
        end

        def chat_message(message)
          sent = super
          return sent unless sent[:content].is_a?(Array)

          sent.merge(content: sent[:content].map { |part| content_part(part) })
        end

        # Base64 without the head of a data URL. Source: Perplexity's guide to media.
        def content_part(part)
          media = part.is_a?(Hash) ? MessageContent.media(part.transform_keys(&:to_sym)) : nil
          return part unless media && media.kind == :file && media.file_id.nil?

          {type: "file_url", file_url: {url: media.url || media.data}, file_name: media.filename}.compact
        end
      end
    end
  end
end
