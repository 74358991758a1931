# frozen_string_literal: true

require_relative "provider"

module RAAF
  module Models
    # A provider that is asked over HTTP with a key: what all of them share. What is particular to one stands in a
    # subclass's constants and in the methods {#dialect}, `request_url` and `request_body`.
    #
    # What is not given is read from the environment at each request.
    #
    # @abstract
    # @example A server of the OpenAI family
    #   class MyProvider < RAAF::Streaming::Providers::ChatCompletions
    #     NAME = "mine"
    #     DEFAULT_BASE_URL = "https://models.example.com/v1"
    #     KEY_VARIABLES = %w[MINE_API_KEY].freeze
    #     BASE_URL_VARIABLES = %w[MINE_BASE_URL].freeze
    #   end
    #   RAAF::Models.register(/\Amine-/) { MyProvider.new }
    class HTTPProvider < Provider
      # A subclass's name in messages and metrics.
      NAME = "http"
      # Where it answers; nil: that must be given.
      DEFAULT_BASE_URL = nil
      # The environment variables that may hold its key; the first that is set counts.
      KEY_VARIABLES = [].freeze
      # The environment variables that may hold its address; the first that is set counts.
      BASE_URL_VARIABLES = [].freeze

      # What of a conversation and of an answer goes through: `:text`, `:reasoning` (as text), `:tools`, `:images`,
      # `:files`, `:structured_output`, `:citations`. README's table of providers shows it.
      CAPABILITIES = %i[text tools].freeze

      # The header that carries the key.
      KEY_HEADER = "Authorization"

      # Fields of the body, Hashes, that extra_body adds to; all other fields it replaces.
      MERGED_FIELDS = [].freeze

      # Headers whose values are not for anybody's eyes.
      SECRET_HEADERS = /authorization|key|token|secret|cookie|password/i

      private_constant :SECRET_HEADERS

      # @return [String] the subclass's, or what was given
      attr_reader :name

      # @param api_key [String, nil] nil: from the environment
      # @param base_url [String, nil] http or https, with or without a slash at its end; nil: from the environment, else
      #   the provider's own
      # @param headers [Hash{String=>String}] further headers of every request; they override, nil removes
      # @param extra_body [Hash] further fields of every request's body; they override, nil removes
      # @param name [String] for messages and metrics, where somebody else answers at that address
      # @raise [ArgumentError] for a line break or NUL in the key or in a header
      # @raise [Errors::ConfigurationError] for an invalid base_url
      def initialize(api_key: nil, base_url: nil, headers: {}, extra_body: {}, name: self.class::NAME)
        super()
        @name = name.to_s
        @api_key = api_key
        @base_url = base_url && check_base_url(base_url)
        @headers = headers.to_h.freeze
        @extra_body = extra_body.to_h.freeze
        Streaming::Secrets.check_key!(api_key)
        check_headers(@headers)
      end

      # @return [String] where requests go, without a slash at its end
      # @raise [Errors::ConfigurationError] for an invalid one in the environment, or where there is none
      def base_url
        @base_url || check_base_url(first_from_environment(self.class::BASE_URL_VARIABLES) || default_base_url)
      end

      # (see Provider#build_request)
      # @raise [ArgumentError] for a line break or NUL in the key or in a header
      # @raise [Errors::InvalidRequestError] for a conversation that cannot be written as JSON
      def build_request(messages:, model:, settings: {}, tools: [])
        headers = request_headers(settings[:extra_headers].to_h)
        body = add_extra(request_body(messages, model.to_s, settings, tools), settings[:extra_body].to_h)
        {url: request_url(model.to_s), headers: headers, body: generate(body, model), dialect: dialect, provider: name,
         model: model.to_s, secrets: secrets_in(headers)}
      end

      # @return [String] the name and the address, never a key
      def inspect
        "#<#{self.class.name} #{name} base_url=#{(@base_url || "from the environment").inspect}>"
      end
      alias_method :to_s, :inspect

      private

      # @param model [String]
      # @return [String] the address of one request
      def request_url(model)
        raise NotImplementedError, "#{self.class} must define request_url"
      end

      # @param messages [Array<Hash>] the conversation, the system message first where there is one
      # @param model [String]
      # @param settings [Hash{Symbol=>Object}]
      # @param tools [Array<Hash>] as OpenAI writes them
      # @return [Hash{Symbol=>Object}] the request's body; what is nil is left out
      def request_body(messages, model, settings, tools)
        raise NotImplementedError, "#{self.class} must define request_body"
      end

      # What stays as it is whatever extra_body says: a stream must stay one.
      #
      # @return [Hash{Symbol=>Object}]
      def fixed_fields
        {}
      end

      # @return [Hash{String=>String, nil}] headers besides the key's
      def own_headers
        {}
      end

      # @param key [String]
      # @return [String] the value of {KEY_HEADER}
      def key_header_value(key)
        "Bearer #{key}"
      end

      # @return [String, nil] nil only where a subclass does not insist on one
      def api_key
        key = @api_key || first_from_environment(self.class::KEY_VARIABLES)
        return missing_key if key.to_s.empty?

        Streaming::Secrets.check_key!(key, name: @api_key ? "api_key" : self.class::KEY_VARIABLES.join(" or "))
        key.to_s
      end

      def missing_key
        variables = self.class::KEY_VARIABLES.join(" or ")
        hint = variables.empty? ? "give" : "set #{variables}, or give"
        other = " (for a server that wants none, any word)" unless base_url == self.class::DEFAULT_BASE_URL
        raise Errors::ConfigurationError.new("no API key for #{name}: #{hint} api_key: to the provider#{other}",
          provider: name)
      end

      def default_base_url
        self.class::DEFAULT_BASE_URL or
          raise Errors::ConfigurationError.new("no address for #{name}: give base_url: to the provider", provider: name)
      end

      def first_from_environment(variables)
        variables.each do |variable|
          value = from_environment(variable)
          return value if value
        end
        nil
      end

      # Whoever sets the key's header, if only to nil, authorizes in a way of their own: a gateway's header, a
      # certificate.
      def request_headers(extra)
        given = override(override({}, @headers), extra)
        own = {"Content-Type" => "application/json", "Accept" => "text/event-stream", "User-Agent" => user_agent,
               **own_headers}
        own.update(key_headers) unless given.any? { |name, _| name.casecmp?(self.class::KEY_HEADER) }
        check_headers(override(own, given).compact.transform_values(&:to_s))
      end

      def key_headers
        key = api_key
        key ? {self.class::KEY_HEADER => key_header_value(key)} : {}
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
        headers.each { |header, value| Streaming::Secrets.check_header!(header, value) }
      end

      def add_extra(body, extra)
        [@extra_body, extra].reduce(body) { |all, more| add_fields(all, more.transform_keys(&:to_sym)) }
          .merge(fixed_fields).compact
      end

      def add_fields(body, more)
        body.merge(more) do |field, old, new|
          both = self.class::MERGED_FIELDS.include?(field) && old.is_a?(Hash) && new.is_a?(Hash)
          both ? old.merge(new.transform_keys(&:to_sym)).compact : new
        end
      end

      def generate(body, model)
        JSON.generate(body)
      rescue JSON::GeneratorError, JSON::NestingError, EncodingError => e
        raise Errors::InvalidRequestError.new(
          "the request cannot be written as JSON: #{e.message[0, 200]}. Texts must be valid UTF-8 and numbers finite.",
          provider: name, model: model.to_s
        )
      end
    end
  end
end
