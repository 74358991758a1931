# frozen_string_literal: true

# The one line that the README asks of who has the guide's service.
Rails.application.config.to_prepare { CollaborativeAgentService.prepend(RAAF::Streaming::KeepsMembers) }
