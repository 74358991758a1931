# frozen_string_literal: true

require_relative "core_errors"

module RAAF
  module Streaming
    # The names of raaf-core's errors, so that `rescue RAAF::RateLimitError` or `raise RAAF::ToolError, "…"` means the
    # same with and without it. Loaded only where raaf-core is absent. See {CoreErrors}.
    #
    # @api private
    module StandInErrors
      # As those of raaf-core that belong to a response.
      class ResponseError < RAAF::Error
        # @return [Integer, nil] the HTTP status
        attr_reader :status

        # @param message [String, nil]
        # @param status [Integer, nil]
        def initialize(message = nil, status: nil)
          super(message)
          @status = status
        end
      end

      # Those that can be made with a status.
      WITH_STATUS = %w[AuthenticationError RateLimitError ServerError APIError ServiceUnavailableError
        InvalidRequestError].freeze

      # Those of RAAF::Models, which cannot.
      OF_MODELS = %w[AuthenticationError RateLimitError ServerError APIError].freeze

      # Those of RAAF that are made with a message alone.
      PLAIN = %w[AgentError ToolError HandoffError MaxTurnsError ProviderError ModelBehaviorError ConfigurationError
        ExecutionStoppedError].freeze

      module_function

      # @return [void]
      def define
        PLAIN.each { |name| add(RAAF, name, RAAF::Error) }
        WITH_STATUS.each { |name| add(RAAF, name, ResponseError) }
        OF_MODELS.each { |name| add(Models, name, RAAF::Error) }
      end

      def add(scope, name, parent)
        scope.const_set(name, Class.new(parent)) unless scope.const_defined?(name, false)
      end

      private_class_method :add
    end
  end
end
