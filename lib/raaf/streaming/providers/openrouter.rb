# frozen_string_literal: true

require_relative "chat_completions"

module RAAF
  module Streaming
    module Providers
      # Asks OpenRouter, which passes the question on to any of many providers. Models are "vendor/model".
      #
      # The reasoning of an answer (`reasoning_details`, with signatures and encrypted parts) goes back to it unchanged
      # in the next turn, as OpenRouter demands of conversations with tools. What it alone knows (`provider`, `models`,
      # `plugins`, `reasoning`, `transforms`) goes into extra_body.
      #
      # Nothing is left out: OpenRouter drops what a model does not take.
      # Source: OpenRouter's documentation and its TypeScript client, models/chatrequest.ts.
      class OpenRouter < ChatCompletions
        # In messages and metrics.
        NAME = "openrouter"
        # Source: OpenRouter's quick start.
        DEFAULT_BASE_URL = "https://openrouter.ai/api/v1"
        # Source: OpenRouter's TypeScript client, lib/env.ts.
        KEY_VARIABLES = %w[OPENROUTER_API_KEY].freeze
        # Source: as for the key.
        BASE_URL_VARIABLES = %w[OPENROUTER_BASE_URL].freeze
        # What goes through.
        CAPABILITIES = %i[text reasoning tools images files structured_output citations].freeze
        # Counts and costs. Source: OpenRouter's page on usage accounting.
        USAGE_REQUEST = {usage: {include: true}}.freeze
        # It knows "developer".
        ROLES = {}.freeze
        # The beginning of the types of its reasoning's details.
        DETAIL = "reasoning."

        private_constant :DETAIL

        # @param app_url [String, nil] the application's address, for OpenRouter's rankings (HTTP-Referer); nil:
        #   OPENROUTER_HTTP_REFERER
        # @param app_name [String, nil] the application's name there (X-Title); nil: OPENROUTER_APP_TITLE
        # @param options [Hash] see {Models::HTTPProvider#initialize}
        # @raise (see Models::HTTPProvider#initialize)
        def initialize(app_url: nil, app_name: nil, **options)
          super(**options)
          @app_url = app_url
          @app_name = app_name
        end

        private

        def own_headers
          {"HTTP-Referer" => @app_url || from_environment("OPENROUTER_HTTP_REFERER"),
           "X-Title" => @app_name || from_environment("OPENROUTER_APP_TITLE")}
        end

        def give_back(message, parts)
          details = parts.select { |part| part[:type].to_s.start_with?(DETAIL) }
          details.empty? ? super : super.merge(reasoning_details: details)
        end
      end
    end
  end
end
