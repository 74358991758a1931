# frozen_string_literal: true

require_relative "../notifications"

module RAAF
  module Streaming
    class Stream
      # What is told of a run at its end (`stream.raaf`): how it went, and what it cost; nothing of what was said. A
      # part of {Stream}.
      #
      # @api private
      module Reporting
        private

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
