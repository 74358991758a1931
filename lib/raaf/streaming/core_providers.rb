# frozen_string_literal: true

require_relative "../errors"
require_relative "providers/openai_chat"

module RAAF
  module Streaming
    # Makes a provider that streams out of one of raaf-core's or raaf-providers', which keep their key in `@api_key` and
    # their address in `@api_base`, and whose own streaming loses events that a read has cut in two.
    #
    # @api private
    module CoreProviders
      # Those that speak OpenAI's chat completions at `{api_base}/chat/completions`, and every subclass of
      # OpenAICompatibleProvider. Source: raaf-ai/raaf, core/lib/raaf/models and providers/lib/raaf.
      CHAT_COMPLETIONS = %w[OpenAIProvider ResponsesProvider GroqProvider HuggingFaceProvider MoonshotProvider
        OpenRouterProvider TogetherProvider XAIProvider OpenAICompatibleProvider].freeze

      # What all of theirs inherit from.
      INTERFACE = "RAAF::Models::ModelInterface"

      private_constant :CHAT_COMPLETIONS, :INTERFACE

      module_function

      # @param provider [Object]
      # @return [Boolean] whether it is one of theirs
      def include?(provider)
        ancestors_of(provider).include?(INTERFACE)
      end

      # @param provider [Object] one of theirs
      # @return [Providers::OpenAIChat] with the same key and address
      # @raise [Errors::ConfigurationError] for one that speaks another dialect, or whose key or address is not known
      def convert(provider)
        key, base = %i[@api_key @api_base].map { |variable| provider.instance_variable_get(variable) }
        raise unknown_dialect(provider) unless speaks_chat_completions?(provider)
        # Without them ours would take OpenAI's from the environment, and one of the two is another's.
        raise not_set_up(provider) unless key && base

        Providers::OpenAIChat.new(api_key: key, base_url: base, name: short_name(provider))
      end

      def ancestors_of(provider)
        provider.class.ancestors.map(&:name)
      end

      def speaks_chat_completions?(provider)
        known = CHAT_COMPLETIONS.map { |name| "RAAF::Models::#{name}" }
        (ancestors_of(provider) & known).any?
      end

      # "openai" for its two; else the class's name: GroqProvider is "groq".
      def short_name(provider)
        name = provider.class.name.to_s.split("::").last.to_s.delete_suffix("Provider").downcase
        (name == "responses") ? "openai" : name
      end

      def unknown_dialect(provider)
        Errors::ConfigurationError.new("#{provider.class} cannot stream in this version: give a provider that speaks " \
                                       "OpenAI's chat completions", provider: short_name(provider))
      end

      def not_set_up(provider)
        Errors::ConfigurationError.new(
          "#{provider.class} has no api_key or no api_base that can be read; give it both, or use " \
          "RAAF::Streaming::Providers::OpenAIChat", provider: short_name(provider)
        )
      end

      private_class_method :ancestors_of, :speaks_chat_completions?, :short_name, :unknown_dialect, :not_set_up
    end
  end
end
