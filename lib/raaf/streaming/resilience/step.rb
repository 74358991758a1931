# frozen_string_literal: true

module RAAF
  module Streaming
    module Resilience
      # Another attempt, ready to be started: what is asked, and what is said about it.
      #
      # call: the ModelCall, prepared; native: its NativeStream; entry: who is asked; error: what the attempt before
      # ended with; number: of the retry, from 1; delay: seconds until it is sent; words: for whoever reads the answer;
      # mode: :again (nothing of the answer had come), :continue or :reset.
      #
      # @api private
      Step = Struct.new(:call, :native, :entry, :error, :number, :delay, :words, :mode, keyword_init: true) do
        # @implements Step

        # @return [Boolean] whether whoever shows the answer has to start over
        def reset?
          mode == :reset
        end

        # @return [Hash{Symbol=>Object}] attributes of the chunk that announces it
        def announcement
          {delta: words, error: words, exception: error, retry_after: delay, terminal: false,
           metadata: {retry_count: number, delay: delay, reason: reason, mode: mode, **call.details}}
        end

        # @param stream_id [String]
        # @return [Hash{Symbol=>Object}] for subscribers: not a word of the conversation
        def report(stream_id)
          {stream_id: stream_id, provider: error.provider, model: error.model, error: error.class.name, reason: reason,
           attempt: number, delay: delay, mode: mode, next_provider: call.details[:provider],
           next_model: call.details[:model]}
        end

        # @return [String] the status of the response, where that is the error; else its class without "Error"
        def reason
          status = error.status
          (status && status >= 400) ? status.to_s : error.class.name.to_s.split("::").last.to_s.delete_suffix("Error")
        end
      end
    end
  end
end
