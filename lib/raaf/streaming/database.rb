# frozen_string_literal: true

require "digest/sha2"
require "timeout"

module RAAF
  module Streaming
    # The application's database, as our stores use it through ActiveRecord: which tables there are, and on which
    # connection they are asked. ActiveRecord is loaded with the first use, never by this file.
    #
    # A connection is taken for one use and given back; nothing waits while it holds one. Each use goes to the role for
    # writing and the default shard, whatever the application is connected to just then; is not answered from the query
    # cache; and is not logged, since it is frequent and has what users are told in it.
    #
    # A transaction of ours is never a part of the application's: where the calling thread is inside of one, another
    # thread with a connection of its own does it. But with SQLite, where nobody else may write meanwhile: there it is a
    # part of the caller's, and a rollback takes it along.
    #
    # @api private
    class Database
      # Something other processes have done just then stands in the way; the same is tried again.
      class Conflict < StandardError; end

      # What migrations call our tables, with what is put before and behind the names.
      TABLES = {streams: "raaf_streams", places: "raaf_stream_places", frames: "raaf_stream_frames",
                keys: "raaf_stream_keys", leases: "raaf_leases",
                sessions: "raaf_sessions", members: "raaf_session_members",
                conversations: "raaf_conversations", messages: "raaf_conversation_messages"}.freeze
      # How often something is tried that others stand in the way of.
      TRIES = 6
      # Seconds of the first pause between two tries; each is longer than the one before.
      PAUSE = 0.01
      # Seconds for which a thread waits for another one that does it instead.
      APART_SECONDS = 10
      # ActiveRecord's own for deadlocks and locks that were not to be had.
      CONFLICTS = %w[ActiveRecord::TransactionRollbackError ActiveRecord::LockWaitTimeout SQLite3::BusyException
        SQLite3::LockedException].freeze

      # The first ActiveRecord that waits for SQLite without holding Ruby's global lock. Source: rails/rails pull
      # request 51958, merged for 8.0.
      POLITE = Gem::Version.new("8.0.0.alpha")
      # Milliseconds for which SQLite's turn is waited for, where database.yml does not say.
      WAIT = 5000

      # @param base [Class, String, nil] an abstract class of ActiveRecord's, or its name: by its connection. nil: the
      #   application's main database
      def initialize(base = nil)
        @base = base
        @lock = Mutex.new # covers the rest
        @tables = {}
        @polite = ObjectSpace::WeakMap.new # connections of SQLite's
      end

      # @param name [Symbol] of {TABLES}
      # @return [Class] a model
      def table(name)
        parent = base
        @lock.synchronize do
          @tables.clear unless @parent.equal?(parent) # it was reloaded
          @parent = parent
          @tables[name] ||= model(parent, TABLES.fetch(name))
        end
      end

      # @param names [Array<Symbol>] of {TABLES}
      # @return [Boolean] whether they are there; false also where there is no ActiveRecord, or no database
      def tables?(*names)
        use do
          parent = base
          parent.connection_pool.with_connection do |connection|
            names.all? { |name| connection.table_exists?(full_name(parent, TABLES.fetch(name))) }
          end
        end
      rescue ScriptError, StandardError
        false
      end

      # Has a connection for the block, and does it again where others stand in the way.
      #
      # @yieldreturn [Object]
      # @return [Object] what the block returns
      # @raise [StandardError] ActiveRecord's own
      def use(&block)
        in_role { apart? ? apart { in_role { again(&block) } } : again(&block) }
      end

      # As {use}, in one transaction of its own. The block must be one that can be done again. Its first statement must
      # write: so SQLite waits for its turn, which it does not where a transaction has read before.
      #
      # @yieldreturn [Object]
      # @return [Object] what the block returns
      # @raise [StandardError] ActiveRecord's own
      def transaction(&block)
        use { base.transaction(requires_new: true, &block) }
      end

      # @return [Integer] milliseconds since 1970, by this host's clock
      def now
        Process.clock_gettime(Process::CLOCK_REALTIME, :millisecond)
      end

      # Names of any length and alphabet, as they stand in an index of any database.
      #
      # @param name [String]
      # @return [String] 64 hexadecimal digits
      def digest(name)
        Digest::SHA256.hexdigest(name)
      end

      private

      def base
        require "active_record"
        return ::ActiveRecord::Base unless (base = @base)

        base.is_a?(String) ? Object.const_get(base) : base
      end

      def model(parent, name)
        full = full_name(parent, name)
        Class.new(parent) do
          self.table_name = full # steep:ignore NoMethod
          self.inheritance_column = nil # steep:ignore NoMethod
        end
      end

      def full_name(parent, name)
        "#{parent.full_table_name_prefix}#{name}#{parent.full_table_name_suffix}"
      end

      # Whatever the application is connected to just then.
      def in_role(&block)
        base
        main = ::ActiveRecord::Base
        shard = main.default_shard unless main.current_shard == main.default_shard
        main.connected_to(role: ::ActiveRecord.writing_role, shard: shard, &block)
      end

      # Between two tries nothing is held.
      def again(&block)
        tries = 0
        begin
          connected(&block)
        rescue => e
          tries += 1
          raise unless tries < TRIES && conflict?(e) && !inside?

          sleep(PAUSE * tries * (1 + rand))
          retry
        end
      end

      def connected(&block)
        silently do
          base.connection_pool.with_connection do |connection|
            make_polite(connection) if sqlite?(connection) && ::ActiveRecord.version < POLITE
            base.uncached(&block)
          end
        end
      end

      def sqlite?(connection)
        connection.adapter_name.match?(/sqlite/i)
      end

      # Before Rails 8, who waits for SQLite's turn to write holds Ruby's global lock meanwhile, so that the very thread
      # whose turn it is cannot get on.
      def make_polite(connection)
        raw = connection.raw_connection
        return if @lock.synchronize { @polite.key?(raw) || !(@polite[raw] = true) }

        most = connection.pool.db_config.configuration_hash.fetch(:timeout, WAIT).to_i # milliseconds
        raw.busy_handler { |count| count < most && sleep(0.001) }
      end

      def silently(&block)
        logger = ::ActiveRecord::Base.logger
        logger.respond_to?(:silence) ? logger.silence(&block) : yield
      end

      def conflict?(error)
        names = [error, error.cause].compact.flat_map { |one| one.class.ancestors.map(&:name) }
        error.is_a?(Conflict) || (names & CONFLICTS).any?
      end

      # @return [Boolean] whether the calling thread is inside of a transaction of the application's
      def inside?
        pool = base.connection_pool
        return false unless pool.active_connection?

        pool.with_connection { |connection| connection.current_transaction.joinable? }
      end

      def apart?
        inside? && base.connection_pool.with_connection { |connection| !sqlite?(connection) }
      end

      # Has another thread do it, which has a connection of its own.
      def apart(&block)
        answers = Thread::Queue.new
        ThreadPool.stores.post do
          answers << [:done, block.call]
        rescue StandardError, ScriptError => e
          answers << [:failed, e]
        end
        outcome, value = Streaming.while_waiting { Timeout.timeout(APART_SECONDS) { answers.pop } }
        (outcome == :failed) ? raise(value) : value
      end
    end
  end
end
