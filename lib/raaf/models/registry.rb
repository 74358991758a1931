# frozen_string_literal: true

require_relative "../errors"
require_relative "../streaming/core_providers"
require_relative "../streaming/providers"

module RAAF
  # Which provider answers for which model.
  #
  # A model is named as its provider names it ("gpt-4o", "claude-sonnet-4-5"), or with the provider before it
  # ("groq/llama-3.3-70b-versatile", "openrouter/anthropic/claude-sonnet-4.5"). What stands before the first slash is
  # not sent. Where a provider is given, by whatever way, names go to it as they are.
  module Models
    # Names of OpenAI's models. Source: OpenAI's list of models.
    OPENAI_MODELS = /\A(?:gpt-|o\d|chatgpt-)/

    # How the names of models begin, and whose they are: a class below {Streaming::Providers}. Sources: the providers'
    # lists of models.
    NAMES = {
      OPENAI_MODELS => :OpenAIChat,
      /\Aclaude-/ => :Anthropic,
      /\A(?:gemini|gemma)-/ => :Gemini,
      /\Agrok-/ => :XAI,
      /\Adeepseek-/ => :DeepSeek,
      /\A(?:mistral|ministral|magistral|codestral|devstral|pixtral)-/ => :Mistral,
      /\Asonar(?:-|\z)/ => :Perplexity
    }.freeze

    # What can stand before the first slash of a model's name.
    PREFIXES = {
      "openai" => :OpenAIChat, "responses" => :OpenAIResponses, "azure" => :AzureOpenAI, "anthropic" => :Anthropic,
      "gemini" => :Gemini, "groq" => :Groq, "openrouter" => :OpenRouter, "deepseek" => :DeepSeek,
      "mistral" => :Mistral, "xai" => :XAI, "perplexity" => :Perplexity, "together" => :Together, "ollama" => :Ollama
    }.freeze

    # Classes below {Streaming::Providers} that have another name here than their own with "Provider" behind it.
    OTHER_NAMES = {OpenAIChat: :OpenAIProvider, OpenAIResponses: :ResponsesProvider}.freeze

    private_constant :OTHER_NAMES

    # Patterns and what makes a provider for them, as registered; the first that matches counts. A frozen value that is
    # replaced.
    @registry = [].freeze
    @registry_lock = Mutex.new

    class << self
      # The provider that a model's name stands for, set up from the environment.
      #
      # @param model [#to_s] such as "gpt-4o" or "groq/llama-3.3-70b-versatile"
      # @return [Provider] a new one
      # @raise [Errors::ConfigurationError] for a name nobody knows, unless OPENAI_BASE_URL names a server of its own
      def for_model(model)
        registered = registered_for(model)
        return registered.call if registered

        known = class_for(model.to_s)
        return known.new if known
        return provider_class(:OpenAIChat).new unless ENV["OPENAI_BASE_URL"].to_s.empty?

        raise unknown_model(model)
      end

      # The name by which the provider that {for_model} gives knows the model.
      #
      # @param model [#to_s] such as "openrouter/anthropic/claude-sonnet-4.5"
      # @return [String] such as "anthropic/claude-sonnet-4.5"
      def model_name(model)
        prefix, slash, name = model.to_s.partition("/")
        (!slash.empty? && PREFIXES.key?(prefix) && !registered_for(model)) ? name : model.to_s
      end

      # Teaches {for_model} further names. The latest registration is asked first, and before what is known already;
      # names go to its provider as they are.
      #
      # @param pattern [Regexp] what the names look like
      # @yieldreturn [#build_request] a provider
      # @return [void]
      def register(pattern, &factory)
        raise ArgumentError, "register needs a block that makes the provider" unless factory
        raise ArgumentError, "register needs a Regexp, not #{pattern.inspect}" unless pattern.is_a?(Regexp)

        @registry_lock.synchronize { @registry = [[pattern, factory], *@registry].freeze }
      end

      # A provider that can stream: the one given; or, for one of raaf-core's, ours of the same dialect with its key
      # and address; or, for any other with raaf-core's `stream_completion(messages:, model:, tools: nil) { |hash| }`,
      # one that calls it.
      #
      # @param provider [Object]
      # @return [Object] responds to build_request, unless it is something else altogether
      # @raise [Errors::ConfigurationError] for a provider of raaf-core whose key or address is not known
      def adapt(provider)
        provider.respond_to?(:build_request) ? provider : Streaming::CoreProviders.adapt(provider)
      end

      private

      def registered_for(model)
        @registry.find { |pattern, _| pattern.match?(model.to_s) }&.last
      end

      def class_for(model)
        prefix, slash, _ = model.partition("/")
        found = slash.empty? ? NAMES.find { |pattern, _| pattern.match?(model) }&.last : PREFIXES[prefix]
        found && provider_class(found)
      end

      # raaf-core's providers cannot stream this way; where they are loaded, ours go by their own names.
      def provider_class(name)
        return unless Streaming::Providers.const_defined?(name, false)

        own = Streaming::Providers.const_get(name, false)
        here = OTHER_NAMES.fetch(name) { :"#{name}Provider" }
        here = const_defined?(here, false) && const_get(here, false)
        (here.is_a?(Class) && here <= own) ? here : own
      end

      def unknown_model(model)
        Errors::ConfigurationError.new(
          "no provider is known for the model #{model.to_s.inspect}: give provider: to the agent or the runner, set " \
          "RAAF.provider, put the provider before it (#{PREFIXES.keys.join("/, ")}/), or set OPENAI_BASE_URL to a " \
          "server that speaks OpenAI's chat completions", model: model
        )
      end
    end
  end
end
