# frozen_string_literal: true

require "time"
require_relative "config_api"

module RAAF
  module Streaming
    # Sends frames to whoever listens to a named stream: by Action Cable where an application has loaded it, and to
    # nobody where not. Anything else with `call(stream, frame)` can take its place.
    #
    # @example
    #   broadcaster = ->(stream, frame) { redis.publish(stream, frame.to_json) }
    #   RAAF::Streaming::Orchestrator.new(session_id: "42", broadcaster: broadcaster)
    module Broadcaster
      module_function

      # @param stream [String] the name of the stream, such as "orchestrator_42"
      # @param frame [Hash{Symbol=>Object}] what becomes JSON
      # @return [Boolean] whether there was somebody to hand it to
      def call(stream, frame)
        return false unless defined?(::ActionCable) && ::ActionCable.respond_to?(:server)

        ::ActionCable.server.broadcast(stream, frame)
        true
      end

      # @return [String] the time as frames have it: ISO 8601, in UTC
      # @api private
      def timestamp
        Time.now.utc.iso8601
      end
    end
  end
end
