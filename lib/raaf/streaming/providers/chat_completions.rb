# frozen_string_literal: true

require_relative "../../models/http_provider"
require_relative "../message_content"

module RAAF
  module Streaming
    module Providers
      # Asks a server that speaks OpenAI's chat completions: what the whole family has in common. What a server calls
      # by another name, refuses or wants back stands in a subclass's constants.
      #
      # In the next turn a server gets back what it sent for that: `extra_content` of tool calls and messages (the
      # thought signatures of Gemini's compatible server), and its reasoning where {#reasoning_field} says so.
      #
      # @abstract
      class ChatCompletions < Models::HTTPProvider
        # How the token counts are asked for, which many servers do not send of their own accord. Source: OpenAI's API
        # reference, chat completions, `stream_options`.
        USAGE_REQUEST = {stream_options: {include_usage: true}}.freeze

        # Settings that the server does not take. They are left out.
        LEFT_OUT = [].freeze

        # Settings that the server has another name for.
        RENAMED = {}.freeze

        # Roles that the server has another name for: most know no "developer", which is OpenAI's alone.
        ROLES = {"developer" => "system"}.freeze

        # The words of `tool_choice` that are not a tool's name, and the server's words for them.
        TOOL_CHOICES = {"none" => "none", "auto" => "auto", "required" => "required"}.freeze

        # Models that take `max_completion_tokens` and refuse `max_tokens`: the o series and GPT-5. A prefix such as
        # "openai/" may stand before. Source: OpenAI's API reference, chat completions, `max_tokens`.
        COMPLETION_TOKENS_MODELS = %r{(?:\A|/)(?:o\d|gpt-5)}

        # What is neither JSON of the body nor sent as it is.
        OWN_SETTINGS = %i[extra_body extra_headers max_tokens tool_choice].freeze

        # Sent without tools, they are an error. Source: OpenAI's answer "only allowed when 'tools' are specified".
        TOOL_SETTINGS = %i[tool_choice parallel_tool_calls].freeze

        # What a message has for us, and no server knows.
        OWN_MESSAGE_KEYS = %i[parts].freeze

        private_constant :OWN_SETTINGS, :TOOL_SETTINGS, :OWN_MESSAGE_KEYS

        # @return [Symbol] :openai_chat
        def dialect
          :openai_chat
        end

        # (see Models::HTTPProvider#build_request)
        def build_request(messages:, model:, settings: {}, tools: [])
          super.merge(reasoning_field: reasoning_field)
        end

        private

        # @return [Symbol, nil] the field of an assistant's message in which the server wants its reasoning back; nil:
        #   it does not
        def reasoning_field
          nil
        end

        def request_url(_model)
          join_url(base_url, "/chat/completions")
        end

        def request_body(messages, model, settings, tools)
          body = {model: model, messages: chat_messages(messages), stream: true, **self.class::USAGE_REQUEST}
          body.merge!(plain_settings(settings, model), token_limit(model, settings[:max_tokens]))
          return body.except(*TOOL_SETTINGS) if tools.empty?

          body.merge(tools: tools, tool_choice: tool_choice(settings[:tool_choice]))
        end

        def fixed_fields
          {stream: true}
        end

        # @param settings [Hash{Symbol=>Object}]
        # @param model [String]
        # @return [Hash{Symbol=>Object}] those that go into the body, under the server's names
        def plain_settings(settings, model)
          settings.except(*OWN_SETTINGS, *left_out(model))
            .transform_keys { |name| self.class::RENAMED.fetch(name, name) }
        end

        # @param _model [String]
        # @return [Array<Symbol>] settings that this model does not take
        def left_out(_model)
          self.class::LEFT_OUT
        end

        # @param messages [Array<Hash{Symbol=>Object}>]
        # @return [Array<Hash{Symbol=>Object}>] the conversation as the server takes it
        def chat_messages(messages)
          messages.map { |message| chat_message(message) }
        end

        # @param message [Hash{Symbol=>Object}]
        # @return [Hash{Symbol=>Object}] the message as the server takes it
        def chat_message(message)
          own = message.except(*OWN_MESSAGE_KEYS)
          role = self.class::ROLES[own[:role].to_s]
          own = own.merge(role: role) if role
          parts = MessageContent.provider_parts(message, name).map { |item| item[:part] }
          parts.empty? ? own : give_back(own, parts)
        end

        # @param message [Hash{Symbol=>Object}] the assistant's
        # @param parts [Array<Hash{Symbol=>Object}>] what the server itself put into that answer
        # @return [Hash{Symbol=>Object}] the message with what the server wants back
        def give_back(message, parts)
          extra, rest = parts.partition { |part| part.key?(:extra_content) && part[:tool_call_id] }
          wanted = [:extra_content, reasoning_field].compact
          own = rest.reduce({}) { |all, part| all.merge(part.slice(*wanted)) } #: Hash[Symbol, untyped]
          calls = message[:tool_calls]
          own[:tool_calls] = calls.map { |call| call.merge(extra_of(call, extra)) } if calls && extra.any?
          message.merge(own)
        end

        def extra_of(call, parts)
          found = parts.find { |part| part[:tool_call_id] == call[:id] }
          found ? found.slice(:extra_content) : {}
        end

        def token_limit(model, limit)
          field = self.class::COMPLETION_TOKENS_MODELS.match?(model) ? :max_completion_tokens : :max_tokens
          {field => limit}
        end

        def tool_choice(choice)
          return choice if choice.nil? || choice.is_a?(Hash)

          self.class::TOOL_CHOICES.fetch(choice.to_s) { {type: "function", function: {name: choice.to_s}} }
        end
      end
    end
  end
end
