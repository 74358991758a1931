# frozen_string_literal: true

require_relative "../message_rate"
require_relative "../origin"
require_relative "authorization"
require_relative "departures"
require_relative "user_input"
require_relative "channel_control/asked"
require_relative "channel_control/flood"
require_relative "channel_control/places"
require_relative "channel_control/refused"
require_relative "channel_control/request"
require_relative "channel_control/resume"
require_relative "channel_control/wanted"
require_relative "channel_control/whose"

module RAAF
  module Streaming
    # What the gem does for one subscription of a browser's: {ChannelActions} without Action Cable. It has no thread of
    # its own: all is done on the one that performs the action, of which a connection may have several at once.
    #
    # @api private
    class ChannelControl
      # Of the messages between the server and the browser; told in raaf_hello.
      PROTOCOL = 1
      # The gem's own actions.
      ACTIONS = %w[raaf_resume raaf_stop raaf_redirect].freeze

      # @return [Places]
      attr_reader :places

      # @param channel [ActionCable::Channel::Base]
      # @param transmit [#call] sends a message to this subscription alone
      def initialize(channel, transmit)
        @channel = channel
        @transmit = transmit
        @places = Places.new(transmit)
      end

      # @param message [Hash{Symbol=>Object}]
      # @return [void]
      def transmit(**message)
        @transmit.call(message)
      end

      # @return [void]
      def hello
        transmit(type: "raaf_hello", protocol: PROTOCOL)
      end

      # An action of the application's: asks whether it may be, says that it has arrived, and has it performed once.
      #
      # @param data [Object] what the browser has sent
      # @yieldparam data [Object] the same without what is the gem's
      # @return [void]
      def perform(data, &action)
        return yield(data) unless data.is_a?(Hash) && !ACTIONS.include?(data["action"])

        request = Request.in(data, connection_identifier)
        refusing(data["action"], request&.id) { perform_allowed(data.except("raaf"), request, &action) }
      rescue Refused
        nil # the browser has been told
      end

      # @param data [Hash{String=>Object}]
      # @return [void]
      def resume(data)
        control("raaf_resume", data) do
          wanted = Wanted.new(data)
          transmit(type: "raaf_resumed", streams: Resume.new(store!, self).run(wanted))
        end
      end

      # @param data [Hash{String=>Object}]
      # @return [void]
      def stop(data)
        control("raaf_stop", data) do
          request = Request.of(data["request_id"], connection_identifier)
          ids = wanted_ids(data, request)
          ids.each { |id| check(:stop, id, request) }
          ids.each { |id| stop_stream(id) }
        end
      end

      # @param data [Hash{String=>Object}]
      # @return [void]
      def redirect(data)
        control("raaf_redirect", data) do
          id = Wanted.id(data["stream_id"])
          message = message_in(data)
          check(:redirect, id, Request.of(data["request_id"], connection_identifier))
          redirect_stream(id, message)
        end
      end

      # @param action [Symbol]
      # @param stream [Authorization::Stream, nil]
      # @param default [Boolean, nil] what holds where the application has no rule of its own; nil: one's own, or for
      #   :resume what is sent to a place that the channel streams from
      # @return [Boolean]
      def may?(action, stream, default = nil)
        default = own?(stream) || (action == :resume && !stream.place.nil?) if default.nil?
        Authorization.allowed?(user, action, stream, default)
      end

      # @param stream [Authorization::Stream]
      # @return [Boolean]
      def own?(stream)
        !user_id.nil? && stream.user_id == user_id.to_s
      end

      # @param stream_id [String]
      # @return [Boolean] whether the action that will begin it is being performed for this connection
      def performing?(stream_id)
        Asked.performing?(stream_id, connection_identifier)
      end

      private

      def user
        @channel.current_user if @channel.respond_to?(:current_user)
      end

      def user_id
        user = self.user
        user.id if user.respond_to?(:id)
      end

      def connection_identifier
        @channel.connection.connection_identifier.to_s
      end

      def store
        Streaming.configuration.replay_store
      end

      def store!
        store or raise Refused.new(:unavailable, "Nothing is kept of what was sent (replay_store is not set).")
      end

      # ---- the application's actions ----

      def perform_allowed(data, request, &action)
        name = action_of(data)
        unless @channel.class.action_methods.include?(name)
          yield data # Action Cable logs it
          raise Refused.new(:invalid, "There is no such action.")
        end
        raise Refused.new(:forbidden, "You may not do that.") unless may?(name.to_sym, nil, true)

        request ? perform_request(data, request, &action) : perform_within(Origin.new(user_id: user_id), data, &action)
      end

      # As Action Cable reads it.
      def action_of(data)
        name = data["action"].to_s
        name.empty? ? "receive" : name
      end

      def perform_request(data, request, &action)
        transmit(type: "raaf_ack", request_id: request.id, stream_id: request.stream_id)
        return unless Asked.claim(request)

        origin = Origin.new(stream_id: request.stream_id, request_id: request.id, user_id: user_id)
        Asked.perform(request) { perform_within(origin, data, &action) }
      end

      def perform_within(origin, data)
        Origin.within(origin) { yield data }
      end

      # Tells the browser of what is not done, so that it does not wait, and lets the error go its way.
      def refusing(action, request_id)
        yield
      rescue => e
        refused = Refused.of(e)
        if request_id || e.is_a?(Refused)
          transmit(type: "raaf_refused", request_id: request_id, action: action.to_s, reason: refused.reason.to_s,
            message: refused.message)
        end
        raise
      end

      # ---- our own ----

      def control(action, data, &block)
        request = Request.of(data["request_id"], connection_identifier) || Request.in(data, connection_identifier)
        refusing(action, request&.id) do
          Flood.check(@channel.connection, action)
          block.call
        rescue Errors::StoreUnavailableError, Errors::StreamLimitError => e
          raise Refused.of(e)
        end
      rescue Refused
        nil # the browser has been told
      end

      # A request's streams, also before any has begun; and the one that is named.
      def wanted_ids(data, request)
        ids = data.key?("stream_id") ? [Wanted.id(data["stream_id"])] : []
        ids += [request.stream_id, *begun_for(request)] if request
        return ids.uniq if ids.any?

        raise Refused.new(:invalid, "stream_id or request_id is needed")
      end

      def begun_for(request)
        known = store ? store.streams_of("request:#{request.id}") : []
        known.select { |id| request.began?(id) }
      rescue Errors::StoreUnavailableError
        []
      end

      # One's own: by what is known of the stream, or since its id is made of a request of this connection's.
      def check(action, id, request)
        proven = request&.began?(id) || false
        whose = whose(id, proven)
        return if may?(action, whose.stream, proven || own?(whose.stream))

        raise Refused.new(:forbidden, "It is not yours.")
      end

      # What runs here is known here too, as far as it is somebody's.
      def whose(id, proven)
        keys = store ? store.keys_of(id) : []
        keys.any? ? Whose.new(id, keys) : Whose.new(id, keys_here(id) || [])
      rescue Errors::StoreUnavailableError
        here = keys_here(id)
        raise unless here || proven

        Whose.new(id, here || [])
      end

      # @return [Array<String>, nil] nil: it is none that runs here
      def keys_here(id)
        here = ConnectionManager.instance.streams.find { |stream| stream.id == id } or return
        here.user_id.nil? ? [] : ["user:#{here.user_id}"]
      end

      def stop_stream(id)
        here = ConnectionManager.instance.cancel(id).positive?
        store&.cancel(id)
      rescue Errors::StoreUnavailableError
        raise unless here
      end

      def message_in(data)
        UserInput.message(data["message"])
      rescue ArgumentError => e
        raise Refused.new(:invalid, e.message)
      end

      # Only the process that runs a stream can redirect it. To have it done elsewhere, the browser stops it and asks
      # anew; it knows the channel's action, which the server does not.
      def redirect_stream(id, message)
        return if redirected_here?(id, message)
        raise Refused.new(:invalid, "The answer has ended.") unless store&.state_of(id) == :running

        transmit(type: "raaf_redirect_elsewhere", stream_id: id, message: message)
      end

      def redirected_here?(id, message)
        ConnectionManager.instance.redirect(id, message)
      rescue Errors::StreamLimitError
        raise
      rescue Errors::Error # it has just come to its end, or was stopped
        raise Refused.new(:invalid, "The answer has ended.")
      end
    end
  end
end
