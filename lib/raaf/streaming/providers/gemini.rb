# frozen_string_literal: true

require "uri"
require_relative "../../models/http_provider"
require_relative "gemini_contents"

module RAAF
  module Streaming
    module Providers
      # Asks Google's Gemini API, or Vertex AI, which speaks it too.
      #
      # The key is read from the environment at each request, under the names of Google's official clients:
      # GOOGLE_API_KEY, else GEMINI_API_KEY. Source: js-genai, src/node/node_client.ts.
      #
      # Left out, because the API has no field for it: `parallel_tool_calls`, `user`, and `strict` of a tool or a
      # schema. `reasoning_effort` becomes a thinking level, or a budget for Gemini 2.5, and asks for the thoughts to be
      # shown, as :reasoning. Google's own tools are asked for by `extra_body: {tools: [{googleSearch: {}}]}`, which
      # replaces the agent's; fields of `extra_body[:generationConfig]` are added to those from the settings.
      #
      # @example
      #   RAAF::Models::GeminiProvider.new                                  # GOOGLE_API_KEY or GEMINI_API_KEY
      #   RAAF::Models::GeminiProvider.new(                                 # Vertex AI, with a token of one's own
      #     base_url: "https://aiplatform.googleapis.com/v1/projects/p/locations/global/publishers/google",
      #     headers: {"Authorization" => "Bearer #{token}", "x-goog-api-key" => nil}
      #   )
      # @see https://ai.google.dev/api/generate-content the fields
      class Gemini < Models::HTTPProvider
        # In messages and metrics.
        NAME = "gemini"
        # Where the Gemini API answers. Source: Google's API reference.
        DEFAULT_BASE_URL = "https://generativelanguage.googleapis.com/v1beta"
        # Where the key may stand in the environment.
        KEY_VARIABLES = %w[GOOGLE_API_KEY GEMINI_API_KEY].freeze
        # What it can; see {Models::HTTPProvider::CAPABILITIES}.
        CAPABILITIES = %i[text reasoning tools images files structured_output citations].freeze
        # The header that carries the key.
        KEY_HEADER = "x-goog-api-key"
        # Fields of the body that extra_body adds to instead of replacing them.
        MERGED_FIELDS = %i[generationConfig].freeze

        # Settings that have the same meaning in `generationConfig`, and their names there.
        CONFIG = {temperature: :temperature, top_p: :topP, max_tokens: :maxOutputTokens, seed: :seed,
                  frequency_penalty: :frequencyPenalty, presence_penalty: :presencePenalty}.freeze

        # Models that take a budget of thinking tokens instead of a level. Source: Google's guide to thinking.
        BUDGET_MODELS = %r{(?:\A|/)gemini-2}
        # Tokens for an effort. Source: Google's guide to OpenAI compatibility, `reasoning_effort`.
        BUDGETS = {"none" => 0, "minimal" => 1024, "low" => 1024, "medium" => 8192, "high" => 24_576}.freeze
        # No level switches thinking off; the lowest comes nearest. Source: Google's guide to thinking.
        LEVELS = {"none" => "MINIMAL"}.freeze

        # OpenAI's words of `tool_choice`, and the modes of `functionCallingConfig`.
        MODES = {"auto" => "AUTO", "none" => "NONE", "required" => "ANY"}.freeze

        private_constant :CONFIG, :BUDGET_MODELS, :BUDGETS, :LEVELS, :MODES

        # @return [Symbol] :gemini
        def dialect
          :gemini
        end

        private

        # A model's name may say where it is: "models/…", "tunedModels/…".
        def request_url(model)
          path = model.split("/").map { |part| URI.encode_www_form_component(part) }.join("/")
          path = "models/#{path}" unless path.include?("/")
          url = URI.parse(join_url(base_url, "/#{path}:streamGenerateContent"))
          url.query = [url.query, "alt=sse"].compact.join("&")
          url.to_s
        end

        def key_header_value(key)
          key
        end

        def request_body(messages, model, settings, tools)
          contents = GeminiContents.new(messages, provider: name)
          {systemInstruction: contents.system, contents: contents.to_a, **tool_fields(settings, tools),
           generationConfig: generation_config(model, settings)}
        end

        def generation_config(model, settings)
          config = CONFIG.to_h { |setting, field| [field, settings[setting]] }
          config[:stopSequences] = Array(settings[:stop]) if settings[:stop]
          config.update(format_of(settings[:response_format]))
          config[:thinkingConfig] = thinking(model, settings[:reasoning_effort]) if settings[:reasoning_effort]
          config.compact.then { |fields| fields unless fields.empty? }
        end

        # @param format [Hash, nil] OpenAI's `response_format`
        def format_of(format)
          format = Hash(format).transform_keys(&:to_sym)
          case format[:type].to_s
          when "json_object" then {responseMimeType: "application/json"}
          when "json_schema"
            schema = Hash(format[:json_schema]).transform_keys(&:to_sym)[:schema]
            {responseMimeType: "application/json", responseJsonSchema: schema}
          else {}
          end
        end

        def thinking(model, effort)
          effort = effort.to_s
          amount = if BUDGET_MODELS.match?(model)
            {thinkingBudget: BUDGETS.fetch(effort) { raise unknown_effort(effort, model) }}
          else
            {thinkingLevel: LEVELS.fetch(effort, effort.upcase)}
          end
          (effort == "none") ? amount : amount.merge(includeThoughts: true)
        end

        def unknown_effort(effort, model)
          Errors::InvalidRequestError.new("#{name} (#{model}): reasoning_effort must be one of " \
                                          "#{BUDGETS.keys.join(", ")}, not #{effort.inspect}",
            provider: name, model: model)
        end

        def tool_fields(settings, tools)
          return {} if tools.empty?

          {tools: [{functionDeclarations: tools.map { |tool| declaration(tool[:function]) }}],
           toolConfig: tool_config(settings[:tool_choice])}
        end

        # Without parameters the schema is left out, as the reference says.
        def declaration(function)
          schema = function[:parameters]
          schema = nil if schema && (schema[:properties] || schema["properties"] || {}).empty?
          {name: function[:name], description: function[:description], parametersJsonSchema: schema}.compact
        end

        # @param choice [String, Hash, nil] OpenAI's `tool_choice`, or a tool's name
        def tool_config(choice)
          return if choice.nil?

          choice = choice.dig(:function, :name) || choice.dig("function", "name") if choice.is_a?(Hash)
          mode = MODES[choice.to_s]
          {functionCallingConfig: mode ? {mode: mode} : {mode: "ANY", allowedFunctionNames: [choice.to_s]}}
        end
      end
    end
  end
end
