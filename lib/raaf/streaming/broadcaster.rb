# frozen_string_literal: true

require "time"
require_relative "config_api"

module RAAF
  module Streaming
    # Sends frames to whoever listens to a named stream: by Action Cable where an application has loaded it, and to
    # nobody where not. Anything else with `call(stream, frame)` can take its place.
    #
    # A record of a database in a frame goes out as its id and name, and nothing else of it.
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
        return false unless there?

        ::ActionCable.server.broadcast(stream, without_records(frame))
        true
      end

      # @return [Boolean] whether there is somebody to hand frames to
      # @api private
      def there?
        !!defined?(::ActionCable) && ::ActionCable.respond_to?(:server)
      end

      # @param value [Object] what becomes JSON
      # @return [Object] the same, with id and name in place of a record
      # @api private
      def without_records(value)
        case value
        when Hash then value.transform_values { |one| without_records(one) }
        when Array then value.map { |one| without_records(one) }
        else record?(value) ? slice(value) : value
        end
      end

      # @param value [Object]
      # @return [Boolean]
      # @api private
      def record?(value)
        !!defined?(::ActiveRecord::Base) && value.is_a?(::ActiveRecord::Base)
      end

      # @param record [#id]
      # @return [Hash{Symbol=>Object}]
      # @api private
      def slice(record)
        {id: record.id, name: (record.name if record.respond_to?(:name))}.compact
      end

      # @return [String] the time as frames have it: ISO 8601, in UTC
      # @api private
      def timestamp
        Time.now.utc.iso8601
      end
    end
  end
end
