# frozen_string_literal: true

require_relative "../origin"

module RAAF
  module Streaming
    # What a job broadcasts of an error that it has rescued, as the guide's does: `{type: "error", error: …}`. It is
    # sent when the stream's block is left, so nothing would tell which stream it is about.
    #
    # Where the stream has sent its `:error` chunk already it says the same once more, and is stamped as a double of
    # that, which browsers drop; where it had not begun to send, it is its last frame.
    #
    # @api private
    module LastWords
      TYPES = %w[error agent_error].freeze

      module_function

      # @param broadcasting [String]
      # @param message [Hash]
      # @return [Hash, nil] a copy with the stamp; nil: the message is nothing of that kind
      def stamp(broadcasting, message)
        delivery = failed_delivery if $! && TYPES.include?((message[:type] || message["type"]).to_s)
        message.merge(raaf: delivery.stamp_end(broadcasting)) if delivery
      end

      # Of the stream that the job has begun last; only in a job, where one follows the other.
      def failed_delivery
        origin = Origin.current
        delivery = origin.deliveries.last if origin&.owner
        delivery if delivery && %i[failed cancelled].include?(delivery.stream.status)
      end
    end
  end
end
