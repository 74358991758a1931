# frozen_string_literal: true

module RAAF
  module Streaming
    class ReplayStore
      # Somebody who wants to know when a stream is to stop.
      Watch = Struct.new(:stream_id, :attempt, :block)

      # The watches of this process, and who tells them. A child has none of its parent's.
      #
      # With a `look` it asks for all of them at once every few milliseconds, on a thread of {ThreadPool.stores}, as
      # long as there is one; without, it only tells what this process does itself.
      #
      # @api private
      class Watcher
        # @param interval [Numeric] seconds between two looks
        # @param look [#call, nil] gets the ids of streams that are new and of all streams; gives for those that it has
        #   looked at {id => [attempt, cancelled]}
        def initialize(interval = nil, look = nil)
          @interval = interval
          @look = look
          @complaints = Complaints.new
          @lock = Mutex.new # covers the rest
          begin_here
        end

        # @param watch [Watch]
        # @return [Watch]
        def add(watch)
          @lock.synchronize do
            begin_here unless @pid == Process.pid
            (@watches[watch.stream_id] ||= []) << watch
            @new << watch.stream_id
            start if @look && !@polling
          end
          watch
        end

        # @param watch [Watch]
        # @return [void]
        def delete(watch)
          @lock.synchronize { drop(watch.stream_id) { |one| one.equal?(watch) } }
          nil
        end

        # Ends the watches of an attempt, and of older ones.
        #
        # @param stream_id [String]
        # @param attempt [Integer]
        # @return [void]
        def finish(stream_id, attempt)
          @lock.synchronize { drop(stream_id) { |one| one.attempt <= attempt } }
          nil
        end

        # @param stream_id [String]
        # @return [Boolean] whether somebody here has been told
        def cancel(stream_id)
          tell(@lock.synchronize { drop(stream_id) { true } }, :cancelled)
        end

        # @param stream_id [String]
        # @param attempt [Integer] the one there is now
        # @return [Boolean] whether somebody here has been told
        def supersede(stream_id, attempt)
          tell(@lock.synchronize { drop(stream_id) { |one| one.attempt < attempt } }, :superseded)
        end

        # @return [Integer] streams that are watched
        def size
          @lock.synchronize { (@pid == Process.pid) ? @watches.size : 0 }
        end

        private

        # Under the lock, or before there is anybody else.
        def begin_here
          @pid = Process.pid
          @watches = {}
          @new = []
          @polling = false
        end

        # Under the lock.
        def drop(stream_id, &wanted)
          return [] unless @pid == Process.pid && (here = @watches[stream_id])

          gone, left = here.partition(&wanted)
          left.empty? ? @watches.delete(stream_id) : @watches[stream_id] = left
          gone
        end

        def tell(watches, reason)
          watches.each do |watch|
            watch.block.call(reason)
          rescue => e
            Streaming.logger.error("who watched the stream #{watch.stream_id} raised #{e.class}: " \
                                   "#{Secrets.redact(e.message)}")
          end
          watches.any?
        end

        # Under the lock. Where there are no new threads (the process ends), there is nobody to be told.
        def start
          ThreadPool.stores.post(method(:poll))
          @polling = true
        rescue ThreadError
          @polling = false
        end

        # On a thread of the pool.
        def poll
          return unless (fresh, all = who_is_there)

          @look.call(fresh, all).each do |stream_id, (attempt, cancelled)|
            cancelled ? cancel(stream_id) : supersede(stream_id, attempt)
          end
        rescue => e
          @lock.synchronize { @new.concat(fresh) if fresh }
          complain(e)
        ensure
          poll_later if all
        end

        def who_is_there
          @lock.synchronize do
            next @polling = false if @watches.empty? || @pid != Process.pid

            [@new.uniq.tap { @new = [] } & @watches.keys, @watches.keys]
          end
        end

        def poll_later
          Timers.after(@interval) { @lock.synchronize { start } }
        rescue ThreadError
          @lock.synchronize { @polling = false }
        end

        def complain(error)
          @complaints.add do
            "the replay store does not say which streams are to stop (#{error.class}: " \
              "#{Secrets.redact(error.message)}); it is asked again"
          end
        end
      end
    end
  end
end
