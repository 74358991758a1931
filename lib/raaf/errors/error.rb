# frozen_string_literal: true

require_relative "../streaming/core_loader"
require_relative "../streaming/secrets"

# First, since its root is ours too.
RAAF::Streaming::CoreLoader.load_core

module RAAF
  # The root of raaf-core's own errors, and of ours: `rescue RAAF::Error` catches both. Defined here only where
  # raaf-core is absent.
  class Error < StandardError; end unless const_defined?(:Error, false)

  module Errors
    # The root of everything this gem raises on purpose, apart from ArgumentError for a wrong call.
    #
    # An error says what happened and what to do next in its message, and knows the circumstances. Any of them can be
    # made with a message alone. Message and body never hold a key: what looks like one is cut (see
    # {Streaming::Secrets.redact}).
    #
    # @example
    #   rescue RAAF::Errors::Error => e
    #     logger.warn(e.to_h)
    #     raise unless e.retryable?
    class Error < RAAF::Error
      # The circumstances every error can carry, in the order in which they are shown.
      DETAILS = %i[provider model status request_id code type param retry_after attempts body
        partial_text].freeze

      # Long or the user's own: in {#to_h}, but never in {#inspect}.
      HIDDEN = %i[body partial_text].freeze
      private_constant :HIDDEN

      # @return [String, nil] the provider's name, such as "openai"
      attr_reader :provider
      # @return [String, nil] the model that was asked
      attr_reader :model
      # @return [Integer, nil] the HTTP status, where one came
      attr_reader :status
      # @return [String, nil] the provider's id of the request: give it to their support
      attr_reader :request_id
      # @return [String, nil] the provider's own error code, such as "context_length_exceeded"
      attr_reader :code
      # @return [String, nil] the provider's own error type, such as "invalid_request_error"
      attr_reader :type
      # @return [String, nil] the parameter the provider complains about
      attr_reader :param
      # @return [Numeric, nil] seconds to wait before the next attempt, where somebody knows
      attr_reader :retry_after
      # @return [Integer, nil] how often the request was sent, retries included; nil: unknown
      attr_reader :attempts
      # @return [String, nil] the error's body as it came, at most 64 KB, without secrets
      attr_reader :body
      # @return [String, nil] the text that had been delivered before the error; nil: unknown or none
      attr_reader :partial_text
      alias_method :delivered, :partial_text

      # @param message [String, nil] what happened and what to do next; nil: the class's own sentence
      # @param provider [#to_s, nil] the provider's name
      # @param model [#to_s, nil]
      # @param status [Integer, nil] HTTP status
      # @param request_id [String, nil]
      # @param body [String, nil] the error's body
      # @param retry_after [Numeric, nil] seconds
      # @param partial_text [String, nil] the text delivered so far
      # @param code [#to_s, nil] the provider's code
      # @param type [#to_s, nil] the provider's type
      # @param param [#to_s, nil] the parameter complained about
      # @param attempts [Integer, nil] how often the request was sent
      def initialize(message = nil, provider: nil, model: nil, status: nil, request_id: nil, body: nil,
        retry_after: nil, partial_text: nil, code: nil, type: nil, param: nil, attempts: nil)
        super(Streaming::Secrets.redact(message || self.class.default_message))
        @provider, @model, @code, @type, @param = [provider, model, code, type, param].map { |value| value&.to_s }
        @status = status
        @request_id = request_id
        @retry_after = retry_after
        @attempts = attempts
        @body = Streaming::Secrets.redact(body)
        @partial_text = partial_text
      end

      # @return [String] what an error of this class says when it is made without a message
      def self.default_message
        "streaming failed"
      end

      # Whether the same request, sent again later, may succeed. This is about the kind of error only: whether text
      # has already been shown ({#delivered?}) is for the caller to weigh.
      #
      # @return [Boolean] false unless a class says otherwise
      def retryable?
        false
      end

      # @return [Boolean] whether text had been delivered before the error
      def delivered?
        !partial_text.to_s.empty?
      end

      # @return [Hash{Symbol=>Object}] :error (the class's name), :message, and every circumstance that is known.
      #   Holds no secret, but holds {#body} and {#partial_text}, which may be long or private: choose before logging.
      def to_h
        details = detail_names.to_h { |name| [name, public_send(name)] }
        {error: self.class.name, message: message}.merge(details.compact)
      end

      # @return [String] class, message and the short circumstances; neither body nor partial text
      def inspect
        shown = to_h.except(:error, :message, *HIDDEN).map { |name, value| " #{name}=#{value.inspect}" }
        "#<#{self.class.name || self.class.inspect}: #{message}#{shown.join}>"
      end

      private

      # Subclasses with circumstances of their own add them here.
      def detail_names
        DETAILS
      end
    end
  end
end
