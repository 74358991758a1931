# frozen_string_literal: true

module RAAF
  module Streaming
    # Why an answer ended, in one vocabulary for all providers.
    module FinishReason
      # The provider's word => ours. Ours are OpenAI's: "stop", "length", "tool_calls", "content_filter", and "error".
      # Sources: OpenAI chat (`finish_reason`) and Responses (`incomplete_details.reason`), Anthropic (`stop_reason`),
      # Gemini (`finishReason`), Ollama (`done_reason`), Cohere (`finish_reason`, in capitals).
      WORDS = {
        "stop" => "stop", "completed" => "stop", "end_turn" => "stop", "stop_sequence" => "stop",
        "pause_turn" => "stop", "eos" => "stop", "complete" => "stop",
        "length" => "length", "max_tokens" => "length", "max_output_tokens" => "length",
        "model_context_window_exceeded" => "length",
        "tool_calls" => "tool_calls", "function_call" => "tool_calls", "tool_use" => "tool_calls",
        "tool_call" => "tool_calls",
        "content_filter" => "content_filter", "refusal" => "content_filter", "safety" => "content_filter",
        "recitation" => "content_filter", "blocklist" => "content_filter", "prohibited_content" => "content_filter",
        "spii" => "content_filter", "image_safety" => "content_filter", "image_recitation" => "content_filter",
        "image_prohibited_content" => "content_filter",
        "malformed_function_call" => "error", "unexpected_tool_call" => "error", "too_many_tool_calls" => "error",
        "missing_thought_signature" => "error", "malformed_response" => "error", "error" => "error"
      }.freeze

      # How the reason of an answer begins whose prompt was blocked. Source: Gemini (`promptFeedback.blockReason`).
      BLOCKED = "block_reason_"

      private_constant :BLOCKED

      # @param word [String, nil] the provider's word, in any case
      # @param tool_calls [Boolean] whether the answer calls tools: some providers (Gemini, Ollama) say "stop" then too
      # @return [String, nil] "stop", "length", "tool_calls", "content_filter" or "error"; a word that is not known
      #   comes back as it is; nil for nil and ""
      def self.normalize(word, tool_calls: false)
        key = word.to_s.downcase
        return "content_filter" if key.start_with?(BLOCKED)

        reason = WORDS.fetch(key) { word unless key.empty? }
        (tool_calls && reason == "stop") ? "tool_calls" : reason
      end
    end
  end
end
