# frozen_string_literal: true

require "active_support/concern"

module RAAF
  module Streaming
    # Who is at the other end of a WebSocket: for ApplicationCable::Connection. Strangers are turned away.
    #
    # The user is found as Rails applications usually know theirs, the first that there is: Devise (Warden), the session
    # of Rails' own authentication generator, `session[:user_id]`. An application that knows them otherwise says so:
    #
    # @example
    #   class Connection < ActionCable::Connection::Base
    #     include RAAF::Streaming::UserConnection
    #
    #     private
    #
    #     def find_user
    #       User.find_by(api_token: request.params[:token])
    #     end
    #   end
    module UserConnection
      extend ActiveSupport::Concern

      included { identified_by :current_user }

      # @return [void]
      # @api private
      def connect
        self.current_user = find_user || turn_away
      end

      private

      # Whoever has not said yet who is there is told where to.
      def turn_away
        if method(:find_user).owner == UserConnection
          logger.info("Nobody is signed in by Devise, Rails' own authentication or session[:user_id]. Where users " \
                      "are known otherwise, a private method find_user of #{self.class} says who it is.")
        end
        reject_unauthorized_connection
      end

      # @return [Object, nil] nil: a stranger
      def find_user
        user_of_warden || user_of_authentication || user_of_session
      end

      def user_of_warden
        env["warden"]&.user
      end

      # Source: `rails generate authentication` of Rails 8 (a signed cookie session_id, a model Session with a user).
      def user_of_authentication
        id = cookies.signed[:session_id] or return
        model = "Session".safe_constantize
        model.find_by(id: id)&.user if model.respond_to?(:find_by)
      end

      def user_of_session
        id = request.session[:user_id] or return
        "User".safe_constantize&.find_by(id: id)
      end
    end
  end
end
