# frozen_string_literal: true

require_relative "chat_completions"

module RAAF
  module Streaming
    module Providers
      # Asks DeepSeek.
      #
      # A model that thinks wants its reasoning back (`reasoning_content`) with every message of a conversation in which
      # tools were called, and refuses the conversation without it; otherwise it ignores it. So it is sent back always
      # (with the setting retain_text off it is not there to be sent). Thinking is switched by
      # `thinking: {type: "enabled"}` or "disabled" in extra_body.
      #
      # There is no response format with a schema: one is asked for as a JSON object, and the schema stands in a system
      # message, because DeepSeek wants to be told. Nothing there enforces it.
      #
      # Not taken: seed, parallel_tool_calls, files. While the model thinks it refuses a tool_choice other than "auto"
      # (which is the default and left out), and temperature, top_p and penalties have no effect.
      # Source: DeepSeek's API documentation: create-chat-completion, and the guides thinking_mode, json_mode and
      # tool_calls.
      class DeepSeek < ChatCompletions
        # In messages and metrics.
        NAME = "deepseek"
        # Source: DeepSeek's API documentation.
        DEFAULT_BASE_URL = "https://api.deepseek.com"
        # Source: the examples of DeepSeek's API documentation.
        KEY_VARIABLES = %w[DEEPSEEK_API_KEY].freeze
        # What goes through.
        CAPABILITIES = %i[text reasoning tools structured_output].freeze
        # Unknown to it.
        LEFT_OUT = %i[seed parallel_tool_calls].freeze
        # `user` is `user_id` here. Source: DeepSeek's page on rate limits and isolation.
        RENAMED = {user: :user_id}.freeze
        # "auto" is the default.
        TOOL_CHOICES = {"none" => "none", "auto" => nil, "required" => "required"}.freeze

        # What the system message says of a schema.
        SCHEMA = "Answer with one JSON object, and nothing else, that follows this JSON schema:\n%<schema>s"

        # Where a message has its reasoning.
        REASONING = :reasoning_content

        private_constant :SCHEMA, :REASONING

        private

        def reasoning_field
          REASONING
        end

        # Once a message has it, all later ones must.
        def chat_messages(messages)
          sent = super
          first = sent.index { |message| message.key?(REASONING) } or return sent
          sent.each_with_index.map do |message, place|
            (place > first && message[:role].to_s == "assistant") ? {REASONING => ""}.merge(message) : message
          end
        end

        def request_body(messages, model, settings, tools)
          schema = json_schema(settings[:response_format])
          return super unless schema

          told = [{role: "system", content: format(SCHEMA, schema: JSON.generate(schema))}, *messages]
          super(told, model, settings.merge(response_format: {type: "json_object"}), tools)
        end

        def json_schema(format)
          format = format.to_h.transform_keys(&:to_sym)
          return unless format[:type].to_s == "json_schema"

          description = format[:json_schema].to_h.transform_keys(&:to_sym)
          description[:schema] || {}
        end
      end
    end
  end
end
