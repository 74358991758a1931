# frozen_string_literal: true

require_relative "error"

module RAAF
  module Errors
    # The stream was cancelled: by `cancel`, by a `break` out of the block, or because the process shuts down.
    class CancelledError < Error
      # @return [Symbol, nil] :cancelled, :superseded or :shutdown
      attr_reader :reason

      # @param message [String, nil]
      # @param reason [Symbol, nil] :cancelled (somebody asked for it), :superseded (another run of the same job has
      #   begun the same stream anew) or :shutdown (the process ends)
      # @param details [Hash] as for {Error#initialize}
      def initialize(message = nil, reason: nil, **details)
        super(message, **details)
        @reason = reason
      end

      # (see Error.default_message)
      def self.default_message
        "the stream was cancelled"
      end

      # @return [Boolean] only after a shutdown: another process can run it again
      def retryable?
        reason == :shutdown
      end

      private

      def detail_names
        super + [:reason]
      end
    end

    # A limit of this process was reached: `max_concurrent_streams`, `max_concurrent_streams_per_user`,
    # `max_queued_streams`, `messages_per_minute_per_user` (with {Error#retry_after}), or `max_text_bytes` for one
    # answer.
    class StreamLimitError < Error
      # @return [Symbol, nil] the setting that stands in the way, such as :max_concurrent_streams
      attr_reader :limit

      # @param message [String, nil]
      # @param limit [Symbol, nil] the name of the setting
      # @param details [Hash] as for {Error#initialize}
      def initialize(message = nil, limit: nil, **details)
        super(message, **details)
        @limit = limit
      end

      # (see Error.default_message)
      def self.default_message
        "too many streams at once"
      end

      # @return [Boolean] true, unless the answer itself was too large
      def retryable?
        limit != :max_text_bytes
      end

      private

      def detail_names
        super + [:limit]
      end
    end

    # The stream was started before a fork, and this is the child: its connection belongs to the parent.
    class ForkedError < Error
      # (see Error.default_message)
      def self.default_message
        "the stream belongs to the process that forked this one; start a new one here"
      end
    end

    # A store that several processes share, such as a {Streaming::ReplayStore}, does not answer.
    class StoreUnavailableError < Error
      # (see Error.default_message)
      def self.default_message
        "the store does not answer"
      end

      # @return [Boolean] true
      def retryable?
        true
      end
    end

    # A tool failed, or the model called it with arguments that make no sense.
    class ToolError < Error
      # @return [String, nil] the tool's name
      attr_reader :tool_name
      # @return [String, nil] the provider's id of the call
      attr_reader :tool_id

      # @param message [String, nil]
      # @param tool_name [#to_s, nil]
      # @param tool_id [#to_s, nil]
      # @param details [Hash] as for {Error#initialize}
      def initialize(message = nil, tool_name: nil, tool_id: nil, **details)
        super(message, **details)
        @tool_name = tool_name&.to_s
        @tool_id = tool_id&.to_s
      end

      # (see Error.default_message)
      def self.default_message
        "a tool failed"
      end

      private

      def detail_names
        super + %i[tool_name tool_id]
      end
    end

    # The model went on calling tools until the agent's `max_turns` was used up.
    class MaxTurnsError < Error
      # @return [Array<Hash{Symbol=>Object}>, nil] the conversation so far, up to the calls that were not answered
      attr_reader :messages

      # @param message [String, nil]
      # @param messages [Array<Hash>, nil]
      # @param details [Hash] as for {Error#initialize}
      def initialize(message = nil, messages: nil, **details)
        super(message, **details)
        @messages = messages
      end

      # (see Error.default_message)
      def self.default_message
        "the agent used up its turns; raise max_turns, or give it an instruction to come to an end"
      end
    end

    # The consumer took chunks so slowly that the stream could be held back no longer.
    class SlowConsumerError < Error
      # (see Error.default_message)
      def self.default_message
        "the chunks were taken too slowly; do less in the block, or raise queue_max_bytes"
      end
    end
  end
end
