# frozen_string_literal: true

require_relative "../errors"
require_relative "core_bridge"
require_relative "providers/openai_chat"

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
      # ours: the names of our classes in {Providers}, of which the first that exists is taken, after one that has the
      # name of theirs (Groq for GroqProvider). base: a callable that finds the address. path: the end of an address
      # that theirs leaves to the request, and ours perhaps does not. key: false where none is needed. headers: a
      # callable, for what else it sends.
      Mapping = Struct.new(:ours, :base, :path, :key, :headers, keyword_init: true) do
        # @implements Mapping
        def initialize(ours:, base: BASE, key: true, **more)
          super
        end
      end

      # @param provider [Object]
      # @param path [Array<Symbol>] instance variables, each one's of the object before
      # @return [Object, nil]
      def self.dig(provider, *path)
        path.reduce(provider) { |object, name| object&.instance_variable_get(name) }
      end

      BASE = ->(provider) { dig(provider, :@api_base) }
      CHAT = Mapping.new(ours: %i[OpenAIChat]).freeze

      # Every one of theirs that has a counterpart, and through OpenAICompatibleProvider those that inherit from it:
      # DeepSeek, Qwen, GLM, MiMo, Scaleway, OVH, Nebius. CohereProvider has none.
      # Source: raaf-ai/raaf, core/lib/raaf/models and providers/lib/raaf.
      MAPPINGS = {
        "OpenAIProvider" => CHAT,
        "ResponsesProvider" => Mapping.new(ours: %i[OpenAIResponses OpenAIChat]),
        "OpenAICompatibleProvider" => CHAT,
        "GroqProvider" => CHAT,
        "HuggingFaceProvider" => CHAT,
        "MoonshotProvider" => CHAT,
        "TogetherProvider" => CHAT,
        "XAIProvider" => CHAT,
        "OpenRouterProvider" => Mapping.new(ours: %i[OpenAIChat], headers: lambda do |provider|
          {"HTTP-Referer" => dig(provider, :@site_url), "X-Title" => dig(provider, :@site_name)}
        end),
        "PerplexityProvider" => Mapping.new(
          ours: %i[OpenAIChat], base: ->(provider) { dig(provider, :@http_client, :@api_base) }
        ),
        "LitellmProvider" => Mapping.new(
          ours: %i[OpenAIChat], base: ->(provider) { "#{dig(provider, :@base_url)}/v1" }, key: false
        ),
        "AnthropicProvider" => Mapping.new(ours: %i[Anthropic], path: "/v1"),
        "GeminiProvider" => Mapping.new(ours: %i[Gemini], path: "/v1beta"),
        "OllamaProvider" => Mapping.new(
          ours: %i[Ollama], base: ->(provider) { dig(provider, :@host) }, path: "/api", key: false
        )
      }.freeze

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
        names = streams_as_theirs?(provider) ? names_of(provider) : []
        mapping = MAPPINGS[names.last]
        our_class = our_class(names, mapping) if mapping
        return convert(provider, mapping, our_class) if our_class
        return provider unless provider.respond_to?(:stream_completion)

        CoreBridge.new(provider, name: short_name(provider))
      end

      def streams_as_theirs?(provider)
        methods = STREAMING.select { |name| provider.respond_to?(name, true) }
        methods.all? { |name| provider.method(name).owner.name.to_s.start_with?(THEIRS) }
      end

      # @return [Array<String>] its classes among theirs, up to the one that has a counterpart
      def names_of(provider)
        names = provider.class.ancestors.filter_map { |ancestor| ancestor.name if ancestor.name&.start_with?(THEIRS) }
        names = names.map { |name| name.delete_prefix(THEIRS) }
        last = names.index { |name| MAPPINGS.key?(name) }
        last ? names[0..last].to_a : []
      end

      # Looked up at each run, so that the order of loading does not matter.
      def our_class(names, mapping)
        known = names.map { |name| name.delete_suffix("Provider") } + mapping.ours
        name = known.find { |one| Providers.const_defined?(one, false) }
        Providers.const_get(name, false) if name
      end

      def convert(provider, mapping, our_class)
        key = provider.instance_variable_get(:@api_key)
        base = mapping.base.call(provider)
        # Without them ours would take its own from the environment, and one of the two is another's.
        raise not_set_up(provider) if base.to_s.empty? || (mapping.key && key.to_s.empty?)

        name = short_name(provider)
        headers = mapping.headers ? mapping.headers.call(provider).compact : {}
        our_class.new(api_key: key, base_url: address(base.to_s, mapping, our_class), name: name,
          headers: headers.merge(unsent(name, key, our_class)))
      end

      def address(base, mapping, our_class)
        ending = mapping.path.to_s
        return base if base.end_with?(ending) || !our_class::DEFAULT_BASE_URL.to_s.end_with?(ending)

        base.chomp("/") + ending
      end

      # What ours would take from the environment: a header that is nil is not sent.
      def unsent(name, key, our_class)
        others = (name == "openai") ? {} : {"OpenAI-Organization" => nil, "OpenAI-Project" => nil}
        key.to_s.empty? ? others.merge(our_class::KEY_HEADER => nil) : others
      end

      # "openai" for its two; else the class's name: GroqProvider is "groq".
      def short_name(provider)
        name = provider.class.name.to_s.split("::").last.to_s.delete_suffix("Provider").downcase
        return "provider" if name.empty?

        (name == "responses") ? "openai" : name
      end

      def not_set_up(provider)
        Errors::ConfigurationError.new(
          "#{provider.class} has no api_key or no address that can be read; give it both, or use a provider of " \
          "RAAF::Streaming::Providers", provider: short_name(provider)
        )
      end

      private_class_method :streams_as_theirs?, :names_of, :our_class, :convert, :address, :unsent, :short_name,
        :not_set_up
    end
  end
end
