# frozen_string_literal: true

require_relative "../errors"

module RAAF
  module Streaming
    # How raaf-core's errors and ours are the same errors.
    #
    # raaf-core has three families that are unrelated to each other: `RAAF::*Error`, `RAAF::Models::*Error` (which its
    # providers raise) and `RAAF::HTTPClient::*`. An exception has one line of ancestors, so ours cannot inherit from
    # all of them. They inherit from the root, RAAF::Error; the others answer for them: Ruby asks a class by `===`
    # whether it rescues, so `rescue RAAF::Models::RateLimitError` catches an {Errors::RateLimitError}. `is_a?` is not
    # changed.
    #
    # Source: raaf-ai/raaf, core/lib/raaf/{errors,http_client,step_errors,configuration,throttler,guardrails}.rb,
    # core/lib/raaf/models/interface.rb, providers/lib/raaf/ollama_provider.rb.
    #
    # @api private
    module CoreErrors
      # What a 4xx without a class of its own is with them.
      OTHER_4XX = %i[InvalidRequestError PermissionError NotFoundError].freeze

      # Those that a status makes more exact.
      BY_STATUS = %i[InvalidRequestError ServerError OverloadedError].freeze

      # Their classes, with those of ours that say the same. The first is what theirs is translated into.
      FAMILIES = {
        "RAAF::AuthenticationError" => %i[AuthenticationError],
        "RAAF::RateLimitError" => %i[RateLimitError],
        "RAAF::ThrottleTimeoutError" => %i[RateLimitError],
        "RAAF::ServerError" => %i[ServerError OverloadedError],
        "RAAF::ServiceUnavailableError" => %i[OverloadedError ServerError],
        "RAAF::APIError" => OTHER_4XX,
        "RAAF::InvalidRequestError" => %i[InvalidRequestError],
        "RAAF::ProviderError" => %i[ProviderError],
        "RAAF::ModelBehaviorError" => %i[ProtocolError],
        "RAAF::ConfigurationError" => %i[ConfigurationError],
        "RAAF::ToolError" => %i[ToolError],
        "RAAF::MaxTurnsError" => %i[MaxTurnsError],
        "RAAF::ExecutionStoppedError" => %i[CancelledError],

        "RAAF::Models::AuthenticationError" => %i[AuthenticationError],
        "RAAF::Models::RateLimitError" => %i[RateLimitError],
        "RAAF::Models::ServerError" => %i[ServerError OverloadedError],
        "RAAF::Models::APIError" => OTHER_4XX,
        "RAAF::Models::ConnectionError" => %i[ConnectionError],
        "RAAF::Models::ModelNotFoundError" => %i[NotFoundError],

        "RAAF::HTTPClient::Error" => %i[ProviderError],
        "RAAF::HTTPClient::APIError" => OTHER_4XX,
        "RAAF::HTTPClient::BadRequestError" => %i[InvalidRequestError],
        "RAAF::HTTPClient::UnprocessableEntityError" => %i[InvalidRequestError],
        "RAAF::HTTPClient::ConflictError" => %i[InvalidRequestError],
        "RAAF::HTTPClient::AuthenticationError" => %i[AuthenticationError],
        "RAAF::HTTPClient::PermissionDeniedError" => %i[PermissionError],
        "RAAF::HTTPClient::NotFoundError" => %i[NotFoundError],
        "RAAF::HTTPClient::RateLimitError" => %i[RateLimitError],
        "RAAF::HTTPClient::InternalServerError" => %i[ServerError],
        "RAAF::HTTPClient::BadGatewayError" => %i[ServerError],
        "RAAF::HTTPClient::GatewayTimeoutError" => %i[ServerError],
        "RAAF::HTTPClient::ServiceUnavailableError" => %i[OverloadedError ServerError],
        "RAAF::HTTPClient::APIConnectionError" => %i[ConnectionError],
        "RAAF::HTTPClient::APITimeoutError" => %i[TimeoutError],

        "RAAF::Guardrails::GuardrailError" => %i[GuardrailError],
        "RAAF::Guardrails::InputGuardrailTripwireTriggered" => %i[InputGuardrailError],
        "RAAF::Guardrails::OutputGuardrailTripwireTriggered" => %i[OutputGuardrailError],
        "RAAF::InputGuardrailTripwireTriggered" => %i[InputGuardrailError],
        "RAAF::OutputGuardrailTripwireTriggered" => %i[OutputGuardrailError],

        "RAAF::Errors::ToolExecutionError" => %i[ToolError],
        "RAAF::Errors::ModelBehaviorError" => %i[ProtocolError],
        "RAAF::Errors::ResponseProcessingError" => %i[ProtocolError],
        "RAAF::Errors::MaxIterationsError" => %i[MaxTurnsError]
      }.each_value(&:freeze).freeze # to the bottom: errors are rescued in any Ractor

      # Those of them that are for some statuses only.
      STATUSES = {
        "RAAF::ServiceUnavailableError" => 502..529,
        "RAAF::HTTPClient::BadRequestError" => 400,
        "RAAF::HTTPClient::ConflictError" => 409,
        "RAAF::HTTPClient::UnprocessableEntityError" => 422,
        "RAAF::HTTPClient::InternalServerError" => 500,
        "RAAF::HTTPClient::BadGatewayError" => 502,
        "RAAF::HTTPClient::ServiceUnavailableError" => 503..529,
        "RAAF::HTTPClient::GatewayTimeoutError" => 504
      }.freeze

      # Lets one of their classes rescue those of ours that say the same. A subclass answers for itself: an
      # application's own one rescues none of ours.
      module Answer
        # @param error [Object]
        # @return [Boolean] whether `rescue` of this class catches it
        def ===(error)
          super || CoreErrors.answers?(self, error)
        end
      end

      module_function

      # Done once, where raaf-core, or its stand-in, is loaded. Classes that are loaded later inherit it from theirs.
      #
      # @return [void]
      def install
        FAMILIES.each_key { |name| named(name)&.extend(Answer) }
      end

      # @param theirs [Class] one of their classes
      # @param error [Object]
      # @return [Boolean] whether it is one of ours that this class, or one below it, stands for
      def answers?(theirs, error)
        return false unless error.is_a?(Errors::Error)

        FAMILIES.each_key.any? { |name| same?(name, error) && named(name)&.<=(theirs) }
      end

      # @param exception [Exception]
      # @return [Class, nil] the class of ours that says the same; nil for what is not theirs
      def counterpart(exception)
        name = exception.class.ancestors.map(&:name).find { |ancestor| FAMILIES.key?(ancestor) }
        Errors.const_get(FAMILIES[name].first) if name
      end

      def same?(name, error)
        statuses = STATUSES[name]
        return false if statuses && error.status && !(statuses === error.status)

        FAMILIES[name].any? { |ours| error.is_a?(Errors.const_get(ours)) }
      end

      # @param name [String] of a constant
      # @return [Class, nil] nil where it is not loaded
      def named(name)
        scope = Object #: untyped
        name.split("::").each do |part|
          scope = (scope.const_get(part, false) if scope&.const_defined?(part, false))
        end
        scope
      end

      private_class_method :same?, :named
    end
  end
end
