# frozen_string_literal: true

require "json"
require_relative "../models/provider"

module RAAF
  module Streaming
    # Asks OpenAI, or any server that speaks OpenAI's chat completions, such as a gateway, vLLM or Ollama.
    #
    # This class has a name of its own, and {RAAF::Models::OpenAIProvider} is made from it, because raaf-core has a
    # class of that name which cannot stream this way.
    #
    # What is not given is read from the environment at each request, under the names of OpenAI's official clients:
    # OPENAI_API_KEY, OPENAI_BASE_URL, OPENAI_ORG_ID, OPENAI_PROJECT_ID.
    # Source: openai-ruby, lib/openai/client.rb.
    class OpenAIChatProvider < Models::Provider
      # Where OpenAI answers. Source: OpenAI's API reference.
      DEFAULT_BASE_URL = "https://api.openai.com/v1"

      # Models that take `max_completion_tokens` and refuse `max_tokens`: the o series and GPT-5. A prefix such as
      # "openai/" may stand before. Source: OpenAI's API reference, chat completions, `max_tokens`.
      COMPLETION_TOKENS_MODELS = %r{(?:\A|/)(?:o\d|gpt-5)}

      # What is neither JSON of the body nor sent as it is.
      OWN_SETTINGS = %i[extra_body extra_headers max_tokens tool_choice].freeze

      # Sent without tools, they are an error. Source: OpenAI's answer "only allowed when 'tools' are specified".
      TOOL_SETTINGS = %i[tool_choice parallel_tool_calls].freeze

      # The words of `tool_choice` that are not a tool's name.
      TOOL_CHOICES = %w[none auto required].freeze

      # Headers whose values are not for anybody's eyes.
      SECRET_HEADERS = /authorization|key|token|secret|cookie|password/i

      private_constant :SECRET_HEADERS, :OWN_SETTINGS, :TOOL_SETTINGS, :TOOL_CHOICES

      # @return [String] "openai", or what was given
      attr_reader :name

      # @param api_key [String, nil] nil: OPENAI_API_KEY
      # @param base_url [String, nil] http or https, with or without a slash at its end; nil: OPENAI_BASE_URL, else
      #   {DEFAULT_BASE_URL}
      # @param organization [String, nil] nil: OPENAI_ORG_ID
      # @param project [String, nil] nil: OPENAI_PROJECT_ID
      # @param headers [Hash{String=>String}] further headers of every request; they override, nil removes
      # @param extra_body [Hash] further fields of every request's body; they override, nil removes
      # @param name [String] for messages and metrics, where the server is not OpenAI
      # @raise [ArgumentError] for a line break or NUL in the key or in a header
      # @raise [Errors::ConfigurationError] for an invalid base_url
      def initialize(api_key: nil, base_url: nil, organization: nil, project: nil, headers: {}, extra_body: {},
        name: "openai")
        super()
        @name = name.to_s
        @api_key = api_key
        @base_url = base_url && check_base_url(base_url)
        @organization = organization
        @project = project
        @headers = headers.to_h.freeze
        @extra_body = extra_body.to_h.freeze
        Secrets.check_key!(api_key)
        check_headers(@headers)
      end

      # @return [Symbol] :openai_chat
      def dialect
        :openai_chat
      end

      # @return [String] where requests go
      # @raise [Errors::ConfigurationError] for an invalid OPENAI_BASE_URL
      def base_url
        @base_url || check_base_url(from_environment("OPENAI_BASE_URL") || DEFAULT_BASE_URL)
      end

      # (see Models::Provider#build_request)
      # @raise [ArgumentError] for a line break or NUL in the key or in a header
      # @raise [Errors::InvalidRequestError] for a conversation that cannot be written as JSON
      def build_request(messages:, model:, settings: {}, tools: [])
        headers = request_headers(settings[:extra_headers].to_h)
        {url: join_url(base_url, "/chat/completions"), headers: headers,
         body: generate(request_body(messages, model.to_s, settings, tools), model), dialect: dialect, provider: name,
         model: model.to_s, secrets: secrets_in(headers)}
      end

      # @return [String] the name and the address, never a key
      def inspect
        "#<#{self.class.name} #{name} base_url=#{(@base_url || "from the environment").inspect}>"
      end
      alias_method :to_s, :inspect

      private

      def api_key
        key = @api_key || from_environment("OPENAI_API_KEY")
        if key.to_s.empty?
          raise Errors::ConfigurationError.new("no API key for #{name}: set OPENAI_API_KEY, or give api_key: to the " \
                                               "provider", provider: name)
        end
        Secrets.check_key!(key, name: @api_key ? "api_key" : "OPENAI_API_KEY")
        key.to_s
      end

      # Whoever sets Authorization, if only to nil, authorizes in a way of their own: a gateway's header, a certificate.
      def request_headers(extra)
        given = override(override({}, @headers), extra)
        own = {"Content-Type" => "application/json", "Accept" => "text/event-stream", "User-Agent" => user_agent,
               "OpenAI-Organization" => @organization || from_environment("OPENAI_ORG_ID"),
               "OpenAI-Project" => @project || from_environment("OPENAI_PROJECT_ID")}
        own["Authorization"] = "Bearer #{api_key}" unless given.any? { |name, _| name.casecmp?("Authorization") }
        check_headers(override(own, given).compact.transform_values(&:to_s))
      end

      # The values of headers that authorize, and the key within them.
      def secrets_in(headers)
        values = headers.select { |header, _| SECRET_HEADERS.match?(header) }.values
        values.flat_map { |value| [value, value.split.last] }.compact.uniq
      end

      # Names of headers differ in case only by habit.
      def override(headers, more)
        more.reduce(headers) do |all, (header, value)|
          all.reject { |known, _| known.casecmp?(header.to_s) }.merge(header.to_s => value)
        end
      end

      def check_headers(headers)
        headers.each { |header, value| Secrets.check_header!(header, value) }
      end

      def request_body(messages, model, settings, tools)
        body = {model: model, messages: messages, stream: true, stream_options: {include_usage: true}}
        body.merge!(settings.except(*OWN_SETTINGS), token_limit(model, settings[:max_tokens]))
        if tools.any?
          body[:tools] = tools
          body[:tool_choice] = tool_choice(settings[:tool_choice])
        end
        body = body.except(*TOOL_SETTINGS) if tools.empty?
        [@extra_body, settings[:extra_body].to_h].each { |extra| body.merge!(extra.transform_keys(&:to_sym)) }
        body.merge(stream: true).compact
      end

      def token_limit(model, limit)
        {(COMPLETION_TOKENS_MODELS.match?(model) ? :max_completion_tokens : :max_tokens) => limit}
      end

      def tool_choice(choice)
        return choice if choice.nil? || choice.is_a?(Hash) || TOOL_CHOICES.include?(choice.to_s)

        {type: "function", function: {name: choice.to_s}}
      end

      def generate(body, model)
        JSON.generate(body)
      rescue JSON::GeneratorError, JSON::NestingError, EncodingError => e
        raise Errors::InvalidRequestError.new(
          "the request cannot be written as JSON: #{e.message[0, 200]}. Texts must be valid UTF-8 and numbers finite.",
          provider: name, model: model
        )
      end
    end
  end
end
