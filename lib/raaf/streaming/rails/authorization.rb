# frozen_string_literal: true

module RAAF
  module Streaming
    # Who may do what, in channels: asks {Configuration#authorize}.
    module Authorization
      # What somebody wants to do something with. id: String; user_id, session_id: String, whose it is, nil where that
      # is not known; place: String, a broadcasting that the channel streams from and that the stream is sent to, or
      # nil.
      Stream = Struct.new(:id, :user_id, :session_id, :place, keyword_init: true)

      # A hook that raises refuses; why stands in the log.
      #
      # @param user [Object, nil] the connection's current_user
      # @param action [Symbol] the name of the channel's action; or :resume, :stop, :redirect
      # @param stream [Stream, nil] nil: an action of the application's, which is about none
      # @param default [Boolean] what holds where there is no hook
      # @return [Boolean]
      # @api private
      def self.allowed?(user, action, stream, default)
        hook = Streaming.configuration.authorize or return default
        hook.call(user, action, stream) ? true : false
      rescue => e
        Streaming.logger.error("authorize raised #{e.class} for #{action}, which was refused: " \
                               "#{Secrets.redact(e.message)}")
        false
      end
    end
  end
end
