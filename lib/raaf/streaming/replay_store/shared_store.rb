# frozen_string_literal: true

require_relative "lease"
require_relative "watcher"
require_relative "writer"

module RAAF
  module Streaming
    class ReplayStore
      # What stores have in common that several processes share: a queue that is written behind, one look for all that
      # this process watches, and its lease. A store's class has, beside the interface, `write(items)`, run on a thread
      # of the writer's; `look(fresh, all)`, on one of the watcher's; and `renew(process)`, on one of the lease's.
      #
      # @api private
      class SharedStore < ReplayStore
        # Seconds between two looks for streams that are to stop, unless another number is given.
        POLL = 0.1
        # Things that wait to be written, unless another number is given.
        MAX_QUEUED = 10_000
        # Bytes that wait to be written, unless another number is given: 16 MiB.
        MAX_QUEUED_BYTES = 16 * 1024 * 1024
        # Streams that are found by one key; of more the oldest are left out.
        MAX_LISTED = 100
        # Streams whose attempt is not sure that are remembered.
        MAX_UNSURE = 1000

        # @param poll [Numeric] seconds between two looks for streams that are to stop
        # @param max_queued [Integer] things that wait to be written
        # @param max_queued_bytes [Integer] bytes that wait to be written
        # @param options [Hash] see {ReplayStore#initialize}
        # @raise [ArgumentError] for a wrong number
        def initialize(poll: POLL, max_queued: MAX_QUEUED, max_queued_bytes: MAX_QUEUED_BYTES, **options)
          super(**options)
          @watcher = Watcher.new(seconds("poll", poll), method(:look))
          @writer = Writer.new(max_items: count("max_queued", max_queued),
            max_bytes: count("max_queued_bytes", max_queued_bytes), write: method(:write))
          @lease = Lease.new(lease_interval, method(:renew))
          @lock = Mutex.new # covers the rest
          @counts = {appended: 0, refused: 0}
          @unsure = {} # streams that may have got another attempt than begin has given
        end

        # (see ReplayStore#add_keys)
        def add_keys(stream_id, keys)
          keys = check_keys(keys)
          @writer.push([:add_keys, id_of(stream_id), keys], keys.sum(&:bytesize)) if keys.any?
          nil
        end

        # (see ReplayStore#append)
        def append(stream_id, frame)
          check_frame(frame)
          @writer.push([:append, id_of(stream_id), frame], frame.data.bytesize + frame.delta.bytesize,
            ends: frame.terminal?)
        end

        # (see ReplayStore#finish)
        def finish(stream_id, attempt: 1)
          id = id_of(stream_id)
          @watcher.finish(id, count("attempt", attempt))
          @lease.release(id, attempt)
          @lock.synchronize { @unsure.delete(id) }
          @writer.push([:finish, id, attempt], 0, ends: true)
        end

        # (see ReplayStore#watch)
        def watch(stream_id, attempt: 1, &block)
          raise ArgumentError, "watch needs a block" unless block

          @watcher.add(Watch.new(id_of(stream_id), count("attempt", attempt), block))
        end

        # (see ReplayStore#unwatch)
        def unwatch(watch)
          @watcher.delete(watch)
        end

        # (see ReplayStore#flush)
        def flush(seconds = 1)
          @writer.flush(seconds)
        end

        # (see ReplayStore#stats)
        def stats
          {**@lock.synchronize { @counts.dup }, lost: @writer.lost, queued: @writer.queued}
        end

        private

        # Whether a store that fails has begun the attempt before, nobody knows. So that there is a higher number is no
        # reason to stop the stream.
        #
        # @yieldreturn [Integer] the attempt that the store has begun
        # @return [Integer, nil] nil: it has failed
        def begun(id, at_least)
          attempt = yield
          @lock.synchronize { @unsure.delete(id) }
          @watcher.supersede(id, attempt)
          attempt
        rescue Errors::StoreUnavailableError => e
          unsure(id)
          Streaming.logger.warn("#{e.message}; the stream #{id} goes on as attempt #{at_least}")
          nil
        end

        def unsure(id)
          @lock.synchronize do
            @unsure[id] = true
            @unsure.shift while @unsure.size > MAX_UNSURE
          end
        end

        def sure?(id)
          @lock.synchronize { !@unsure.key?(id) }
        end

        # What has been written came to.
        def note(kind, id, attempt, kept)
          return if kind == :add_keys

          @lock.synchronize { @counts[kept ? :appended : :refused] += 1 } if kind == :append
          @watcher.supersede(id, attempt) if sure?(id)
        end

        def milliseconds(seconds)
          (seconds * 1000).ceil
        end

        # @param bytes [String, nil] as they are kept
        def utf8(bytes)
          bytes.to_s.dup.force_encoding(Encoding::UTF_8)
        end
      end
    end
  end
end
