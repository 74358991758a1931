# frozen_string_literal: true

require_relative "../chunk_processing"
require_relative "../notifications"

module RAAF
  module Streaming
    class Stream
      # Who is told of a run: of each chunk, processors and those who listen to `chunk.raaf`; of its end (`stream.raaf`:
      # how it went, and what it cost; nothing of what was said) those who listen to that. A part of {Stream}.
      #
      # @api private
      module Reporting
        private

        # Who gets each chunk once, before the one who takes it.
        def observers
          @batch = ChunkProcessing::Batch.new(@run.config) if ChunkProcessing.any?
          listener = method(:publish_chunk) if Notifications.listening?("chunk")
          [@batch&.method(:add), listener].compact.freeze
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
