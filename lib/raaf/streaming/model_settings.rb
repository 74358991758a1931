# frozen_string_literal: true

module RAAF
  module Streaming
    # Reads an agent's `model_settings`: raaf-core's ModelSettings, or a Hash.
    #
    # raaf-core's own `to_h` mixes extra_body into the rest and leaves extra_headers out, so its readers are asked.
    # Source: raaf-ai/raaf, core/lib/raaf/model_settings.rb.
    #
    # @api private
    module ModelSettings
      # Sent as they are, under their own names.
      PLAIN = %i[temperature top_p max_tokens stop tool_choice response_format parallel_tool_calls frequency_penalty
        presence_penalty seed reasoning_effort user extra_headers].freeze

      # Fields that only some servers know: they go into the body as they are.
      OTHERS = %i[top_k repetition_penalty min_p typical_p truncation metadata store].freeze

      # What is to be merged into the body.
      EXTRAS = %i[extra_args extra_body].freeze

      private_constant :PLAIN, :OTHERS, :EXTRAS

      module_function

      # @param settings [Object, Hash, nil]
      # @return [Hash{Symbol=>Object}] {AgentMethods::SETTINGS} that are set
      def read(settings)
        return {} if settings.nil?

        settings = settings.transform_keys(&:to_sym) if settings.is_a?(Hash)
        read = values(settings, PLAIN)
        read[:reasoning_effort] ||= effort(settings)
        read.merge(extra_body: body(settings)).compact
      end

      def values(settings, names)
        names.to_h { |name| [name, value(settings, name)] }.compact
      end

      def value(settings, name)
        return settings[name] if settings.is_a?(Hash)

        settings.public_send(name) if settings.respond_to?(name)
      end

      def effort(settings)
        reasoning = value(settings, :reasoning)
        reasoning.to_h.transform_keys(&:to_sym)[:effort] if reasoning.respond_to?(:to_h)
      end

      def body(settings)
        extras = EXTRAS.map { |name| value(settings, name).to_h.transform_keys(&:to_sym) }
        body = extras.reduce(values(settings, OTHERS), :merge)
        body unless body.empty?
      end

      private_class_method :values, :value, :effort, :body
    end
  end
end
