# frozen_string_literal: true

require_relative "core_errors"
require_relative "error_advice"
require_relative "error_body"
require_relative "error_classifier"
require_relative "secrets"

module RAAF
  module Streaming
    # Makes one of our errors out of one that raaf-core's code raised (a provider, a tool, a guardrail), which becomes
    # its `cause`.
    #
    # @api private
    class CoreTranslation
      # What Ruby's own HTTP client and sockets raise, with the class of ours and its circumstance.
      NETWORK = {
        "Net::OpenTimeout" => [:TimeoutError, {phase: :connect}],
        "Timeout::Error" => [:TimeoutError, {phase: :idle}],
        "Errno::ETIMEDOUT" => [:ConnectionError, {reason: :connect}],
        "Errno::ECONNREFUSED" => [:ConnectionError, {reason: :connect}],
        "Errno::EHOSTUNREACH" => [:ConnectionError, {reason: :connect}],
        "Errno::ENETUNREACH" => [:ConnectionError, {reason: :connect}],
        "Errno::ECONNRESET" => [:ConnectionError, {reason: :lost}],
        "Errno::EPIPE" => [:ConnectionError, {reason: :lost}],
        "EOFError" => [:ConnectionError, {reason: :lost}],
        "SocketError" => [:ConnectionError, {reason: :resolve}],
        "OpenSSL::SSL::SSLError" => [:ConnectionError, {reason: :tls}],
        "JSON::ParserError" => [:ProtocolError, {}],
        "NotImplementedError" => [:ConfigurationError, {}]
      }.freeze

      # Where their messages have the status: "API error from X: 404 - …", "Server error from X: 503", "HTTP 418: …",
      # "… error (502) …".
      STATUS = /(?:: |HTTP |\()([45]\d\d)(?: -|:|\)|\z)/

      # Where their messages have the seconds to wait.
      RETRY_AFTER = /\bRetry after: (\d{1,5}(?:\.\d{1,3})?)s?\z/

      private_constant :NETWORK, :STATUS, :RETRY_AFTER

      class << self
        # @param exception [Exception]
        # @param details [Hash] as for {Errors::Error#initialize}; :secrets too, what to cut out of the message
        # @return [Errors::Error, nil] with the exception as its cause, not raised; nil for what is not raaf-core's
        def translate(exception, **details)
          return complete(exception, **details) if exception.is_a?(Errors::Error)

          error_class = CoreErrors.counterpart(exception)
          new(exception, error_class, **details).build if error_class
        end

        # The same for whatever a provider's own code raised.
        #
        # @param exception [Exception]
        # @param details (see .translate)
        # @return [Errors::Error] with the exception as its cause, unless it is one of ours itself
        def of_provider(exception, **details)
          translate(exception, **details) || of_network(exception, **details)
        end

        # @param error [Exception]
        # @param cause [Exception]
        # @return [Exception] the error, which now has this cause
        def with_cause(error, cause)
          raise error, cause: cause
        rescue error.class
          error
        end

        private

        # One of ours that a provider raised itself knows less of the stream than we do.
        def complete(error, **details)
          unknown = details.slice(*Errors::Error::DETAILS).select { |name, value| value && error.public_send(name).nil? }
          return error if unknown.empty?

          error.dup.tap do |copy|
            unknown.each { |name, value| copy.instance_variable_set(:"@#{name}", value) }
          end
        end

        def of_network(exception, **details)
          names = exception.class.ancestors.map { |ancestor| ancestor.name.to_s }
          name, own = names.filter_map { |ancestor| NETWORK[ancestor] }.first || [:ProviderError, {}]
          new(exception, Errors.const_get(name), **details, **own).build
        end
      end

      # @param exception [Exception]
      # @param error_class [Class] of ours
      # @param secrets [Array<String>]
      # @param details [Hash] as for the class's `new`
      def initialize(exception, error_class, secrets: [], **details)
        @exception = exception
        @message = ErrorBody.quote(Secrets.redact(exception.message, secrets))
        @error_class = by_status(error_class)
        @details = details
      end

      # @return [Errors::Error] not raised
      def build
        facts = {status: status, retry_after: retry_after}.compact
        self.class.with_cause(@error_class.new(sentence, **facts, **@details), @exception)
      end

      private

      # Theirs for "any other status" says less than the status itself.
      def by_status(error_class)
        status = self.status
        return error_class unless status && CoreErrors::BY_STATUS.include?(error_class.name.split("::").last.to_sym)

        ErrorClassifier.new(message: @message).of_response(status)
      end

      def status
        given = @exception.status if @exception.respond_to?(:status)
        given.is_a?(Integer) ? given : @message.to_s[STATUS, 1]&.to_i
      end

      def retry_after
        given = @exception.retry_after if @exception.respond_to?(:retry_after)
        return given if given.is_a?(Numeric)

        written = @message.to_s[RETRY_AFTER, 1] or return
        written.include?(".") ? written.to_f : written.to_i
      end

      def sentence
        said = "#{@exception.class}: #{@message || @error_class.default_message}"
        what = [whom, said].compact.join(": ").sub(/[.\s]+\z/, "")
        advice = ErrorAdvice.for(@error_class, code: :http_status, status: status, model: @details[:model],
          retry_after: retry_after)
        "#{what}.#{" #{advice}" if advice}"
      end

      def whom
        provider, model = @details.values_at(:provider, :model)
        model ? [provider, "(#{model})"].compact.join(" ") : provider
      end
    end
  end
end
