# frozen_string_literal: true

require_relative "../database"

module RAAF
  module Streaming
    class Memberships
      # Keeps memberships in the application's database, by ActiveRecord 7.1 or newer, in tables that `rails generate
      # raaf:streaming:store` makes: for any number of processes and hosts that share it. Times are the hosts' own.
      #
      # What it is told takes effect at once, also inside a transaction of the application's, and whether or not that is
      # rolled back; but with SQLite, where it is a part of that.
      class ActiveRecordStore < Memberships
        # Sessions that are deleted together, by whoever joins one, when all memberships in them are over.
        SWEEP = 10
        # What there have to be.
        TABLES = %i[sessions members].freeze
        private_constant :SWEEP, :TABLES

        # @param base [Class, String, nil] see {#initialize}
        # @return [Boolean] whether its tables are there; false also where there is no ActiveRecord, and no database
        def self.usable?(base: nil)
          Database.new(base).tables?(*TABLES)
        end

        # @param base [Class, String, nil] an abstract class of ActiveRecord's, or its name (so that it can be
        #   reloaded): by its connection. nil: the application's main database
        # @param options [Hash] see {Memberships#initialize}
        # @raise [ArgumentError] for a wrong number
        def initialize(base: nil, **options)
          super(**options)
          @database = Database.new(base)
        end

        private

        def table(name)
          @database.table(name)
        end

        # The session's row is locked meanwhile, so that there are never more than there may be.
        def add(session, user)
          ask do
            @database.transaction do
              now = @database.now
              row = lock(session)
              members = table(:members).where(session_id: row)
              members.where("expires_at <= ?", now).delete_all
              joined = join_row(members, row, user, now + (ttl * 1000).ceil)
              table(:sessions).where(id: row).update_all(expires_at: now + (ttl * 1000).ceil) if joined
              sweep(now)
              joined
            end
          end
        end

        def lock(session)
          digest = @database.digest(session)
          insert(:sessions, digest: digest, expires_at: @database.now + (ttl * 1000).ceil)
          table(:sessions).where(digest: digest).lock.pick(:id) or
            raise Database::Conflict, "the session was deleted just then"
        end

        def insert(name, **row)
          table(name).insert_all([row], returning: false, record_timestamps: false)
        end

        def join_row(members, row, user, until_then)
          digest = @database.digest(user)
          return true if members.where(digest: digest).update_all(expires_at: until_then).positive?
          return false if members.count >= max_members

          insert(:members, session_id: row, digest: digest, name: user, expires_at: until_then)
          true
        end

        # Sessions that nobody is in any longer.
        def sweep(now)
          rows = table(:sessions).where("expires_at <= ?", now).order(:id).limit(SWEEP).lock("FOR UPDATE SKIP LOCKED")
            .pluck(:id)
          return if rows.empty?

          table(:members).where(session_id: rows).delete_all
          table(:sessions).where(id: rows).delete_all
        end

        def remove(session, user)
          ask do
            @database.use { members_of(session).where(digest: @database.digest(user)).delete_all.positive? }
          end
        end

        def include?(session, user)
          ask { @database.use { members_of(session).where(digest: @database.digest(user)).exists? } }
        end

        def list(session)
          names = ask { @database.use { members_of(session).order(:id).pluck(:name) } }
          names.map { |name| name.dup.force_encoding(Encoding::UTF_8) }
        end

        def members_of(session)
          row = table(:sessions).where(digest: @database.digest(session)).select(:id)
          table(:members).where(session_id: row).where("expires_at > ?", @database.now)
        end

        def ask
          yield
        rescue ScriptError, StandardError => e
          raise Errors::StoreUnavailableError, "the memberships' database failed (#{e.class}: " \
                                               "#{Secrets.redact(e.message.lines.first.to_s.chomp)})"
        end
      end
    end
  end
end
