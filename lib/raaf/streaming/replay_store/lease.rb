# frozen_string_literal: true

require "securerandom"
require "socket"

module RAAF
  module Streaming
    class ReplayStore
      # By what others know that this process, which runs streams, is still there: a note in the store with a time
      # limit, put off again and again, by one timer, as long as a stream runs. Then it is left to expire.
      #
      # A child has a lease of its own, and none of its parent's streams.
      #
      # @api private
      class Lease
        # @param interval [Numeric] seconds between two renewals
        # @param renew [#call] gets the process' name; raises where it may have failed
        def initialize(interval, renew)
          @interval = interval
          @renew = renew
          @complaints = Complaints.new
          @lock = Mutex.new # covers the rest
          begin_here
        end

        # @return [String] which process this is, by a name that no other one has or had
        def process
          @lock.synchronize { here }
        end

        # This process runs a stream from now on. The first renewal is the caller's, who tells the store of the stream
        # anyway.
        #
        # @param stream_id [String]
        # @param attempt [Integer] at it, which this process runs
        # @return [void]
        def hold(stream_id, attempt)
          @lock.synchronize do
            here
            @streams[stream_id] = [@streams.fetch(stream_id, 0), attempt].max
            start unless @waiting
          end
          nil
        end

        # That attempt is over here. A later one of the same stream, which has taken its place, runs on.
        #
        # @param stream_id [String]
        # @param attempt [Integer]
        # @return [void]
        def release(stream_id, attempt)
          @lock.synchronize do
            @streams.delete(stream_id) if @pid == Process.pid && @streams.fetch(stream_id, 0) <= attempt
          end
          nil
        end

        # @return [Integer] streams that this process runs
        def size
          @lock.synchronize { (@pid == Process.pid) ? @streams.size : 0 }
        end

        private

        # Under the lock.
        def here
          begin_here unless @pid == Process.pid
          @process
        end

        # Under the lock, or before there is anybody else.
        def begin_here
          @pid = Process.pid
          @process = "#{Socket.gethostname[0, 64]}-#{@pid}-#{SecureRandom.hex(6)}"
          @streams = {} # id => attempt
          @waiting = false
        end

        # Under the lock. Where there are no new threads, the process ends.
        def start
          Timers.after(@interval) { come_due }
          @waiting = true
        rescue ThreadError
          @waiting = false
        end

        # On the timers' thread, which must not wait for the store.
        def come_due
          @lock.synchronize do
            @waiting = false
            next if @pid != Process.pid || @streams.empty?

            start
            ThreadPool.stores.post(method(:renew))
          end
        rescue ThreadError
          nil
        end

        # On a thread of the pool.
        def renew
          @renew.call(process)
        rescue => e
          @complaints.add do
            "the replay store failed (#{e.class}: #{Secrets.redact(e.message)}); that this process runs streams is " \
              "told again in #{@interval} s"
          end
        end
      end
    end
  end
end
