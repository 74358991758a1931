# frozen_string_literal: true

require "active_support/log_subscriber"

module RAAF
  module Streaming
    # Writes one line a stream into Rails' log: how it ended, how long until the first token, how many tokens, how long
    # in all. No word of the conversation, and no key.
    #
    #     Stream 9b2f… gpt-4o (openai) complete: first token 412 ms, 19 + 42 tokens, 2310 ms
    #
    # Another attempt has a line, as has a circuit breaker that opens (a warning) or closes. Tools stand in it at the
    # level debug.
    class LogSubscriber < ActiveSupport::LogSubscriber
      # @param event [ActiveSupport::Notifications::Event] stream.raaf
      # @return [void]
      def stream(event)
        info { "  Stream #{who(event.payload)} #{ending(event.payload)}: #{figures(event.payload)}" }
      end

      # @param event [ActiveSupport::Notifications::Event] tool_call.raaf
      # @return [void]
      def tool_call(event)
        payload = event.payload
        debug { "  Tool #{payload[:tool_name]} #{ending(payload)}: #{milliseconds(payload[:duration])}" }
      end

      # @param event [ActiveSupport::Notifications::Event] retry.raaf
      # @return [void]
      def retry(event)
        payload = event.payload
        info do
          "  Stream #{payload[:stream_id]} #{attempt(payload)} in #{milliseconds(payload[:delay])}: " \
            "#{payload[:reason]} of #{payload[:model]} (#{payload[:provider]})"
        end
      end

      # @param event [ActiveSupport::Notifications::Event] circuit.raaf
      # @return [void]
      def circuit(event)
        payload = event.payload
        line = "  Circuit breaker #{[payload[:name], payload[:from]].compact.join(" ")} -> #{payload[:to]} " \
               "(#{payload[:reason]})"
        (payload[:to] == :open) ? warn { line } : info { line }
      end

      # @return [#info, #debug, #warn]
      def logger
        Streaming.logger
      end

      private

      def who(payload)
        "#{payload[:stream_id]} #{payload[:model]} (#{payload[:provider]})"
      end

      def attempt(payload)
        how = {continue: "goes on by another attempt", reset: "begins anew"}.fetch(payload[:mode], "is asked again")
        same = payload.values_at(:provider, :model) == payload.values_at(:next_provider, :next_model)
        same ? how : "#{how} with #{payload[:next_model]} (#{payload[:next_provider]})"
      end

      def ending(payload)
        payload[:error] ? "#{payload[:status]} (#{payload[:error]})" : payload[:status]
      end

      def figures(payload)
        first = payload[:first_token]
        usage = payload[:usage]
        [first ? "first token #{milliseconds(first)}" : "no first token",
          ("#{usage[:prompt_tokens]} + #{usage[:completion_tokens]} tokens" if usage&.any?),
          milliseconds(payload[:duration])].compact.join(", ")
      end

      def milliseconds(seconds)
        seconds ? "#{(seconds * 1000).round} ms" : "not begun"
      end
    end
  end
end
