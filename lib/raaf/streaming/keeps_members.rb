# frozen_string_literal: true

require_relative "memberships"

module RAAF
  module Streaming
    # For a class with `session_id`, `add_participant(user)` and `remove_participant(user)`, such as the guide's
    # CollaborativeAgentService: who takes part is a member of the session ({Memberships}), so that
    # RAAF::Streaming::SessionChannel lets them in.
    #
    # @example In config/initializers/raaf_streaming.rb
    #   Rails.application.config.to_prepare { CollaborativeAgentService.prepend(RAAF::Streaming::KeepsMembers) }
    module KeepsMembers
      # @param user [#id]
      # @return [Object] as the class's own
      # @raise [Errors::StreamLimitError] where the session has as many members as it may have
      # @raise [Errors::StoreUnavailableError]
      def add_participant(user)
        Memberships.admit(session_id, user.id)
        super
      end

      # @param user [#id]
      # @return [Object] as the class's own
      # @raise [Errors::StoreUnavailableError]
      def remove_participant(user)
        super.tap { Memberships.current.leave(session_id, user.id) }
      end
    end
  end
end
