# frozen_string_literal: true

require_relative "../live_run"
require_relative "../origin"
require_relative "../run_context"

module RAAF
  module Streaming
    # What a job broadcasts of an error that it has rescued, as the guide's does: `{type: "error", error: …}`. It is
    # sent when the stream's block is left, so nothing would tell which stream it is about.
    #
    # Where the stream has sent its `:error` chunk already it says the same once more, and is stamped as a double of
    # that, which browsers drop; where it had sent nothing yet, or had not even begun, it is its last frame.
    #
    # @api private
    class LastWords
      # Of messages that tell of an error: the guide's job's and channel's.
      TYPES = %w[error agent_error].freeze

      class << self
        # @param message [Object] that is broadcast outside of a stream's block
        # @return [LastWords, nil] nil: it is nothing of that kind
        def of(message)
          origin = Origin.current if $! && error?(message)
          delivery = delivery_of(origin) if origin&.owner # which only a job has
          new(delivery) if delivery
        end

        private

        def error?(message)
          message.is_a?(Hash) && TYPES.include?((message[:type] || message["type"]).to_s)
        end

        # Of the stream that the job has begun last: one follows the other.
        def delivery_of(origin)
          last = origin.last or return (of_none(origin) if origin.request_id)
          last if last.stream.nil? || %i[failed cancelled].include?(last.stream.status)
        end

        # A browser waits for a stream that has not come about.
        def of_none(origin)
          context = RunContext.new(origin: origin, session_id: origin.session_id, user_id: origin.user_id)
          Delivery.new(nil, LiveRun.new(context, Streaming.configuration)).tap { |made| origin.last = made }
        end
      end

      # @param delivery [Delivery]
      def initialize(delivery)
        @delivery = delivery
      end

      # (see Delivery#stamp)
      def stamp(place, message, cumulative_limit: nil) # rubocop:disable Lint/UnusedMethodArgument
        @delivery.stamp_end(place, message)
      end
    end
  end
end
