# frozen_string_literal: true

require "active_support/parameter_filter"

module RAAF
  module Streaming
    # Says in the log where a Hash that is broadcast has a record with columns that are kept out of the log (Rails'
    # `filter_parameters`), such as password_digest: Action Cable sends every column that the record's `as_json` has.
    # It says so once for each model, in development and in tests, and changes nothing: what an application sends is its
    # own matter. `rails generate raaf:streaming:install --safe-user` gives User an `as_json` with id and name.
    #
    # @api private
    module BroadcastDoctor
      # Levels of a message that are looked through.
      DEPTH = 4
      private_constant :DEPTH

      @lock = Mutex.new # covers the models it has spoken of
      @told = {}

      class << self
        # @return [void]
        def install
          ActionCable::Server::Broadcasting::Broadcaster.prepend(self)
        end

        # @param broadcasting [String]
        # @param message [Object]
        # @return [void]
        def examine(broadcasting, message)
          records_in(message, DEPTH) { |record| examine_record(broadcasting, record) }
        rescue => e
          Streaming.logger.debug("a broadcast could not be looked through: #{e.class}")
        end

        private

        def records_in(value, depth, &block)
          return if depth.zero?

          case value
          when Hash then value.each_value { |one| records_in(one, depth - 1, &block) }
          when Array then value.each { |one| records_in(one, depth - 1, &block) }
          else yield value if Broadcaster.record?(value)
          end
        end

        def examine_record(broadcasting, record)
          model = record.class.name
          return if @lock.synchronize { @told.key?(model) }

          shown = secrets(record.as_json)
          return if shown.empty? || @lock.synchronize { @told.key?(model).tap { @told[model] = true } }

          Streaming.logger.warn("A broadcast to #{broadcasting} shows browsers #{shown.join(", ")} of a #{model}: " \
                                "broadcast #{model.downcase}.slice(:id, :name) instead of the record, or give " \
                                "#{model} an as_json of its own (rails generate raaf:streaming:install --safe-user)")
        end

        # @return [Array<String>] the columns that are kept out of the log
        def secrets(json)
          filter = ActiveSupport::ParameterFilter.new(::Rails.application.config.filter_parameters, mask: nil)
          filtered = filter.filter(json)
          json.keys.select { |key| !json[key].nil? && filtered[key].nil? }
        end
      end

      # @param message [Object]
      # @return [void]
      def broadcast(message)
        BroadcastDoctor.examine(broadcasting, message)
        super
      end
    end
  end
end
