# frozen_string_literal: true

require "json"
require_relative "../database"

module RAAF
  module Streaming
    class ConversationStore
      # Keeps conversations in the application's database, by ActiveRecord 7.1 or newer, in tables that `rails generate
      # raaf:streaming:store` makes: for any number of processes and hosts that share it. Messages are kept as JSON, so
      # they come back with symbols for keys, and with strings where values were symbols.
      #
      # A conversation that nobody has gone on with for `ttl` seconds is deleted, by whoever goes on with another one.
      # Where the database fails, its methods raise {Errors::StoreUnavailableError}, and so does the run that has asked.
      #
      # @example
      #   RAAF::Streaming.configure do |config|
      #     config.conversation_store = RAAF::Streaming::ConversationStore::ActiveRecordStore.new
      #   end
      class ActiveRecordStore
        # Seconds for which a conversation is kept after its last message, unless another number is given: 30 days.
        TTL = 2_592_000
        # Conversations that are deleted together.
        SWEEP = 10
        # What there have to be.
        TABLES = %i[conversations messages].freeze
        private_constant :SWEEP, :TABLES

        # @param base [Class, String, nil] see {#initialize}
        # @return [Boolean] whether its tables are there; false also where there is no ActiveRecord, and no database
        def self.usable?(base: nil)
          Database.new(base).tables?(*TABLES)
        end

        # @param base [Class, String, nil] an abstract class of ActiveRecord's, or its name (so that it can be
        #   reloaded): by its connection. nil: the application's main database
        # @param max_messages [Integer] for each session; of more the oldest go, in whole exchanges
        # @param ttl [Numeric] seconds for which a conversation is kept after its last message
        # @raise [ArgumentError] for a number below 1
        def initialize(base: nil, max_messages: MAX_MESSAGES, ttl: TTL)
          unless max_messages.is_a?(Integer) && [max_messages, ttl].all? { |one| one.is_a?(Numeric) && one.positive? }
            raise ArgumentError, "max_messages and ttl must be numbers above 0"
          end

          @database = Database.new(base)
          @max_messages = max_messages
          @ttl = ttl
        end

        # (see ConversationStore#messages)
        # @raise [Errors::StoreUnavailableError]
        def messages(session_id)
          rows = ask { @database.use { said_in(session_id).last(@max_messages) } }
          rows.map { |_, data| JSON.parse(data.dup.force_encoding(Encoding::UTF_8), symbolize_names: true) }
        end

        # (see ConversationStore#append)
        # @raise [Errors::StoreUnavailableError]
        def append(session_id, messages)
          rows = messages.map { |message| {role: message[:role].to_s, data: JSON.generate(message)} }
          return if rows.empty?

          ask do
            @database.transaction do
              conversation = lock(session_id.to_s)
              table(:messages).insert_all(rows.map { |row| {conversation_id: conversation, **row} },
                returning: false, record_timestamps: false)
              shorten(table(:messages).where(conversation_id: conversation))
              sweep
            end
          end
          nil
        end

        # (see ConversationStore#clear)
        # @raise [Errors::StoreUnavailableError]
        def clear(session_id)
          ask { @database.transaction { delete(conversation(session_id).pluck(:id)) } }
          nil
        end

        # @return [Integer] sessions that are kept
        # @raise [Errors::StoreUnavailableError]
        def size
          ask { @database.use { table(:conversations).where("expires_at > ?", @database.now).count } }
        end

        # @return [String] short, without a word of what it keeps
        def inspect
          "#<#{self.class.name}>"
        end

        private

        def table(name)
          @database.table(name)
        end

        def conversation(session_id)
          table(:conversations).where(digest: @database.digest(session_id.to_s))
        end

        def said_in(session_id)
          live = conversation(session_id).where("expires_at > ?", @database.now)
          table(:messages).where(conversation_id: live.select(:id)).order(:id).pluck(:id, :data)
        end

        # @return [Integer] the conversation, which is kept from now on for its full time
        def lock(session_id)
          now = @database.now
          table(:conversations).insert_all([{digest: @database.digest(session_id), expires_at: 0}],
            returning: false, record_timestamps: false)
          row, over = conversation(session_id).lock.pick(:id, :expires_at)
          raise Database::Conflict, "the conversation was deleted just then" unless row

          table(:messages).where(conversation_id: row).delete_all if over <= now
          table(:conversations).where(id: row).update_all(expires_at: now + (@ttl * 1000).ceil)
          row
        end

        # What is left begins with a user's message: no provider takes the result of a tool that nobody has called.
        def shorten(said)
          rows = said.order(:id).pluck(:id, :role)
          return if rows.size <= @max_messages

          first, = rows.last(@max_messages).find { |_, role| role == "user" }
          (first ? said.where("id < ?", first) : said).delete_all
        end

        def sweep
          delete(table(:conversations).where("expires_at <= ?", @database.now).order(:id).limit(SWEEP)
            .lock("FOR UPDATE SKIP LOCKED").pluck(:id))
        end

        def delete(rows)
          table(:messages).where(conversation_id: rows).delete_all
          table(:conversations).where(id: rows).delete_all
        end

        def ask
          yield
        rescue ScriptError, StandardError => e
          raise Errors::StoreUnavailableError, "the conversations' database failed (#{e.class}: " \
                                               "#{Secrets.redact(e.message.lines.first.to_s.chomp)})"
        end
      end
    end
  end
end
