# frozen_string_literal: true

module RAAF
  module Streaming
    class ReplayStore
      class ActiveRecordStore < SharedStore
        # A stream, as it is read from the tables, changed and written again. Belongs to one transaction.
        #
        # @api private
        class StreamRecord
          # Of the ttl: so much earlier a stream may be forgotten, so that not each frame has the stream's own row
          # written.
          SLACK = 0.05

          # A place: the number of the last frame; how many are kept, and their bytes; bytes of the text (-1: it is not
          # whole), and the number of the frame from which on its pieces are the frames' own (those before are in the
          # place's text).
          #
          # id: nil: a new one; added: rows of frames that are to be added; cleared: whether the text that the table has
          # holds no longer.
          Place = Struct.new(:stream_id, :id, :digest, :last, :frames, :bytes, :size, :text_from, :added, :cleared)
          # What the table has of a stream, but for its names. waiting: for somebody to run it.
          Fields = Struct.new(:attempt, :owner, :finished, :cancelled, :waiting, :process, :expires_at)

          # @return [Integer] its id in the table
          attr_reader :row
          # @return [String]
          attr_reader :id
          # @return [String]
          attr_reader :digest
          # @return [Fields]
          attr_reader :fields
          # @return [Hash{String=>Place}] by digest
          attr_reader :places
          # @return [Array<Integer>] places whose rows are to be deleted
          attr_reader :gone

          # @param row [Integer]
          # @param id [String]
          # @param digest [String]
          # @param fields [Array<Object>, nil] nil: nothing is known of it
          def initialize(row, id, digest, fields)
            @row = row
            @id = id
            @digest = digest
            @known = !fields.nil?
            @fields = fields ? Fields.new(*fields) : Fields.new(0, nil, false, false, false, nil, 0)
            @before = @fields.dup
            @places = {}
            @gone = []
          end

          # @return [Boolean] whether anything is known of it
          def known?
            @known
          end

          # @return [Boolean] whether its own row is to be written
          def changed?
            @fields != @before
          end

          # @return [Integer]
          def attempt
            fields.attempt
          end

          # It is kept for so much longer.
          #
          # @param now [Integer] milliseconds
          # @param limits [ReplayStore]
          # @return [void]
          def touch(now, limits)
            ttl = ((fields.finished ? limits.finished_ttl : limits.live_ttl) * 1000).ceil # milliseconds
            @known = true
            fields.expires_at = now + ttl unless (fields.expires_at - now).between?(ttl * (1 - SLACK), ttl)
          end

          # @param owner [String] as a digest
          # @param at_least [Integer]
          # @param process [String]
          # @return [Boolean] whether it is a new attempt
          def begin(owner, at_least, process)
            return false if fields.owner == owner && attempt >= at_least && !fields.waiting

            start_over([attempt + 1, at_least].max, process)
            fields.owner = owner
            true
          end

          # @param number [Integer] the attempt that was made last
          # @return [void]
          def await(number)
            fields.waiting, fields.process = true, nil if attempt <= number && !fields.finished
          end

          # @param number [Integer] the attempt
          # @param process [String]
          # @return [Boolean] whether it was that one's end
          def finish(number, process)
            start_over(number, process) if number > attempt
            fields.finished = true if number == attempt
            number == attempt
          end

          # @return [Boolean] false: it had come to its end
          def cancel
            fields.cancelled = true unless fields.finished
            !fields.finished
          end

          # @param place_digest [String]
          # @param frame [Frame]
          # @param process [String]
          # @param max_text_bytes [Integer]
          # @return [Boolean] whether it is kept
          def keep(place_digest, frame, process, max_text_bytes)
            return false if frame.attempt < attempt

            start_over(frame.attempt, process) if frame.attempt > attempt
            place = place_for(place_digest)
            return false if fields.finished || place.nil? || frame.seq <= place.last

            delta = add_text(place, frame, max_text_bytes)
            add_frame(place, frame, delta)
            true
          end

          private

          def start_over(number, process)
            gone.concat(places.each_value.filter_map(&:id))
            places.clear
            fields.attempt = number
            fields.process = process
            fields.owner = nil
            fields.finished = fields.waiting = false
          end

          def place_for(digest)
            return places[digest] if places.key?(digest)
            return if fields.finished || places.size >= MAX_PLACES

            places[digest] = Place.new(row, nil, digest, 0, 0, 0, 0, 1, [], false)
          end

          # @return [String] the frame's piece of the text; "" where the text is not whole
          def add_text(place, frame, most)
            whole = place.size >= 0 && frame.seq == place.last + 1
            if frame.reset?
              place.size, place.text_from, place.cleared = 0, frame.seq, true
              whole = true
            end
            size = place.size + frame.delta.bytesize
            if whole && size <= most
              place.size = size
              return frame.delta
            end

            place.size, place.cleared = -1, true
            ""
          end

          def add_frame(place, frame, delta)
            bytes = frame.data.bytesize
            place.last = frame.seq
            place.frames += 1
            place.bytes += bytes
            place.added << {seq: frame.seq, bytes: bytes, terminal: frame.terminal?, data: frame.data, delta: delta}
          end
        end
      end
    end
  end
end
