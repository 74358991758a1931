# frozen_string_literal: true

require_relative "errors/error"
require_relative "errors/request_errors"
require_relative "errors/provider_errors"
require_relative "errors/stream_errors"
require_relative "errors/event_errors"

module RAAF
  # One tree for everything that can go wrong, whichever provider was asked:
  #
  #     Error
  #     ├─ ConfigurationError ── RactorError
  #     ├─ AuthenticationError  PermissionError  NotFoundError
  #     ├─ InvalidRequestError ── ContextLengthError
  #     ├─ GuardrailError ── InputGuardrailError  OutputGuardrailError
  #     ├─ RateLimitError
  #     ├─ ProviderError
  #     │   ├─ ServerError  OverloadedError
  #     │   ├─ ConnectionError  TimeoutError
  #     │   ├─ TruncatedStreamError  ProtocolError
  #     │   └─ CircuitOpenError
  #     ├─ CancelledError  StreamLimitError  SlowConsumerError  ForkedError
  #     ├─ ToolError  MaxTurnsError  StoreUnavailableError
  #     └─ QueueFullError  BusClosedError
  #
  # The module may already exist, since the real raaf-core has one of this name: it is reopened, and the names it has
  # there (AgentError, UserError, …) are left alone.
  module Errors
  end

  module Streaming
    # The same class as {RAAF::Errors::Error}: `rescue RAAF::Streaming::Error` catches all this gem raises.
    Error = Errors::Error
  end
end
