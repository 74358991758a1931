# frozen_string_literal: true

module RAAF
  module Streaming
    class ReplayStore
      # Which store it is where the application has set none: by Action Cable's adapter, since what carries frames
      # between processes carries the store too. A part of {ReplayStore}'s class methods.
      module Choice
        # Adapters of Action Cable that reach one process.
        ONE_PROCESS = %w[async inline test].freeze
        # Seconds that Redis may take to answer, unless cable.yml says otherwise.
        REDIS_TIMEOUT = 0.5
        # Connections to Redis, at most.
        REDIS_CONNECTIONS = 5

        # The store for what cable.yml says: `async`, `inline` and `test` keep frames in memory; `redis` in the same
        # Redis, below the same channel_prefix; everything else (`solid_cable`, `postgresql`) in the database, where the
        # table for it is there, and in memory where not, with a warning.
        #
        # @param config [Hash, nil] as ActionCable.server.config.cable
        # @return [ReplayStore]
        def for_cable(config)
          settings = (config || {}).to_h.transform_keys(&:to_sym)
          adapter = settings[:adapter].to_s
          return MemoryStore.new if adapter.empty? || ONE_PROCESS.include?(adapter)

          (adapter == "redis") ? in_redis(settings) : in_database(adapter)
        rescue LoadError, StandardError => e
          in_memory("#{e.class}: #{Secrets.redact(e.message)}")
        end

        # Says how the store is chosen, at its first use, where none was set.
        #
        # @yieldreturn [ReplayStore, nil]
        # @return [void]
        # @api private
        def choose(&block)
          @choice = block
          @chosen = nil
        end

        # @return [ReplayStore, nil] the one that was chosen, now or before
        # @api private
        def chosen
          return @chosen if @chosen || @choice.nil?

          CHOOSING.synchronize { @chosen ||= @choice.call }
        end

        # Waits until what was appended is kept, in the store that is in use, if any.
        #
        # @param seconds [Numeric] at most
        # @return [void]
        # @api private
        def flush_used(seconds)
          set = Streaming.configuration.to_h[:replay_store]
          store = set.nil? ? @chosen : set
          store.flush(seconds) if store.respond_to?(:flush)
        end

        CHOOSING = Mutex.new
        private_constant :CHOOSING

        private

        def in_redis(settings)
          require "redis"
          require "connection_pool"
          options = {timeout: REDIS_TIMEOUT, **settings.except(:adapter, :channel_prefix)}
          pool = ConnectionPool.new(size: REDIS_CONNECTIONS) { ::Redis.new(**options) }
          RedisStore.new(pool, prefix: "#{[settings[:channel_prefix], "raaf:replay"].compact.join(":")}:")
        end

        def in_database(adapter)
          require_relative "active_record_store"
          return ActiveRecordStore.new if ActiveRecordStore.usable?

          in_memory("Action Cable's adapter is #{adapter}, and the database has no table for it")
        end

        def in_memory(why)
          Streaming.logger.warn("what streams send is kept in the memory of this process only, so that readers of " \
                                "another one get nothing again, and cannot stop it: #{why}")
          MemoryStore.new
        end
      end
    end
  end
end
