# frozen_string_literal: true

require "erb"
require_relative "chat_completions"

module RAAF
  module Streaming
    module Providers
      # Asks models of OpenAI's, and others, on Azure.
      #
      # Two addresses: the resource's with a deployment and the version of the API, or, as base_url, that of the v1 API
      # ("https://NAME.openai.azure.com/openai/v1"), which needs neither. Without a deployment the model's name is taken
      # for it. What is not given is read from the environment at each request, under the names of OpenAI's official
      # clients: AZURE_OPENAI_API_KEY, AZURE_OPENAI_ENDPOINT, OPENAI_API_VERSION.
      #
      # A token of Microsoft Entra ID goes into the headers instead of a key: `headers: {"Authorization" => "Bearer …",
      # "api-key" => nil}`. Versions before 2024-09-01-preview refuse `stream_options`: `extra_body: {stream_options:
      # nil}` leaves it out. What the filter says of prompt and answer are events that `raw_events` shows.
      # Source: openai-python, lib/azure.py; Azure's REST reference.
      #
      # @example
      #   AzureOpenAI.new(endpoint: "https://mine.openai.azure.com", deployment: "gpt-4o", api_version: "2024-10-21")
      #   AzureOpenAI.new(base_url: "https://mine.openai.azure.com/openai/v1")
      class AzureOpenAI < ChatCompletions
        # In messages and metrics.
        NAME = "azure"
        # Where the key may stand in the environment.
        KEY_VARIABLES = %w[AZURE_OPENAI_API_KEY].freeze
        # Where the resource's address may stand in the environment.
        ENDPOINT_VARIABLE = "AZURE_OPENAI_ENDPOINT"
        # Where the API's version may stand in the environment.
        VERSION_VARIABLE = "OPENAI_API_VERSION"
        # The header that carries the key.
        KEY_HEADER = "api-key"
        # What goes through.
        CAPABILITIES = %i[text tools images files structured_output].freeze
        # "developer" is a role of its own here.
        ROLES = {}.freeze

        # @param endpoint [String, nil] the resource's address; nil: AZURE_OPENAI_ENDPOINT
        # @param deployment [String, nil] nil: the model's name
        # @param api_version [String, nil] such as "2024-10-21"; nil: OPENAI_API_VERSION
        # @param base_url [String, nil] the v1 API's address, in place of these three
        # @param options [Hash] see {Models::HTTPProvider#initialize}
        # @raise (see Models::HTTPProvider#initialize)
        # @raise [Errors::ConfigurationError] for an invalid endpoint
        def initialize(endpoint: nil, deployment: nil, api_version: nil, base_url: nil, **options)
          super(base_url: base_url, **options)
          @endpoint = endpoint && check_base_url(endpoint)
          @deployment = deployment
          @api_version = api_version
        end

        # @return [String] where requests go, without a slash at its end
        # @raise [Errors::ConfigurationError] where there is none
        def base_url
          @base_url || check_base_url(@endpoint || from_environment(ENDPOINT_VARIABLE) || missing(
            "address", ENDPOINT_VARIABLE, "endpoint: or base_url:"
          ))
        end

        private

        def request_url(model)
          return super if @base_url

          deployment = ERB::Util.url_encode((@deployment || model).to_s)
          uri = URI.parse(join_url(base_url, "/openai/deployments/#{deployment}/chat/completions"))
          uri.query = [uri.query, URI.encode_www_form("api-version" => api_version)].compact.join("&")
          uri.to_s
        end

        def api_version
          @api_version || from_environment(VERSION_VARIABLE) || missing("API version", VERSION_VARIABLE, "api_version:")
        end

        def key_header_value(key)
          key
        end

        def missing(what, variable, keywords)
          raise Errors::ConfigurationError.new("no #{what} for #{name}: set #{variable}, or give #{keywords} to the " \
                                               "provider", provider: name)
        end
      end
    end
  end
end
