# frozen_string_literal: true

require_relative "../errors"
require_relative "error_advice"
require_relative "error_body"
require_relative "error_classifier"
require_relative "secrets"

module RAAF
  module Streaming
    # Makes the exception for a stream that did not end well, out of what the native part reports.
    #
    # Which class it is, is {ErrorClassifier}'s to say where a provider reports something, else a table's. The message
    # says what happened, with which provider and model, in the provider's words, and what to do next ({ErrorAdvice}).
    #
    # The report is a Hash: `:code` (Symbol, how the stream ended), `:text` (one sentence about the code), `:detail`
    # (libcurl's or the parser's words), `:http_status`, `:headers` (names downcased), `:body` (of an error response),
    # `:retry_after_ms`, `:attempts`, and of an error inside a stream `:error_message`, `:error_type`, `:error_code`,
    # `:error_param`.
    class ErrorFactory
      # Where providers put the id of a request: OpenAI and most others, Anthropic, OpenRouter, Azure.
      REQUEST_ID_HEADERS = %w[x-request-id request-id x-generation-id apim-request-id].freeze

      # Class and own circumstances of the outcomes that are not about a provider's error.
      OUTCOMES = {
        truncated: [Errors::TruncatedStreamError],
        resolve_failed: [Errors::ConnectionError, {reason: :resolve}],
        connect_failed: [Errors::ConnectionError, {reason: :connect}],
        tls_failed: [Errors::ConnectionError, {reason: :tls}],
        connection_lost: [Errors::ConnectionError, {reason: :lost}],
        connect_timeout: [Errors::TimeoutError, {phase: :connect}],
        first_token_timeout: [Errors::TimeoutError, {phase: :first_token}],
        idle_timeout: [Errors::TimeoutError, {phase: :idle}],
        total_timeout: [Errors::TimeoutError, {phase: :total}],
        queue_timeout: [Errors::StreamLimitError, {limit: :max_concurrent_streams}],
        user_queue_timeout: [Errors::StreamLimitError, {limit: :max_concurrent_streams_per_user}],
        cancelled: [Errors::CancelledError, {reason: :cancelled}],
        shutdown: [Errors::CancelledError, {reason: :shutdown}],
        not_event_stream: [Errors::ProtocolError],
        invalid_json: [Errors::ProtocolError],
        invalid_event: [Errors::ProtocolError],
        whole_message: [Errors::ProtocolError],
        line_too_long: [Errors::ProtocolError],
        event_too_large: [Errors::ProtocolError],
        headers_too_large: [Errors::ProtocolError],
        body_too_large: [Errors::ProtocolError],
        too_deep: [Errors::ProtocolError],
        http_protocol: [Errors::ProtocolError],
        text_too_large: [Errors::StreamLimitError, {limit: :max_text_bytes}],
        invalid_request: [Errors::InvalidRequestError],
        scripted: [Errors::ProviderError]
      }.freeze

      # @param outcome [Hash{Symbol=>Object}] the native report
      # @param options [Hash] as for {#initialize}
      # @return [Errors::Error] not raised
      def self.build(outcome, **options)
        new(outcome, **options).build
      end

      # The provider's id of a request, out of the headers of a response.
      #
      # @param headers [Hash{String=>String}, nil] names downcased
      # @return [String, nil]
      def self.request_id(headers)
        headers&.values_at(*REQUEST_ID_HEADERS)&.find { |value| !value.to_s.empty? }
      end

      # @param outcome [Hash{Symbol=>Object}] the native report
      # @param provider [#to_s, nil] the provider's name
      # @param model [#to_s, nil]
      # @param secrets [Array<String>] keys to cut out of everything
      # @param partial_text [String, nil] the text delivered so far
      def initialize(outcome, provider: nil, model: nil, secrets: [], partial_text: nil)
        @outcome = outcome
        @provider = provider&.to_s
        @model = model&.to_s
        @secrets = Array(secrets)
        @partial_text = partial_text
      end

      # @return [Errors::Error] not raised
      # @raise [ArgumentError] for the report of a success
      def build
        raise ArgumentError, "a stream that ended well has no error" if code == :ok

        error_class, own = classify
        error_class.new(redact(message_for(error_class)), **details, **own)
      end

      private

      attr_reader :outcome, :provider, :model

      def code
        outcome[:code]
      end

      def status
        outcome[:http_status]
      end

      # @return [Array(Class, Hash)] the class, and circumstances that only this class has
      def classify
        case code
        when :http_status then [classifier.of_response(status), {}]
        when :provider_error then [classifier.of_report, {}]
        else
          error_class, own = OUTCOMES.fetch(code, [Errors::Error])
          [error_class, own || {}]
        end
      end

      def classifier
        ErrorClassifier.new(**report.slice(:code, :type, :message))
      end

      # What the provider said, wherever it said it.
      def report
        @report ||= %i[provider_error scripted].include?(code) ? report_in_stream : report_in_body
      end

      def report_in_stream
        {message: ErrorBody.quote(outcome[:error_message], &method(:redact)), type: filled(outcome[:error_type]),
         code: filled(outcome[:error_code]), param: filled(outcome[:error_param])}
      end

      def report_in_body
        body = ErrorBody.new(outcome[:body], &method(:redact))
        {message: body.message, type: body.type, code: body.code, param: body.param}
      end

      def filled(text)
        text unless text.to_s.empty?
      end

      def details
        {provider: provider, model: model, status: status,
         request_id: redact(self.class.request_id(outcome[:headers])),
         body: redact(filled(outcome[:body]) || filled(outcome[:error_json])),
         retry_after: retry_after, partial_text: @partial_text, code: redact(report[:code]),
         type: redact(report[:type]), param: redact(report[:param]), attempts: outcome[:attempts]}
      end

      # In seconds: an Integer where it is a whole number of them.
      def retry_after
        milliseconds = outcome[:retry_after_ms]
        return if milliseconds.nil? || milliseconds.negative?

        (milliseconds % 1000).zero? ? milliseconds / 1000 : milliseconds / 1000.0
      end

      def message_for(error_class)
        sentences = [what_happened(error_class), report[:message] || filled(outcome[:detail])].compact.uniq
        advice = ErrorAdvice.for(error_class, code: code, status: status, provider: provider, model: model,
          retry_after: retry_after, quota: quota_used_up?)
        "#{sentences.join(": ").sub(/[.\s]+\z/, "")}.#{" #{advice}" if advice}"
      end

      def what_happened(error_class)
        what = case code
        when :http_status then "#{error_class.default_message} (HTTP #{status})"
        when :provider_error then "#{error_class.default_message} (reported inside the stream)"
        when :scripted then nil
        else outcome[:text] || error_class.default_message
        end
        return if what.nil? && whom.nil?

        [whom, what && "#{what}#{tries}"].compact.join(": ")
      end

      def tries
        ", after #{outcome[:attempts]} attempts" if outcome[:attempts].to_i > 1
      end

      def whom
        return provider || model if provider.nil? || model.nil?

        "#{provider} (#{model})"
      end

      def quota_used_up?
        [report[:code], report[:type]].include?(Errors::RateLimitError::QUOTA_CODE)
      end

      # What came from outside may have been cut, by us or on its way.
      def redact(text)
        Secrets.redact(text, @secrets, truncated: true)
      end
    end
  end
end
