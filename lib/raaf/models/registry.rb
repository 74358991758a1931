# frozen_string_literal: true

require_relative "../errors"
require_relative "../streaming/core_providers"
require_relative "../streaming/providers/anthropic"
require_relative "../streaming/providers/gemini"
require_relative "../streaming/providers/ollama"
require_relative "../streaming/providers/openai_chat"

module RAAF
  # Which provider answers for which model.
  module Models
    # Names of OpenAI's models. Source: OpenAI's list of models.
    OPENAI_MODELS = /\A(?:gpt-|o\d|chatgpt-)/

    # Names of Anthropic's models. Source: Anthropic's list of models.
    CLAUDE_MODELS = /\Aclaude-/

    # Names of what the Gemini API serves. Source: Google's list of models.
    GEMINI_MODELS = /\A(?:gemini|gemma)-/

    # Ollama serves models of any name; the prefix says that it is meant.
    OLLAMA_MODELS = %r{\Aollama/}

    # Patterns and what makes a provider for them; the first that matches counts. A frozen value that is replaced.
    @registry = [[OPENAI_MODELS, -> { openai_class.new }],
      [CLAUDE_MODELS, -> { Streaming::Providers::Anthropic.new }],
      [GEMINI_MODELS, -> { Streaming::Providers::Gemini.new }],
      [OLLAMA_MODELS, -> { Streaming::Providers::Ollama.new }]].freeze
    @registry_lock = Mutex.new

    class << self
      # The provider that a model's name stands for, set up from the environment.
      #
      # @param model [#to_s] such as "gpt-4o"
      # @return [Provider] a new one
      # @raise [Errors::ConfigurationError] for a name nobody knows, unless OPENAI_BASE_URL names a server of its own
      def for_model(model)
        found = @registry.find { |pattern, _| pattern.match?(model.to_s) }
        return found.last.call if found
        return openai_class.new unless ENV["OPENAI_BASE_URL"].to_s.empty?

        raise unknown_model(model)
      end

      # Teaches {for_model} further names. The latest registration is asked first.
      #
      # @param pattern [Regexp] what the names look like
      # @yieldreturn [#build_request] a provider
      # @return [void]
      def register(pattern, &factory)
        raise ArgumentError, "register needs a block that makes the provider" unless factory

        @registry_lock.synchronize { @registry = [[pattern, factory], *@registry].freeze }
      end

      # A provider that can stream: the one given, or, made from one of raaf-core's that speaks chat completions, one
      # with the same key and address.
      #
      # @param provider [Object]
      # @return [Object] responds to build_request, unless it is something of the application's own
      # @raise [Errors::ConfigurationError] for a provider of raaf-core that speaks another dialect
      def adapt(provider)
        return provider if provider.respond_to?(:build_request) || !Streaming::CoreProviders.include?(provider)

        Streaming::CoreProviders.convert(provider)
      end

      private

      # raaf-core's OpenAIProvider cannot stream this way; where that is loaded, ours goes by its own name.
      def openai_class
        ours = const_defined?(:OpenAIProvider, false) && OpenAIProvider <= Streaming::Providers::OpenAIChat
        ours ? OpenAIProvider : Streaming::Providers::OpenAIChat
      end

      def unknown_model(model)
        Errors::ConfigurationError.new(
          "no provider is known for the model #{model.to_s.inspect}: give provider: to the agent or the runner, set " \
          "RAAF.provider, or set OPENAI_BASE_URL to a server that speaks OpenAI's chat completions", model: model
        )
      end
    end
  end
end
