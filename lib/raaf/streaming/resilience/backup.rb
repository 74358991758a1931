# frozen_string_literal: true

require_relative "../../models/registry"

module RAAF
  module Streaming
    module Resilience
      # Who can be asked in another's place: a provider and a model of its own.
      #
      # @api private
      class Backup
        # Models of providers that were given without one. Sources: Anthropic's page "Models overview" and Groq's page
        # "Supported Models", 2026.
        MODELS = {"anthropic" => "claude-sonnet-5", "groq" => "openai/gpt-oss-120b"}.freeze

        # The guide's backup providers, and where their keys can stand in the environment.
        DEFAULTS = {Anthropic: %w[ANTHROPIC_API_KEY ANTHROPIC_AUTH_TOKEN], Groq: %w[GROQ_API_KEY]}.freeze

        class << self
          # @param given [Array<Object>, nil] providers, their classes, or pairs of one of these and a model; nil: the
          #   guide's, as far as there are keys for them
          # @param models [Hash{#to_s=>String}] models by the names of providers, for those that were given without
          # @return [Array<Backup>]
          # @raise [ArgumentError] for anything else
          def list(given, models = {})
            raise ArgumentError, "backup_models must be a Hash, not #{models.inspect}" unless models.is_a?(Hash)

            models = models.transform_keys(&:to_s)
            (given.nil? ? defaults : Array(given)).map { |one| of(one, models) }
          end

          private

          def of(given, models)
            provider, model = given.is_a?(Array) ? given : [given, nil]
            return new(provider, model, models) if usable?(provider) && (model.nil? || model.respond_to?(:to_str))

            # Never its inspect: it may hold a key.
            raise ArgumentError, "backup_providers takes providers, classes of providers, and pairs of these and a " \
                                 "model, not #{given.class}"
          end

          def usable?(provider)
            provider.is_a?(Class) || %i[build_request stream_completion].any? { |name| provider.respond_to?(name) }
          end

          def defaults
            DEFAULTS.select { |_, keys| keys.any? { |key| !ENV[key].to_s.empty? } }.keys
              .map { |name| Providers.const_get(name, false) }
          end
        end

        # @param given [Object] a provider, or its class
        # @param model [String, nil]
        # @param models [Hash{String=>String}] by the names of providers
        def initialize(given, model, models = {})
          @given = given
          @model = model
          @models = models
        end

        # @return [Object] responds to build_request; one that was given as a class is made when it is needed
        # @raise [Errors::ConfigurationError] where it cannot be set up
        def provider
          @made ||= @given.is_a?(Class) ? @given.new : @given
          Models.adapt(@made)
        end

        # @param other [String] the model that was asked before
        # @return [String] the one given, or the provider's; where none is known the other
        def model(other)
          (@model || @models[provider.name] || MODELS[provider.name] || other).to_s
        end

        # @return [String] short; no key
        def inspect
          "#<#{self.class.name} #{@given.is_a?(Class) ? @given : @given.class} model=#{@model.inspect}>"
        end
      end
    end
  end
end
