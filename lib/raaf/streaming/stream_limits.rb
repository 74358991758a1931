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
          "%d streams are running, as many as max_concurrent_streams allows: try again, raise it, or have them wait " \
          "(stream_queue_timeout)",
        max_concurrent_streams_per_user:
          "%d streams of this user are running, as many as max_concurrent_streams_per_user allows: try again when " \
          "one of them has ended, or have them wait (stream_queue_timeout)",
        max_queued_streams:
          "no place is free, and %d streams wait for one, as many as max_queued_streams allows: try again"
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
        Errors::StreamLimitError.new("this user has sent #{most} messages within a minute, as many as " \
                                     "messages_per_minute_per_user allows: try again in #{wait} s",
          limit: :messages_per_minute_per_user, retry_after: wait, **details)
      end
    end
  end
end
