# frozen_string_literal: true

require_relative "channel_actions"

module RAAF
  module Streaming
    # Shows a user what happens in a session that several take part in: the frames of the guide's
    # CollaborativeAgentService and AgentOrchestrator, and of {CollaborativeSession} and {Orchestrator}. To members of
    # the session only ({Memberships}); others are rejected, and who leaves gets nothing further.
    #
    #     consumer.subscriptions.create({channel: "RAAF::Streaming::SessionChannel", session_id: "42",
    #                                    kind: "collaboration"}, …)
    #
    # `kind` is "collaboration" (the default) or "orchestrator". Whether the user is a member is asked before the
    # subscription and before each action; and for what is sent, once in {RECHECK_SECONDS}, and at once where somebody
    # has left. Where that cannot be found out, nothing is sent and nothing done.
    #
    # It has {ChannelActions}: what was missed is sent again to members, and answers can be stopped by who has asked.
    # One of your own, for what your page sends, inherits it all:
    #
    # @example
    #   class RoomChannel < RAAF::Streaming::SessionChannel
    #     def say(data)
    #       Rooms.find(session_id).submit(current_user, data["message"])   # a CollaborativeSession
    #     end
    #   end
    class SessionChannel < ActionCable::Channel::Base
      include ChannelActions

      # Asks before each action. In a module, since Action Cable lets browsers call what the class itself has.
      #
      # @api private
      module MembersOnly
        # @param data [Hash{String=>Object}]
        # @return [void]
        # @api private
        def perform_action(data)
          return super if current_member?

          refuse(data)
          show_out
        end

        private

        # It is said before anybody is let in, and nobody is shown out before.
        def raaf_hello
          super if current_member?
        end
      end
      include MembersOnly

      # The places of each kind of session.
      PLACES = {
        "collaboration" => ->(session, user) { ["collaboration_#{session}_#{user}", "collaboration_#{session}"] },
        "orchestrator" => ->(session, _) { ["orchestrator_#{session}"] }
      }.freeze
      # For which it is believed that a user is still a member, when frames are sent.
      RECHECK_SECONDS = 1
      private_constant :PLACES

      private

      # @return [void]
      # @api private
      def subscribed
        places = PLACES[params.fetch(:kind, "collaboration")]
        why = why_not(places)
        return turn_away(why) if why

        user = current_user.id
        places.call(session_id, user).each { |place| stream_from(place) }
        stream_from(Memberships.place(session_id, user), ->(_) { show_out unless current_member? })
      end

      # @return [String, nil] nil: nothing is against it
      def why_not(places)
        return "there is no kind #{params[:kind].inspect} (#{PLACES.keys.join(", ")})" unless places
        return "no session_id was given" unless session_id

        "user #{current_user.id} is no member of session #{session_id.inspect}" unless current_member?
      end

      def turn_away(why)
        logger.info("#{self.class.name}: #{why}")
        reject
      end

      # @return [String, nil] which session it is; nil: none was named
      def session_id
        id = params[:session_id]
        id.to_s if id.is_a?(String) || id.is_a?(Integer)
      end

      # Everything that goes to the browser passes here.
      def transmit(data, via: nil)
        lately_member? ? super : show_out
      end

      # Asks the store.
      def current_member?
        departures = Memberships.departures # before the store is asked: who leaves meanwhile is found the next time
        @member = Memberships.current.member?(session_id, current_user.id)
        @asked = [departures, Timers.now]
        @member
      rescue Errors::StoreUnavailableError => e
        Streaming.logger.warn("whether a user is a member of a session cannot be found out: #{e.message}")
        @asked = nil
        false
      end

      def lately_member?
        departures, at = @asked
        return current_member? unless departures == Memberships.departures && Timers.now - at < RECHECK_SECONDS

        @member
      end

      # Tells the browser whose request it was, past {#transmit}.
      def refuse(data)
        request = ChannelControl::Request.in(data, "") if data.is_a?(Hash)
        return unless request

        reason, message = @asked ? [:forbidden, "You take no part in this."] : [:unavailable, "Try again later."]
        connection.transmit(identifier: @identifier, message: {
          type: "raaf_refused", request_id: request.id, action: data["action"].to_s, reason: reason, message: message
        })
      end

      # Ends the subscription, as Action Cable rejects one. Only where it is known that the user is none of the members:
      # a store that fails ends nothing.
      def show_out
        reject_subscription if @asked && !@member && !unsubscribed?
      end
    end
  end
end
