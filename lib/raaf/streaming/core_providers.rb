# frozen_string_literal: true

require_relative "../errors"
require_relative "core_bridge"
require_relative "openai_chat_provider"

module RAAF
  module Streaming
    # Makes a provider that streams out of one of raaf-core's or raaf-providers', whose own streaming loses events that
    # a read has cut in two: ours of the same dialect, with its key and address. One without a counterpart is driven by
    # its `stream_completion` (see {CoreBridge}).
    #
    # @api private
    module CoreProviders
      # Where one of theirs keeps what ours needs. Instance variables are the only place: it has no readers.
      #
      # ours: the names of our classes in RAAF::Streaming, of which the first that exists is taken. base: a callable
      # that finds the address. key: false where none is needed. headers: a callable, for what else it sends.
      Mapping = Struct.new(:ours, :base, :key, :headers, keyword_init: true)

      # @param provider [Object]
      # @param path [Array<Symbol>] instance variables, each one's of the object before
      # @return [Object, nil]
      def self.dig(provider, *path)
        path.reduce(provider) { |object, name| object&.instance_variable_get(name) }
      end

      BASE = ->(provider) { dig(provider, :@api_base) }
      CHAT = Mapping.new(ours: %i[OpenAIChatProvider], base: BASE, key: true).freeze

      # Every one of theirs that has a counterpart, and through OpenAICompatibleProvider those that inherit from it:
      # DeepSeek, Qwen, GLM, MiMo, Scaleway, OVH, Nebius. CohereProvider has none.
      # Source: raaf-ai/raaf, core/lib/raaf/models and providers/lib/raaf.
      MAPPINGS = {
        "OpenAIProvider" => CHAT,
        "ResponsesProvider" => Mapping.new(ours: %i[OpenAIResponsesProvider OpenAIChatProvider], base: BASE, key: true),
        "OpenAICompatibleProvider" => CHAT,
        "GroqProvider" => CHAT,
        "HuggingFaceProvider" => CHAT,
        "MoonshotProvider" => CHAT,
        "TogetherProvider" => CHAT,
        "XAIProvider" => CHAT,
        "OpenRouterProvider" => Mapping.new(
          ours: %i[OpenAIChatProvider], base: BASE, key: true,
          headers: lambda do |provider|
            {"HTTP-Referer" => dig(provider, :@site_url), "X-Title" => dig(provider, :@site_name)}
          end
        ),
        "PerplexityProvider" => Mapping.new(
          ours: %i[OpenAIChatProvider], base: ->(provider) { dig(provider, :@http_client, :@api_base) }, key: true
        ),
        "LitellmProvider" => Mapping.new(
          ours: %i[OpenAIChatProvider], base: ->(provider) { "#{dig(provider, :@base_url)}/v1" }, key: false
        ),
        "AnthropicProvider" => Mapping.new(ours: %i[AnthropicMessagesProvider], base: BASE, key: true),
        "GeminiProvider" => Mapping.new(ours: %i[GeminiGenerateProvider], base: BASE, key: true),
        "OllamaProvider" => Mapping.new(
          ours: %i[OllamaChatProvider], base: ->(provider) { dig(provider, :@host) }, key: false
        )
      }.transform_keys { |name| "RAAF::Models::#{name}" }.freeze

      # The namespace of theirs.
      THEIRS = "RAAF::Models::"

      # What streams, with them. Whoever overrides it in a class of its own does so for a reason.
      STREAMING = %i[stream_completion perform_stream_completion].freeze

      private_constant :Mapping, :BASE, :CHAT, :MAPPINGS, :THEIRS, :STREAMING
      private_class_method :dig

      module_function

      # @param provider [Object]
      # @return [Object] one that responds to build_request; the given one where nothing is known of it
      # @raise [Errors::ConfigurationError] for one of theirs whose key or address is not known
      def adapt(provider)
        mapping = mapping_of(provider)
        our_class = mapping && our_class(mapping)
        return convert(provider, mapping, our_class) if our_class
        return provider unless provider.respond_to?(:stream_completion)

        CoreBridge.new(provider, name: short_name(provider))
      end

      def mapping_of(provider)
        return unless streams_as_theirs?(provider)

        MAPPINGS[provider.class.ancestors.map(&:name).find { |name| MAPPINGS.key?(name) }]
      end

      def streams_as_theirs?(provider)
        methods = STREAMING.select { |name| provider.respond_to?(name, true) }
        methods.all? { |name| provider.method(name).owner.name.to_s.start_with?(THEIRS) }
      end

      def our_class(mapping)
        name = mapping.ours.find { |known| Streaming.const_defined?(known, false) }
        Streaming.const_get(name, false) if name
      end

      def convert(provider, mapping, our_class)
        key = provider.instance_variable_get(:@api_key)
        base = mapping.base.call(provider)
        # Without them ours would take its own from the environment, and one of the two is another's.
        raise not_set_up(provider) if base.to_s.empty? || (mapping.key && key.to_s.empty?)

        our_class.new(base_url: base, **key_of(mapping, our_class, key), **extras(provider, mapping, our_class, key))
      end

      def key_of(mapping, our_class, key)
        (mapping.key || takes?(our_class, :api_key)) ? {api_key: key} : {}
      end

      def extras(provider, mapping, our_class, key)
        name = short_name(provider)
        headers = mapping.headers ? mapping.headers.call(provider).compact : {}
        headers = headers.merge(unsent(name, key))
        {name: name, headers: headers}.select { |keyword, _| takes?(our_class, keyword) }
      end

      # What ours would take from the environment: a header that is nil is not sent.
      def unsent(name, key)
        others = (name == "openai") ? {} : {"OpenAI-Organization" => nil, "OpenAI-Project" => nil}
        key.to_s.empty? ? others.merge("Authorization" => nil) : others
      end

      def takes?(our_class, keyword)
        our_class.instance_method(:initialize).parameters.any? { |_, name| name == keyword }
      end

      # "openai" for its two; else the class's name: GroqProvider is "groq".
      def short_name(provider)
        name = provider.class.name.to_s.split("::").last.to_s.delete_suffix("Provider").downcase
        return "provider" if name.empty?

        (name == "responses") ? "openai" : name
      end

      def not_set_up(provider)
        Errors::ConfigurationError.new(
          "#{provider.class} has no api_key or no address that can be read; give it both, or use one of " \
          "RAAF::Streaming's own providers", provider: short_name(provider)
        )
      end

      private_class_method :mapping_of, :streams_as_theirs?, :our_class, :convert, :key_of, :extras, :unsent, :takes?,
        :short_name, :not_set_up
    end
  end
end
