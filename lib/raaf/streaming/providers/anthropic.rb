# frozen_string_literal: true

require_relative "../../models/http_provider"
require_relative "anthropic/conversation"
require_relative "anthropic/model_facts"
require_relative "anthropic/thinking"

module RAAF
  module Streaming
    module Providers
      # Asks Anthropic's Messages API, or a server that speaks it.
      #
      # What is not given is read from the environment at each request, under the names of Anthropic's official clients:
      # ANTHROPIC_API_KEY, else ANTHROPIC_AUTH_TOKEN (sent as a bearer token), and ANTHROPIC_BASE_URL.
      # Source: anthropic-sdk-ruby, lib/anthropic/client.rb.
      #
      # How the settings of an agent are sent:
      #
      # * max_tokens, which the API demands: where it is not set 64,000; 32,000 for Claude Opus 4 and 4.1, 8,192 for
      #   Claude 3.5 and for models that are no Claude, 4,096 for Claude 3
      # * temperature and top_p: not for models after Claude 4.6, and not with thinking, where the API refuses them;
      #   top_p not beside temperature
      # * stop: `stop_sequences`; user: `metadata.user_id`; tool_choice and parallel_tool_calls: `tool_choice`
      # * response_format with a JSON schema: `output_config.format`, the schema as it is (the API wants
      #   `additionalProperties: false` in each object). `{type: "json_object"}`, for which it has no field, is refused
      # * reasoning_effort: `thinking` and `output_config.effort`, or a budget (1,024 tokens for minimal, 4,096 for low,
      #   8,192 for medium, 16,384 for high, 24,576 for more) up to Claude 4.5; a max_tokens that leaves no room for it
      #   is raised by it
      # * frequency_penalty, presence_penalty and seed are left out: there is nothing like them
      #
      # What the answer had besides text goes back with the next request as it came: thinking with its signature, the
      # blocks of Anthropic's own tools, citations. Parts of Anthropic's own form in a message's content are sent as
      # they are, and so is `cache_control` of any part.
      #
      # @example
      #   provider = RAAF::Streaming::Providers::Anthropic.new          # ANTHROPIC_API_KEY from the environment
      #   RAAF::Agent.new(name: "Assistant", model: "claude-sonnet-5", provider: provider)
      # @example Thinking, caching and Anthropic's own tools (which take the place of the agent's, as each field does)
      #   RAAF::Streaming::Providers::Anthropic.new(extra_body: {thinking: {type: "enabled", budget_tokens: 2000},
      #     tools: [{type: "web_search_20250305", name: "web_search"}], cache_control: {type: "ephemeral"}})
      class Anthropic < Models::HTTPProvider
        # In messages and metrics.
        NAME = "anthropic"
        # Where Anthropic answers. Source: anthropic-sdk-ruby, lib/anthropic/client.rb.
        DEFAULT_BASE_URL = "https://api.anthropic.com"
        # Where the key may stand in the environment.
        KEY_VARIABLES = %w[ANTHROPIC_API_KEY].freeze
        # What it can; see {Models::HTTPProvider::CAPABILITIES}.
        CAPABILITIES = %i[text reasoning tools images files structured_output citations].freeze
        # Where a bearer token may stand in the environment; it counts where there is no key.
        TOKEN_VARIABLES = %w[ANTHROPIC_AUTH_TOKEN].freeze
        # Where the address may stand in the environment.
        BASE_URL_VARIABLES = %w[ANTHROPIC_BASE_URL].freeze
        # The header that carries the key.
        KEY_HEADER = "x-api-key"
        # What `anthropic-version` says. Source: Anthropic's page "Versions".
        VERSION = "2023-06-01"

        # The words of `tool_choice` that are not a tool's name, and Anthropic's.
        # Source: anthropic-sdk-ruby, lib/anthropic/models/tool_choice.rb.
        TOOL_CHOICES = {"auto" => "auto", "required" => "any", "any" => "any", "none" => "none"}.freeze

        # The types of `tool_choice` that force a call.
        FORCING = %w[any tool].freeze

        private_constant :TOOL_CHOICES, :FORCING

        # @param auth_token [String, nil] sent as a bearer token where there is no api_key; nil: ANTHROPIC_AUTH_TOKEN,
        #   where neither api_key nor ANTHROPIC_API_KEY is set
        # @param version [String] of the API
        # @param beta [String, Array<String>, nil] features to turn on, such as "context-1m-2025-08-07"
        # @param options [Hash] see {Models::HTTPProvider#initialize}; base_url is with or without "/v1" at its end
        # @raise (see Models::HTTPProvider#initialize)
        def initialize(auth_token: nil, version: VERSION, beta: nil, **options)
          super(**options)
          @auth_token = auth_token
          @version = version
          @beta = Array(beta)
          Secrets.check_key!(auth_token, name: "auth_token")
        end

        # @return [Symbol] :anthropic
        def dialect
          :anthropic
        end

        # @param model [String]
        # @param settings [Hash{Symbol=>Object}]
        # @return [Boolean] for Claude up to 4.5, as long as it does not think. Source: Anthropic's pages "Migration
        #   guide" (prefill removal) and "Extended thinking"
        def writes_on?(model, settings = {})
          facts = ModelFacts.new(model.to_s)
          bodies = [settings[:extra_body].to_h, @extra_body]
          given = bodies.filter_map { |body| body.transform_keys(&:to_sym)[:thinking] }.first
          thinking = given || Thinking.new(facts, effort: settings[:reasoning_effort]).config
          facts.writes_on? && (thinking.nil? || thinking.transform_keys(&:to_sym)[:type].to_s == "disabled")
        end

        private

        def own_headers
          {"anthropic-version" => @version, "anthropic-beta" => (@beta.join(",") unless @beta.empty?)}
        end

        # What was given counts before the environment, whichever of the two it is.
        def key_headers
          return super if @api_key || (@auth_token.nil? && first_from_environment(KEY_VARIABLES))

          token = @auth_token || first_from_environment(TOKEN_VARIABLES)
          return super if token.to_s.empty?

          Secrets.check_key!(token, name: @auth_token ? "auth_token" : TOKEN_VARIABLES.join)
          {"Authorization" => "Bearer #{token}"}
        end

        def key_header_value(key)
          key
        end

        def request_url(_model)
          join_url(base_url.sub(%r{/v1/?(?=\z|\?)}, ""), "/v1/messages")
        end

        def fixed_fields
          {stream: true}
        end

        def request_body(messages, model, settings, tools)
          conversation = Conversation.new(messages, provider: name)
          choice = tools.empty? ? nil : tool_choice(settings[:tool_choice], settings[:parallel_tool_calls])
          thinking = Thinking.new(ModelFacts.new(model), effort: settings[:reasoning_effort],
            forced: FORCING.include?(choice&.fetch(:type, nil).to_s), max_tokens: settings[:max_tokens])
          {model: model, max_tokens: thinking.max_tokens, system: conversation.system, messages: conversation.turns,
           stream: true, thinking: thinking.config, output_config: output_config(thinking, settings[:response_format]),
           tools: (tools.map { |tool| own_tool(tool) } unless tools.empty?), tool_choice: choice,
           **sampling(thinking, settings), **plain_fields(settings)}
        end

        def plain_fields(settings)
          {stop_sequences: settings[:stop] && Array(settings[:stop]),
           metadata: settings[:user] && {user_id: settings[:user].to_s}}
        end

        def sampling(thinking, settings)
          return {} unless thinking.sampling?

          temperature, top_p = settings.values_at(:temperature, :top_p)
          temperature ? {temperature: temperature} : {top_p: top_p}
        end

        def output_config(thinking, response_format)
          config = {effort: thinking.effort, format: output_format(response_format)}.compact
          config unless config.empty?
        end

        # Source: anthropic-sdk-ruby, lib/anthropic/models/json_output_format.rb.
        def output_format(response_format)
          given = response_format.to_h.transform_keys(&:to_sym)
          case given[:type].to_s
          when "", "text" then nil
          when "json_schema" then {type: "json_schema", schema: schema_of(given)}
          else raise no_schema
          end
        end

        # As OpenAI writes it, with a name around the schema, or as Anthropic does.
        def schema_of(given)
          named = (given[:json_schema] || {}).transform_keys(&:to_sym)
          named[:schema] || given[:schema] || raise(no_schema)
        end

        def no_schema
          Errors::InvalidRequestError.new("Claude answers in JSON by a schema only: give response_format: {type: " \
                                          "\"json_schema\", json_schema: {schema: …}}.", provider: name)
        end

        # A tool of Anthropic's own (of another type than "function") goes as it is.
        def own_tool(given)
          tool = given.transform_keys(&:to_sym)
          return tool unless tool[:function]

          function = tool[:function].transform_keys(&:to_sym)
          {name: function[:name], description: function[:description],
           input_schema: function[:parameters] || {type: "object", properties: {}},
           strict: function[:strict] || nil, cache_control: tool[:cache_control]}.compact
        end

        def tool_choice(choice, parallel)
          chosen = own_choice(choice)
          return chosen unless parallel == false
          return chosen if chosen && chosen[:type].to_s == "none"

          (chosen || {type: "auto"}).merge(disable_parallel_tool_use: true)
        end

        def own_choice(choice)
          return if choice.nil?
          return own_choice_of_hash(choice.transform_keys(&:to_sym)) if choice.is_a?(Hash)

          type = TOOL_CHOICES[choice.to_s]
          type ? {type: type} : {type: "tool", name: choice.to_s}
        end

        def own_choice_of_hash(choice)
          return choice unless choice[:function]

          {type: "tool", name: choice[:function].transform_keys(&:to_sym)[:name]}
        end
      end
    end
  end
end
