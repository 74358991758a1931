# frozen_string_literal: true

require_relative "../errors"

module RAAF
  module Streaming
    # The last sentence of an error's message: what to do next.
    #
    # @api private
    module ErrorAdvice
      # The environment variable that each provider's own clients read its key from.
      KEY_NAMES = {
        "openai" => "OPENAI_API_KEY",
        "anthropic" => "ANTHROPIC_API_KEY",
        "groq" => "GROQ_API_KEY",
        "gemini" => "GEMINI_API_KEY",
        "mistral" => "MISTRAL_API_KEY",
        "openrouter" => "OPENROUTER_API_KEY",
        "deepseek" => "DEEPSEEK_API_KEY",
        "xai" => "XAI_API_KEY",
        "perplexity" => "PERPLEXITY_API_KEY",
        "together" => "TOGETHER_API_KEY",
        "azure" => "AZURE_OPENAI_API_KEY"
      }.freeze

      # For outcomes that are about this side or the way to the provider.
      OUTCOMES = {
        truncated: "The answer may lack its end: ask again.",
        resolve_failed: "Check the host in base_url and the name server.",
        connect_failed: "Check base_url, the proxy and the firewall.",
        tls_failed: "Check the certificate and ca_file; verification is never switched off.",
        connection_lost: "Try again.",
        connect_timeout: "Check the network, or raise connection_timeout.",
        first_token_timeout: "Try again, or raise first_token_timeout.",
        idle_timeout: "Try again, or raise idle_timeout.",
        total_timeout: "Raise stream_timeout, or ask for a shorter answer.",
        queue_timeout: "Try again, raise max_concurrent_streams, or raise stream_queue_timeout.",
        user_queue_timeout: "Try again when another of the user's streams has ended, raise " \
                            "max_concurrent_streams_per_user, or raise stream_queue_timeout.",
        shutdown: "Run it again in another process.",
        not_event_stream: "Check base_url: this address does not stream.",
        invalid_json: "Set malformed_events to :skip to go on after such events.",
        invalid_event: "Set malformed_events to :skip to go on after such events.",
        whole_message: "Check base_url and the model: this server does not stream.",
        line_too_long: "Raise max_line_bytes if such lines are expected.",
        event_too_large: "Raise max_event_bytes if such events are expected.",
        text_too_large: "Raise max_text_bytes, or set retain_text to false."
      }.freeze

      # For statuses that need more than their class's advice.
      STATUSES = {
        402 => "Add credit to the account.",
        413 => "Send less.",
        421 => "Check base_url."
      }.freeze

      module_function

      # @param error_class [Class]
      # @param code [Symbol] the outcome's code
      # @param status [Integer, nil]
      # @param provider [String, nil]
      # @param model [String, nil]
      # @param retry_after [Numeric, nil] seconds
      # @param quota [Boolean] whether a quota is used up
      # @return [String, nil] one sentence
      def for(error_class, code:, status: nil, provider: nil, model: nil, retry_after: nil, quota: false)
        return OUTCOMES[code] unless %i[http_status provider_error].include?(code)
        return "Add credit to the account, or raise its limits; waiting does not help." if quota
        return STATUSES[status] if STATUSES.key?(status)
        return "Redirects are not followed; set base_url to the final address." if (300..399).cover?(status)

        by_class(error_class, provider: provider, model: model, retry_after: retry_after)
      end

      # @api private
      def by_class(error_class, provider:, model:, retry_after:)
        case error_class.name.split("::").last
        when "AuthenticationError" then "#{key_advice(provider)}."
        when "PermissionError" then "Check what the key, the project and the organization may use."
        when "NotFoundError" then "#{model_advice(model)}, or base_url is wrong."
        when "ContextLengthError" then "Shorten the conversation, or choose a model with a larger context window."
        when "RateLimitError", "OverloadedError", "ServerError" then again(retry_after)
        end
      end

      # @api private
      def key_advice(provider)
        name = KEY_NAMES[provider]
        name ? "Set #{name}, or give api_key: to the provider" : "Check the API key given to the provider"
      end

      # @api private
      def model_advice(model)
        model ? "The model #{model} does not exist or is not open to this account" : "The model does not exist"
      end

      # @api private
      def again(retry_after)
        retry_after ? "Retry after #{retry_after} s." : "Retry later."
      end

      private_class_method :by_class, :key_advice, :model_advice, :again
    end
  end
end
