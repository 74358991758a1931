# frozen_string_literal: true

require "active_support/concern"
require_relative "channel_control"

module RAAF
  module Streaming
    # What makes a channel's answers resumable and stoppable: for ApplicationCable::Channel, whose channels need not
    # know of it. The generator includes it.
    #
    # - *It says hello* before a subscription is confirmed, which Action Cable does on another thread. The browser's
    #   side (app/javascript/raaf_streaming) sends none of what follows to a channel that has not.
    # - *Actions of the application's are acknowledged* at once, before they run and without a way through pub/sub,
    #   where their data has `raaf: {request_id: "<UUID>"}`; streams that they begin get an id that the browser knows
    #   from then on. The same request again is acknowledged and not performed another time. {Configuration#authorize}
    #   is asked before. Errors go their way, as without this; the browser is told of one that nobody has rescued.
    # - *raaf_resume* gives a browser what it has missed, *raaf_stop* ends an answer in whichever process it is written,
    #   *raaf_redirect* goes on with another instruction. What a browser sends there is checked, whatever it is, and one
    #   connection may ask so often and no oftener.
    #
    # *Whose.* A request belongs to the connection's identifiers (`identified_by`), and its id goes with its frames to
    # all who read them. So who shares those, since they name no user, may stop and redirect what another one has asked.
    #
    # What it says goes to one subscription (`transmit`), so it arrives also where Action Cable's pub/sub does not work.
    #
    # *Threads.* Action Cable performs what one browser sends on a pool of threads, so two actions of one channel may
    # run at once, and in another order than they were sent; that pool has 4 threads, unless another number is set
    # (`config.action_cable.worker_pool_size`), and an action that blocks holds one of them. Everything here runs on
    # the thread of the action itself. The chunks of streams come on other threads (the dispatcher's), and so does what
    # is broadcast from there; `transmit` may be called from any.
    module ChannelActions
      extend ActiveSupport::Concern

      included { before_subscribe :raaf_hello }

      # @api private
      def initialize(*, **)
        super
        @raaf_control = ChannelControl.new(self, ->(message) { transmit(message) })
      end

      # @param data [Hash{String=>Object}]
      # @return [void]
      # @api private
      def perform_action(data)
        @raaf_control.perform(data) { |given| super(given) }
      end

      # (see ActionCable::Channel::Streams#stream_from)
      # @api private
      def stream_from(broadcasting, callback = nil, coder: nil, &block)
        @raaf_control.places.add(String(broadcasting), callback || block, coder)
        super
      end

      # (see ActionCable::Channel::Streams#stop_stream_from)
      # @api private
      def stop_stream_from(broadcasting)
        @raaf_control.places.delete(broadcasting)
        super
      end

      # (see ActionCable::Channel::Streams#stop_all_streams)
      # @api private
      def stop_all_streams
        @raaf_control.places.clear
        super
      end

      # The browser asks for what it has missed: `{streams: {"<stream_id>": {attempt, seq}}, recent}`. The answer is
      # frames, in order; `raaf_checkpoint` where frames are no longer kept; and `raaf_resumed` at the end.
      #
      # @param data [Hash{String=>Object}]
      # @return [void]
      def raaf_resume(data)
        @raaf_control.resume(data)
      end

      # The user wants an answer to end: `{stream_id, request_id}`, one of them or both. It may be in another process,
      # or not have begun.
      #
      # @param data [Hash{String=>Object}]
      # @return [void]
      def raaf_stop(data)
        @raaf_control.stop(data)
      end

      # The user wants an answer to go on otherwise: `{stream_id, message}`. Where another process writes it, the
      # browser is told so (`raaf_redirect_elsewhere`), and may stop it and ask again.
      #
      # @param data [Hash{String=>Object}]
      # @return [void]
      def raaf_redirect(data)
        @raaf_control.redirect(data)
      end

      private

      # What the browser calls the request that is being performed: for messages of the application's own that belong
      # to it.
      #
      # @return [String, nil] nil: it has not said
      def raaf_request_id
        Origin.current&.request_id
      end

      def raaf_hello
        @raaf_control.hello
      end
    end
  end
end
