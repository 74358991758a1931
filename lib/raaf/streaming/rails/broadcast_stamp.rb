# frozen_string_literal: true

require_relative "../delivery"
require_relative "../origin"
require_relative "last_words"

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
    # - *It is kept* in the replay store too ({Delivery#stamp}), so that a browser that was away can ask for it.
    # - *Long answers*: a text under the key `cumulative` that is longer than {Configuration#cumulative_limit} is left
    #   out. What PostgreSQL would not take goes as `{type:, chunk_type:, raaf: {…, fetch: true}}`: the browser fetches
    #   it from the store.
    # - *A broadcast that fails* (Redis is away) fails no stream: it is counted and logged once a minute, and the
    #   browser fetches the frame.
    #
    # A Hash that is broadcast outside of a stream's block while a request of a browser's is dealt with, such as the
    # error of a question that came to no stream, gets `raaf: {request_id: "…"}`; what a job says there of an error is
    # its stream's last frame ({LastWords}). All else is sent as it is: what is not a Hash, and a Hash that has a `raaf`
    # of its own.
    module BroadcastStamp
      # Bytes of a message that PostgreSQL takes. Source: its documentation of NOTIFY, "must be … shorter than 8000
      # bytes".
      POSTGRESQL_BYTES = 7999
      # Errors of whoever has written the message; they are his.
      MISTAKES = [ArgumentError, NameError, TypeError].freeze
      private_constant :MISTAKES

      @complaints = Complaints.new

      class << self
        # @return [void]
        # @api private
        def install
          ActionCable::Server::Broadcasting::Broadcaster.prepend(self)
        end

        # @return [Integer] broadcasts that have failed since this process began
        def failures
          @complaints.count
        end

        # @param delivery [Delivery]
        # @param broadcasting [String] the stream of Action Cable's
        # @param message [Object]
        # @return [Object] what is to be sent: the message, or one with the stamp
        # @api private
        def stamp(delivery, broadcasting, message)
          return message unless unstamped?(message)

          config = Streaming.configuration
          stamped = delivery.stamp(broadcasting, message, cumulative_limit: config.cumulative_limit)
          (postgresql? && config.replay_store) ? pointer_or_all(stamped) : stamped
        end

        # @param message [Object] that is broadcast outside of a stream's block
        # @return [Object] what is to be sent
        # @api private
        def of_request(message)
          request_id = Origin.current&.request_id
          return message if request_id.nil? || !unstamped?(message)

          message.merge(raaf: {request_id: request_id})
        end

        # @param error [StandardError] of a broadcast
        # @return [void]
        # @api private
        def failed(error)
          @complaints.add do |times|
            "a broadcast of a stream has failed (#{error.class}: #{Secrets.redact(error.message)}; #{times} so far); " \
              "the stream goes on, and browsers fetch the frame from the replay store"
          end
        end

        private

        # @return [Boolean] whether it is for us to stamp
        def unstamped?(message)
          message.is_a?(Hash) && !message.key?(:raaf) && !message.key?("raaf")
        end

        # Asked for each frame.
        def postgresql?
          cable = ::ActionCable.server.config.cable or return false
          (cable[:adapter] || cable["adapter"]) == "postgresql"
        end

        def pointer_or_all(message)
          return message unless message[:raaf] && ActiveSupport::JSON.encode(message).bytesize > POSTGRESQL_BYTES

          kind = message.slice(:type, :chunk_type, "type", "chunk_type")
          {**kind, raaf: {**message[:raaf], fetch: true}}
        end
      end

      # @param message [Object]
      # @return [void]
      def broadcast(message)
        delivery = Delivery.current || LastWords.of(message) or return super(BroadcastStamp.of_request(message))

        begin
          super(BroadcastStamp.stamp(delivery, broadcasting, message))
        rescue *MISTAKES
          raise
        rescue => e
          BroadcastStamp.failed(e)
        end
      end
    end
  end
end
