# frozen_string_literal: true

module RAAF
  module Streaming
    class ReplayStore
      # Keeps frames in the memory of the process: for one process, or where all of a user's requests come to the same
      # one. It never fails. A forked child goes on with a copy, in which nobody runs its parent's streams.
      #
      # Of too many streams, or too many bytes, those are dropped first that have come to their end, then those that
      # were cancelled and have never begun, then those that have been left alone longest.
      class MemoryStore < ReplayStore
        # Streams kept, unless another number is given.
        MAX_STREAMS = 1000
        # Bytes kept of all streams together, unless another number is given: 64 MiB.
        MAX_TOTAL_BYTES = 64 * 1024 * 1024

        # What is kept of a place. whole: whether the text is.
        Place = Struct.new(:frames, :bytes, :last, :text, :whole)

        # What is kept of a stream. pid: of the process that runs it; nil: none.
        Record = Struct.new(:attempt, :owner, :keys, :places, :finished, :cancelled, :waiting, :pid, :expires_at)
        private_constant :Place, :Record

        # @param max_streams [Integer]
        # @param max_total_bytes [Integer] of JSON and text of all streams
        # @param clock [#call] seconds, monotonic; for tests
        # @param options [Hash] see {ReplayStore#initialize}
        # @raise [ArgumentError] for a wrong number
        def initialize(max_streams: MAX_STREAMS, max_total_bytes: MAX_TOTAL_BYTES, clock: Timers.method(:now),
          **options)
          super(**options)
          @max_streams = count("max_streams", max_streams)
          @max_total_bytes = count("max_total_bytes", max_total_bytes)
          @clock = clock
          @watcher = Watcher.new
          @lock = Mutex.new # covers the rest
          @records = {} # who was left alone longest stands first
          @bytes = 0
          @begun = 0 # counts, for the order in which streams of a key have begun
          @counts = {appended: 0, refused: 0, lost: 0}
        end

        # (see ReplayStore#begin)
        def begin(stream_id, owner: SecureRandom.uuid, keys: [], at_least: 1)
          id = id_of(stream_id)
          owner = ReplayStore.name_of(owner, "owner")
          keys = check_keys(keys)
          count("at_least", at_least)
          attempt = @lock.synchronize { begin_record(touch(id), owner, keys, at_least).tap { make_room } }
          @watcher.supersede(id, attempt)
          attempt
        end

        # (see ReplayStore#await)
        def await(stream_id, attempt: 0, keys: [])
          id = id_of(stream_id)
          keys = check_keys(keys)
          count("attempt", attempt, 0)
          @lock.synchronize do
            record = touch(id)
            add(record, keys)
            record.waiting, record.pid = true, nil if record.attempt <= attempt && !record.finished
            make_room
          end
          nil
        end

        # (see ReplayStore#add_keys)
        def add_keys(stream_id, keys)
          keys = check_keys(keys)
          @lock.synchronize { find(id_of(stream_id))&.then { |record| add(record, keys) } }
          nil
        end

        # (see ReplayStore#append)
        def append(stream_id, frame)
          check_frame(frame)
          id = id_of(stream_id)
          attempt = @lock.synchronize do
            record = touch(id)
            kept = keep(record, frame)
            @counts[kept ? :appended : :refused] += 1
            make_room
            record.attempt
          end
          @watcher.supersede(id, attempt)
          nil
        end

        # (see ReplayStore#finish)
        def finish(stream_id, attempt: 1)
          id = id_of(stream_id)
          count("attempt", attempt)
          @lock.synchronize do
            record = touch(id)
            start_over(record, attempt) if attempt > record.attempt
            record.finished = true if attempt == record.attempt
            touch(id)
            make_room
          end
          @watcher.finish(id, attempt)
        end

        # (see ReplayStore#read)
        def read(stream_id, place:, after: 0, attempt: nil, limit: READ_LIMIT)
          place = ReplayStore.name_of(place, "place")
          count("after", after, 0)
          count("limit", limit)
          @lock.synchronize do
            record = find(id_of(stream_id)) or next
            after = 0 if attempt && attempt < record.attempt
            frames, last = frames_after(record.places[place], after, limit)
            Reading.new(frames: frames, attempt: record.attempt, after: after, last: last, finished: record.finished,
              cancelled: record.cancelled)
          end
        end

        # (see ReplayStore#checkpoint)
        def checkpoint(stream_id, place:)
          place = ReplayStore.name_of(place, "place")
          @lock.synchronize do
            record = find(id_of(stream_id))
            next unless record && (kept = record.places[place])&.whole

            Checkpoint.new(place: place, attempt: record.attempt, seq: kept.last, text: kept.text.dup,
              finished: record.finished)
          end
        end

        # (see ReplayStore#state_of)
        def state_of(stream_id)
          @lock.synchronize { find(id_of(stream_id))&.then { |record| state(record) } }
        end

        # (see ReplayStore#finished?)
        def finished?(stream_id)
          @lock.synchronize { find(id_of(stream_id))&.finished || false }
        end

        # (see ReplayStore#cancel)
        def cancel(stream_id)
          id = id_of(stream_id)
          @lock.synchronize do
            next if find(id)&.finished

            touch(id).cancelled = true
            make_room
          end or return false
          @watcher.cancel(id)
          true
        end

        # (see ReplayStore#cancelled?)
        def cancelled?(stream_id)
          @lock.synchronize { find(id_of(stream_id))&.cancelled || false }
        end

        # (see ReplayStore#streams_of)
        def streams_of(key, recent: false)
          key = ReplayStore.name_of(key, "key")
          @lock.synchronize do
            forget_expired
            found = @records.select { |_, record| record.keys.key?(key) && (recent || !record.finished) }
            found.sort_by { |_, record| record.keys[key] }.map(&:first)
          end
        end

        # (see ReplayStore#keys_of)
        def keys_of(stream_id)
          @lock.synchronize { find(id_of(stream_id))&.keys&.keys || [] }
        end

        # (see ReplayStore#watch)
        def watch(stream_id, attempt: 1, &block)
          raise ArgumentError, "watch needs a block" unless block

          watch = @watcher.add(Watch.new(id_of(stream_id), count("attempt", attempt), block))
          record = @lock.synchronize { find(watch.stream_id).dup }
          if record
            record.cancelled ? @watcher.cancel(watch.stream_id) : @watcher.supersede(watch.stream_id, record.attempt)
          end
          watch
        end

        # (see ReplayStore#unwatch)
        def unwatch(watch)
          @watcher.delete(watch)
        end

        # (see ReplayStore#stats)
        def stats
          @lock.synchronize { {**@counts, queued: 0} }
        end

        # @return [Integer] streams that are kept
        def size
          @lock.synchronize { forget_expired && @records.size }
        end

        private

        def new_place
          Place.new([], 0, 0, +"", true)
        end

        # Under the lock, as all that follow.
        def find(id)
          record = @records[id] or return
          return record if record.expires_at > @clock.call

          drop(id)
          nil
        end

        # @return [Integer] bytes of frames and text
        def size_of(record)
          record.places.each_value.sum { |place| place.bytes + place.text.bytesize }
        end

        # @return [Record] which is kept from now on for its full time
        def touch(id)
          record = find(id) || Record.new(0, nil, {}, {}, false, false, false)
          @records.delete(id)
          record.expires_at = @clock.call + (record.finished ? finished_ttl : live_ttl)
          @records[id] = record
        end

        def drop(id)
          record = @records.delete(id)
          @bytes -= size_of(record) if record
        end

        def forget_expired
          now = @clock.call
          @records.select { |_, record| record.expires_at <= now }.each_key { |id| drop(id) }
        end

        # The newest one, which has just been touched, stays whatever it takes.
        def make_room
          return true unless over?

          forget_expired
          drop_one while over? && @records.size > 1
          true
        end

        # What browsers have only cancelled goes before what is being written: they could make room for as much.
        def drop_one
          finished, = @records.find { |_, record| record.finished }
          unbegun, = @records.first(@records.size - 1).find { |_, record| record.cancelled && record.attempt.zero? }
          id = finished || unbegun || @records.each_key.first
          drop(id) if id
        end

        def over?
          @records.size > @max_streams || @bytes > @max_total_bytes
        end

        def begin_record(record, owner, keys, at_least)
          add(record, keys)
          return record.attempt if record.owner == owner && record.attempt >= at_least && !record.waiting

          start_over(record, [record.attempt + 1, at_least].max)
          record.owner = owner
          record.attempt
        end

        def add(record, keys)
          keys.each do |key|
            record.keys[key] ||= (@begun += 1) if record.keys.key?(key) || record.keys.size < MAX_KEYS
          end
        end

        def state(record)
          return :cancelled if record.cancelled
          return :finished if record.finished
          return :waiting if record.waiting

          (record.pid == Process.pid) ? :running : :abandoned
        end

        def start_over(record, attempt)
          @bytes -= size_of(record)
          record.places.clear
          record.attempt = attempt
          record.owner = nil
          record.finished = false
          record.waiting = false
          record.pid = Process.pid
        end

        def keep(record, frame)
          return false if frame.attempt < record.attempt

          start_over(record, frame.attempt) if frame.attempt > record.attempt
          place = place_for(record, frame.place)
          return false if record.finished || place.nil? || frame.seq <= place.last

          before = size_of(record)
          add_text(place, frame)
          add_frame(place, frame)
          @bytes += size_of(record) - before
          true
        end

        def place_for(record, name)
          return record.places[name] if record.places.key?(name)

          record.places[name] = new_place if !record.finished && record.places.size < MAX_PLACES
        end

        def add_text(place, frame)
          place.whole &&= frame.seq == place.last + 1
          place.text, place.whole = +"", true if frame.reset?
          place.whole &&= place.text.bytesize + frame.delta.bytesize <= max_text_bytes
          place.whole ? place.text << frame.delta : place.text = +""
        end

        def add_frame(place, frame)
          place.last = frame.seq
          place.frames << frame
          place.bytes += frame.data.bytesize
          while place.frames.size > max_frames || place.bytes > max_bytes
            place.bytes -= place.frames.shift.data.bytesize
          end
        end

        def frames_after(place, after, limit)
          return [[], 0] unless place

          first = place.frames.bsearch_index { |frame| frame.seq > after } || place.frames.size
          [place.frames.drop(first).first(limit), place.last]
        end
      end
    end
  end
end
