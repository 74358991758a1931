# frozen_string_literal: true

module RAAF
  module Streaming
    class ReplayStore
      # Writes to a store that answers slowly or not at all, in the order in which it was told, on one thread of
      # {ThreadPool.stores} at a time; so nobody waits.
      #
      # What waits is bounded: of more, the oldest is lost. Where the store fails, the same is tried again, until it has
      # failed for so long that readers will have given up; then what waits is lost. But the ends of streams are kept
      # longer, and are lost last: without one a reader would wait for a stream that runs no more. A child has nothing
      # of what its parent is to write.
      #
      # @api private
      class Writer
        # Things written at once.
        BATCH = 200
        # Seconds before the next try, and the most that the doubling of it comes to.
        DELAYS = (0.05..1.0)
        # Seconds for which a store may fail until what waits for it is given up.
        KEEP_SECONDS = 30
        # The same for the ends of streams.
        KEEP_ENDS_SECONDS = 600

        # @param max_items [Integer] that wait
        # @param max_bytes [Integer] that wait
        # @param write [#call] gets an Array of what was pushed; must come to the same when it is called again with the
        #   same; raises where it may have failed
        def initialize(max_items:, max_bytes:, write:)
          @max_items = max_items
          @max_bytes = max_bytes
          @write = write
          @complaints = Complaints.new
          @lock = Mutex.new # covers the rest
          @written = ConditionVariable.new
          @lost = 0
          begin_here
        end

        # @param item [Object]
        # @param bytes [Integer] what it takes
        # @param ends [Boolean] whether it is the end of a stream
        # @return [void]
        def push(item, bytes, ends: false)
          @lock.synchronize do
            begin_here unless @pid == Process.pid
            @items << [item, bytes, ends]
            @bytes += bytes
            lose_oldest while @items.size > @max_items || @bytes > @max_bytes
            start unless @working
          end
        rescue ThreadError # in a signal's handler
          nil
        end

        # @param seconds [Numeric] at most
        # @return [Boolean] whether nothing waits
        def flush(seconds)
          deadline = Timers.now + seconds
          @lock.synchronize do
            return true unless @pid == Process.pid

            until through? || (left = deadline - Timers.now) <= 0
              @written.wait(@lock, left)
            end
            through?
          end
        end

        # @return [Integer] what waits
        def queued
          @lock.synchronize { (@pid == Process.pid) ? @items.size + @batch.size : 0 }
        end

        # @return [Integer] what was given up
        def lost
          @lock.synchronize { @lost }
        end

        private

        # Under the lock, or before there is anybody else.
        def begin_here
          @pid = Process.pid
          @items = []
          @batch = []
          @bytes = 0
          @working = false
          @failing_since = nil
          @delay = DELAYS.begin
        end

        def through?
          @items.empty? && @batch.empty?
        end

        # Under the lock.
        def lose_oldest
          oldest = @items.index { |_, _, ends| !ends } || 0
          gone = oldest.zero? ? @items.shift : @items.delete_at(oldest) # which moves the rest
          @bytes -= gone[1] # steep:ignore
          @lost += 1
        end

        # Under the lock. Where there are no new threads (the process ends), it waits for a flush in vain.
        def start
          ThreadPool.stores.post(method(:work))
          @working = true
        rescue ThreadError
          @working = false
        end

        # On a thread of the pool.
        def work
          while (batch = next_batch)
            @write.call(batch)
            succeeded
          end
        rescue => e
          failed(e)
        end

        def next_batch
          @lock.synchronize do
            next unless @pid == Process.pid

            if @batch.empty?
              @batch = @items.shift(BATCH)
              @bytes -= @batch.sum { |_, bytes, _| bytes }
            end
            @working = false if @batch.empty?
            @batch.map(&:first) if @working
          end
        end

        def succeeded
          @lock.synchronize do
            @batch = []
            @failing_since = nil
            @delay = DELAYS.begin
            @written.broadcast if through?
          end
        end

        def failed(error)
          delay = @lock.synchronize do
            since = (@failing_since ||= Timers.now)
            give_up(Timers.now - since)
            @delay.tap { @delay = [@delay * 2, DELAYS.end].min }
          end
          complain(error)
          Timers.after(delay) { @lock.synchronize { start } }
        rescue ThreadError
          @lock.synchronize { @working = false }
        end

        # Under the lock.
        def give_up(seconds)
          return unless seconds > KEEP_SECONDS

          kept, gone = [*@batch, *@items].partition { |_, _, ends| ends && seconds <= KEEP_ENDS_SECONDS }
          @lost += gone.size
          @items = kept
          @batch = []
          @bytes = kept.sum { |_, bytes, _| bytes }
          @written.broadcast
        end

        def complain(error)
          @complaints.add do
            "the replay store failed (#{error.class}: #{Secrets.redact(error.message)}); streams go on, what they " \
              "send is kept as long as there is room; #{lost} lost so far"
          end
        end
      end
    end
  end
end
