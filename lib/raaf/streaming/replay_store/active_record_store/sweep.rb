# frozen_string_literal: true

module RAAF
  module Streaming
    class ReplayStore
      class ActiveRecordStore < SharedStore
        # Deletes what has expired, a few streams in each transaction, now and then. What fails is done another time.
        #
        # @api private
        class Sweep
          # Seconds between two sweeps of a process.
          SECONDS = 60
          # Streams of one transaction.
          BATCH = 10
          # Transactions of one sweep; what is left waits for the next one.
          MOST = 50

          # @param database [Database]
          def initialize(database)
            @database = database
            @lock = Mutex.new # covers the rest
            @due = 0.0
          end

          # Sweeps, unless it was done within the last minute.
          #
          # @return [void]
          def now_and_then
            run if due?
          end

          # @return [Integer] streams that are deleted
          def run
            @database.use { @database.table(:leases).where("expires_at <= ?", @database.now).delete_all }
            deleted = 0
            MOST.times do
              rows = delete_some
              deleted += rows
              break if rows < BATCH
            end
            deleted
          rescue => e
            Streaming.logger.warn("the replay store could not delete what has expired (#{e.class}); it is tried again")
            deleted.to_i
          end

          private

          def due?
            @lock.synchronize do
              next false if Timers.now < @due

              @due = Timers.now + SECONDS * (1 + rand)
            end
          end

          def delete_some
            @database.transaction do
              streams = @database.table(:streams)
              # SQLite's turn to write begins with this.
              streams.where(id: 0).update_all(expires_at: 0)
              rows = streams.where("expires_at <= ?", @database.now).order(:digest).limit(BATCH).lock.pluck(:id)
              Records.new(@database, nil).delete(rows)
              rows.size
            end
          end
        end
      end
    end
  end
end
