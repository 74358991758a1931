# frozen_string_literal: true

require_relative "../database"
require_relative "shared_store"
require_relative "active_record_store/stream_record"
require_relative "active_record_store/records"
require_relative "active_record_store/sweep"

module RAAF
  module Streaming
    class ReplayStore
      # Keeps frames in the application's database, by ActiveRecord 7.1 or newer: for any number of processes and hosts
      # that share it, where there is no Redis. The tables are made by `rails generate raaf:streaming:store`. It is
      # tried with SQLite and PostgreSQL. What it asks is said in ActiveRecord's own words, so MySQL should do as well,
      # but has not been tried.
      #
      # {#append}, {#add_keys} and {#finish} put what is to be written into a queue, which one thread at a time writes,
      # many frames in one short transaction; so they never wait, and a transaction of the application's has no part in
      # them. While the database is away or busy it is tried again, for 30 s (the ends of streams: for 10 min);
      # meanwhile, and where there is more than it takes, the oldest is lost once the queue is full. {#begin} and what
      # asks wait for the database, as long as its own time limits allow.
      #
      # One look at the database each `poll` seconds tells a process which of all its streams are to stop; none, where
      # it watches none. A connection is taken for each of these, and given back: the pool needs one or two more than
      # there are threads.
      #
      # A stream that has expired is not found any more; its rows are deleted by whoever writes, a few at a time, about
      # once a minute. Expiry and leases go by the hosts' clocks, which have to agree to a few seconds.
      #
      # With Rails 7 and SQLite, a thread of the application's that waits for its turn to write holds Ruby's own lock,
      # and so keeps this store's threads from ending theirs: there Rails 8 is the better one, or Redis.
      #
      # With SQLite only one process writes at a time: have it in WAL mode, as Rails does, and with a `timeout` in
      # database.yml. Inside a transaction of the application's {#begin}, {#await} and {#cancel} are a part of that
      # there, and nothing else is written until it ends.
      #
      # @example
      #   RAAF::Streaming.configure { |config| config.replay_store = RAAF::Streaming::ReplayStore::ActiveRecordStore.new }
      #
      #   class StreamsRecord < ActiveRecord::Base   # a database of their own
      #     self.abstract_class = true
      #     connects_to database: {writing: :streams, reading: :streams}
      #   end
      #   RAAF::Streaming::ReplayStore::ActiveRecordStore.new(base: "StreamsRecord")
      class ActiveRecordStore < SharedStore
        # Streams that are asked for at once.
        SLICE = 500
        # How often a checkpoint is read again where frames are dropped for room meanwhile.
        TRIES = 3
        # What there have to be.
        TABLES = %i[streams places frames keys leases].freeze
        private_constant :SLICE, :TRIES, :TABLES

        # @param base [Class, String, nil] see {#initialize}
        # @return [Boolean] whether its tables are there; false also where there is no ActiveRecord, and no database
        def self.usable?(base: nil)
          Database.new(base).tables?(*TABLES)
        end

        # @param base [Class, String, nil] an abstract class of ActiveRecord's, or its name (so that it can be
        #   reloaded): by its connection. nil: the application's main database
        # @param options [Hash] see {SharedStore#initialize}
        # @raise [ArgumentError] for a wrong number
        def initialize(base: nil, **options)
          super(**options)
          @base = base
          @database = Database.new(base)
          @sweep = Sweep.new(@database)
        end

        # (see ReplayStore#begin)
        def begin(stream_id, owner: SecureRandom.uuid, keys: [], at_least: 1)
          id = id_of(stream_id)
          owner = @database.digest(ReplayStore.name_of(owner, "owner"))
          keys = check_keys(keys)
          count("at_least", at_least)
          attempt = begin_in_database(id, owner, keys, at_least) || at_least
          @lease.hold(id, attempt)
          attempt
        end

        # (see ReplayStore#await)
        def await(stream_id, attempt: 0, keys: [])
          id = id_of(stream_id)
          keys = check_keys(keys)
          count("attempt", attempt, 0)
          @lease.release(id, attempt)
          ask { change_one(id, keys) { |record| record.await(attempt) } }
          nil
        rescue Errors::StoreUnavailableError => e
          Streaming.logger.warn("#{e.message}; nobody learns that the stream #{id} waits")
          nil
        end

        # (see ReplayStore#read)
        def read(stream_id, place:, after: 0, attempt: nil, limit: READ_LIMIT)
          place = ReplayStore.name_of(place, "place")
          id = id_of(stream_id)
          count("after", after, 0)
          count("limit", limit)
          ask { @database.use { read_rows(id, place, after, attempt, limit) } }
        end

        # (see ReplayStore#checkpoint)
        def checkpoint(stream_id, place:)
          place = ReplayStore.name_of(place, "place")
          id = id_of(stream_id)
          TRIES.times do
            found = ask { @database.use { read_checkpoint(id, place) } }
            return found || nil unless found.nil?
          end
          nil
        end

        # (see ReplayStore#state_of)
        def state_of(stream_id)
          id = id_of(stream_id)
          ask { @database.use { read_state(id) } }
        end

        # (see ReplayStore#finished?)
        def finished?(stream_id)
          pick(stream_id, :finished).first || false
        end

        # (see ReplayStore#cancel)
        def cancel(stream_id)
          id = id_of(stream_id)
          here = @watcher.cancel(id)
          ask { change_one(id) { |record| record.cancel } } || here
        rescue Errors::StoreUnavailableError
          here || raise
        end

        # (see ReplayStore#cancelled?)
        def cancelled?(stream_id)
          pick(stream_id, :cancelled).first || false
        end

        # (see ReplayStore#streams_of)
        def streams_of(key, recent: false)
          digest = @database.digest(ReplayStore.name_of(key, "key"))
          ask do
            @database.use do
              found = live.where(recent ? {} : {finished: false})
              keys = table(:keys).where(digest: digest, stream_id: found.select(:id))
              rows = keys.order(id: :desc).limit(MAX_LISTED).pluck(:stream_id).reverse
              names = table(:streams).where(id: rows).pluck(:id, :name).to_h
              rows.filter_map { |row| utf8(names[row]) if names[row] }
            end
          end
        end

        # (see ReplayStore#keys_of)
        def keys_of(stream_id)
          id = id_of(stream_id)
          ask { @database.use { table(:keys).where(stream_id: live_one(id).select(:id)).pluck(:name) } }
            .map { |name| utf8(name) }
        end

        # Where the tables for them are not there, their questions fail.
        #
        # @return [Memberships::ActiveRecordStore] a new one
        def memberships
          Memberships::ActiveRecordStore.new(base: @base)
        end

        private

        def table(name)
          @database.table(name)
        end

        def live
          table(:streams).where("expires_at > ?", @database.now)
        end

        def live_one(id)
          live.where(digest: @database.digest(id))
        end

        def ask
          yield
        rescue ScriptError, StandardError => e
          raise Errors::StoreUnavailableError, "the replay store's database failed (#{e.class}: " \
                                               "#{Secrets.redact(e.message.lines.first.to_s.chomp)})"
        end

        # @return [Array<Object>] of a column; none where nothing is known
        def pick(stream_id, column)
          id = id_of(stream_id)
          ask { @database.use { live_one(id).pluck(column) } }
        end

        # @return [Object] what the block returns
        def change_one(id, keys = [])
          records = Records.new(@database, self)
          records.change([id]) do |found, now|
            record = found.fetch(id)
            result = yield(record)
            record.touch(now, self)
            records.add_keys(record, keys)
            result
          end
        end

        # @return [Integer, nil] nil: it has failed
        def begin_in_database(id, owner, keys, at_least)
          process = @lease.process
          begun(id, at_least) do
            ask do
              change_one(id, keys) do |record|
                record.begin(owner, at_least, process)
                hold_lease(process)
                record.attempt
              end
            end
          end
        end

        # On a thread of the pool of stores.
        def renew(process)
          @database.transaction { hold_lease(process) }
        end

        # Inside a transaction.
        def hold_lease(process)
          until_then = @database.now + milliseconds(lease_seconds)
          return if table(:leases).where(process: process).update_all(expires_at: until_then).positive?

          table(:leases).insert_all([{process: process, expires_at: until_then}], returning: false,
            record_timestamps: false)
        end

        # On a thread of the writer's.
        def write(items)
          records = Records.new(@database, self)
          outcomes = records.change(items.map { |_, id| id }) do |found, now|
            items.map { |kind, id, what| [kind, id, *apply(records, found.fetch(id), now, kind, what)] }
          end
          outcomes.each { |kind, id, attempt, done| note(kind, id, attempt, done) }
          @sweep.now_and_then
        end

        # @return [Array(Integer, Boolean)] the attempt there is, and whether it was done
        def apply(records, record, now, kind, what)
          done = case kind
          when :append then record.keep(@database.digest(what.place), what, @lease.process, max_text_bytes)
          when :finish then record.finish(what, @lease.process)
          else record.known? && records.add_keys(record, what)
          end
          record.touch(now, self) if done && kind != :add_keys
          [record.attempt, done]
        end

        # On a thread of the watcher's.
        def look(_fresh, all)
          ids = all.to_h { |id| [@database.digest(id), id] }
          rows = @database.use do
            ids.keys.each_slice(SLICE).flat_map do |digests|
              live.where(digest: digests).pluck(:digest, :attempt, :cancelled)
            end
          end
          rows.to_h { |digest, attempt, cancelled| [ids[digest], [sure?(ids[digest]) ? attempt : 0, cancelled]] }
        end

        def read_state(id)
          finished, cancelled, waiting, process = live_one(id).pick(:finished, :cancelled, :waiting, :process)
          return if finished.nil?
          return :cancelled if cancelled
          return :finished if finished
          return :waiting if waiting

          alive = process && table(:leases).where(process: process).where("expires_at > ?", @database.now).exists?
          alive ? :running : :abandoned
        end

        # @return [Array<Object>] columns of the stream, then those of its place; nil where there is none
        def stream_and_place(id, place, columns, place_columns)
          row, *stream = live_one(id).pick(:id, *columns)
          return [] unless row

          stream + Array(table(:places).where(stream_id: row, digest: @database.digest(place)).pick(*place_columns))
        end

        # Frames that come or are dropped between two of these questions show as more, or as a gap.
        def read_rows(id, place, after, attempt, limit)
          current, finished, cancelled, row, last =
            stream_and_place(id, place, %i[attempt finished cancelled], %i[id last])
          return unless current

          after = 0 if attempt && attempt < current
          rows = row ? frames_after(row, after, limit) : []
          frames = rows.map do |seq, data, terminal|
            Frame.new(place: place, seq: seq, attempt: current, message: utf8(data), terminal: terminal)
          end
          Reading.new(frames: frames, attempt: current, after: after, finished: finished, cancelled: cancelled,
            last: [last.to_i, frames.last&.seq.to_i].max)
        end

        def frames_after(row, after, limit)
          table(:frames).where(place_id: row).where("seq > ?", after).order(:seq).limit(limit)
            .pluck(:seq, :data, :terminal)
        end

        # @return [Checkpoint, false, nil] nil: what was read does not go together; false: there is none
        def read_checkpoint(id, place)
          attempt, finished, row, last, size, text, from =
            stream_and_place(id, place, %i[attempt finished], %i[id last size text text_from])
          return false if row.nil? || size.negative?

          pieces = table(:frames).where(place_id: row, seq: from..last).order(:seq).pluck(:delta)
          whole = utf8(text.to_s + pieces.join)
          return if whole.bytesize != size

          Checkpoint.new(place: place, attempt: attempt, seq: last, text: whole, finished: finished)
        end
      end
    end
  end
end
