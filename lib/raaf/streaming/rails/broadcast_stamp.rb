# frozen_string_literal: true

require_relative "../delivery"
require_relative "../origin"

module RAAF
  module Streaming
    # The one hook of this gem in Action Cable: each Hash that is broadcast while a block or callback of a stream has a
    # chunk gets
    #
    #     raaf: {stream_id: "9b2f…", seq: 7, attempt: 1, terminal: false}
    #
    # and the browser's side (app/javascript/raaf_streaming) puts frames in order by it, drops doubles and tells answers
    # apart; Action Cable reorders frames on every adapter. Numbers are counted for each stream and broadcasting, from 1
    # and without a gap. So application code that knows nothing of them is in order.
    #
    # A Hash that is broadcast outside of a stream's block while a request of a browser's is dealt with, such as the
    # error of a question that came to no stream, gets `raaf: {request_id: "…"}`. All else is left alone: what is not a
    # Hash, and a Hash that has a `raaf` of its own.
    module BroadcastStamp
      # @return [void]
      # @api private
      def self.install
        ActionCable::Server::Broadcasting::Broadcaster.prepend(self)
      end

      # @param broadcasting [String] the stream of Action Cable's
      # @param message [Object]
      # @return [Object] the message, or a copy with the stamp
      def self.stamp(broadcasting, message)
        return message if !message.is_a?(Hash) || message.key?(:raaf) || message.key?("raaf")

        delivery = Delivery.current or return of_request(message)
        message.merge(raaf: {**delivery.stamp(broadcasting), tool_name: delivery.chunk&.tool_name}.compact)
      end

      # @param message [Hash]
      # @return [Hash]
      def self.of_request(message)
        request_id = Origin.current&.request_id
        request_id ? message.merge(raaf: {request_id: request_id}) : message
      end

      # @param message [Object]
      # @return [void]
      def broadcast(message)
        super(BroadcastStamp.stamp(broadcasting, message))
      end
    end
  end
end
