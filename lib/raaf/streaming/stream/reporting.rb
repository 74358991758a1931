# frozen_string_literal: true

require_relative "../chunk_processing"
require_relative "../notifications"

module RAAF
  module Streaming
    class Stream
      # Who is told of a run: of each chunk, processors and those who listen to `chunk.raaf`; of another attempt, those
      # who listen to `retry.raaf`; of its end (`stream.raaf`: how it went, and what it cost; nothing of what was said)
      # those who listen to that. A part of {Stream}.
      #
      # @api private
      module Reporting
        private

        # Who gets each chunk once, before the one who takes it.
        def observers
          @batch = ChunkProcessing::Batch.new(@run.config) if ChunkProcessing.any?
          [@batch&.method(:add), listener("chunk", :publish_chunk), listener("retry", :publish_retry)].compact.freeze
        end

        def listener(name, by)
          method(by) if Notifications.listening?(name)
        end

        def observed(block)
          observers = @observers
          return block if observers.empty?

          lambda do |chunk|
            observers.each { |observer| observer.call(chunk) }
            block.call(chunk)
          end
        end

        def publish_chunk(chunk)
          Notifications.publish("chunk", stream_id: id, seq: chunk.seq, chunk_type: chunk.type,
            size: chunk.delta.length, terminal: chunk.terminal?, tool_name: chunk.tool_name)
        end

        # An attempt of the native part's; {Resilience::Recovery} tells of its own.
        def publish_retry(chunk)
          return unless chunk.status? && chunk.status == :retrying

          call = @run.call.details
          attempt, delay, reason, http_status = chunk.metadata.values_at(:attempt, :delay, :reason, :http_status)
          Notifications.publish("retry", stream_id: id, **call, error: nil, reason: reason, http_status: http_status,
            attempt: attempt, delay: delay, mode: :again, next_provider: call[:provider], next_model: call[:model])
        end

        # Once a stream, whoever ended it. Without the stream's lock: subscribers are the application's code.
        def report
          return unless finished? && Notifications.listening?("stream")

          first = @lock.synchronize { @reported.tap { @reported = true } }
          Notifications.publish("stream", **report_payload) unless first
        end

        def report_payload
          started = @started_at
          duration = now - started if started
          {**@run.summary(native), status: status, error: @error&.class&.name, duration: duration}
        end
      end
    end
  end
end
