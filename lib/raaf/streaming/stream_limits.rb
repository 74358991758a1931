# frozen_string_literal: true

require_relative "../errors"

module RAAF
  module Streaming
    # The errors of runs that are refused before anything is sent.
    #
    # @api private
    module StreamLimits
      # What stands in the way, and what to do; %d is the setting.
      MESSAGES = {
        max_concurrent_streams:
          "all places for streams are taken (max_concurrent_streams is %d): try again, raise it, or have streams " \
          "wait (stream_queue_timeout)",
        max_concurrent_streams_per_user:
          "all places of this user are taken (max_concurrent_streams_per_user is %d): try again when one of their " \
          "streams has ended, or have streams wait (stream_queue_timeout)",
        max_queued_streams:
          "no place is free, and as many streams wait as may (max_queued_streams is %d): try again"
      }.freeze
      private_constant :MESSAGES

      module_function

      # @param limit [Symbol] the setting that stands in the way
      # @param config [Configuration]
      # @param details [Hash{Symbol=>Object}] :provider and :model
      # @return [Errors::StreamLimitError]
      def refused(limit, config, details)
        Errors::StreamLimitError.new(format(MESSAGES.fetch(limit), config.public_send(limit)), limit: limit, **details)
      end

      # @param most [Integer]
      # @param seconds [Float] until there is room for another
      # @param details [Hash{Symbol=>Object}] :provider and :model
      # @return [Errors::StreamLimitError]
      def too_many_messages(most, seconds, details)
        wait = seconds.ceil(1)
        sent = (most == 1) ? "a message" : "#{most} messages"
        Errors::StreamLimitError.new("this user has sent #{sent} within a minute, as many as " \
                                     "messages_per_minute_per_user allows: try again in #{wait} s",
          limit: :messages_per_minute_per_user, retry_after: wait, **details)
      end
    end
  end
end
