# frozen_string_literal: true

# Ruby AI Agents Factory: streaming. Everything is loaded here, and nothing is started: the native thread begins with
# the first request.
#
# Files are always required by their relative path, since raaf-core ships files of the same names.

# First, so that raaf-core finds its names free.
require_relative "raaf/streaming/core_loader"
RAAF::Streaming::CoreLoader.load_core

require_relative "raaf/streaming/version"
require_relative "raaf/errors"
require_relative "raaf/streaming/native"
require_relative "raaf/streaming/config_api"
require_relative "raaf/streaming/secrets"
require_relative "raaf/streaming/run_context"
require_relative "raaf/streaming/chunk"
require_relative "raaf/streaming/error_factory"
require_relative "raaf/streaming/message_content"
require_relative "raaf/streaming/result"
require_relative "raaf/streaming/conversation_store"
require_relative "raaf/streaming/core_seam"
require_relative "raaf/streaming/process_hooks"
require_relative "raaf/streaming/notifications"
require_relative "raaf/streaming/thread_pool"
require_relative "raaf/streaming/timers"
require_relative "raaf/streaming/replay_store"
require_relative "raaf/streaming/memberships"
require_relative "raaf/streaming/chunk_buffer"
require_relative "raaf/streaming/event_bus"
require_relative "raaf/streaming/chunk_processing"
require_relative "raaf/streaming/circuit_breaker"
require_relative "raaf/streaming/connection_manager"
require_relative "raaf/streaming/analytics"
require_relative "raaf/streaming/dispatcher"
require_relative "raaf/streaming/stream"
require_relative "raaf/streaming/runner"
require_relative "raaf/streaming/async_runner"
require_relative "raaf/streaming/resilient_runner"
require_relative "raaf/streaming/orchestrator"
require_relative "raaf/streaming/collaborative_session"
require_relative "raaf/streaming/keeps_members"

# Only where Rails is, and comes first.
require_relative "raaf/streaming/engine" if defined?(Rails::Engine)

module RAAF
  # Test doubles cost an application nothing until it names them. Where the gem raaf-testing came first, its
  # MockProvider gains our methods.
  if const_defined?(:Testing, false)
    require_relative "raaf/testing"
  else
    autoload :Testing, "#{__dir__}/raaf/testing"
  end
end
