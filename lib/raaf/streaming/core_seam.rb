# frozen_string_literal: true

require_relative "core_loader"
require_relative "agent_methods"
require_relative "core_errors"
require_relative "../errors"

# The one place where this gem meets raaf-core: where it is installed, what it lacks is added; where it is absent, our
# stand-ins take its names.
if RAAF::Streaming::CoreLoader.load_core
  # It has no `run` and no `provider`. Methods of a module give way to the class's own.
  RAAF::Agent.include(RAAF::Streaming::AgentMethods)
else
  require_relative "../agent"
  require_relative "../function_tool"
  require_relative "../models/providers"
  require_relative "stand_in_errors"
  RAAF::Streaming::StandInErrors.define
end
# Its errors, or our stand-ins for them, also rescue ours that say the same.
RAAF::Streaming::CoreErrors.install
require_relative "../provider"
require_relative "../models/registry"
