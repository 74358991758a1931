# frozen_string_literal: true

module RAAF
  module Streaming
    class ReplayStore
      class ActiveRecordStore < SharedStore
        # Some streams, changed together in one short transaction: it locks them, reads what there is, lets the caller
        # change that, and writes it.
        #
        # The text of an answer is not kept a second time: it is made of the frames' own pieces. Only of frames that are
        # dropped for room the pieces are put into the place's text.
        #
        # @api private
        class Records
          # Rows of frames that are looked at together.
          PAGE = 200
          # Columns of a stream that are {StreamRecord::Fields}, in that order.
          FIELDS = %i[attempt owner finished cancelled waiting process expires_at].freeze
          # Columns of a place that are those of {StreamRecord::Place}, in that order.
          PLACE = %i[stream_id id digest last frames bytes size text_from].freeze

          # @param database [Database]
          # @param limits [ReplayStore] whose limits hold
          def initialize(database, limits)
            @database = database
            @limits = limits
          end

          # @param ids [Array<String>]
          # @yieldparam records [Hash{String=>StreamRecord}] by id
          # @yieldparam now [Integer] milliseconds
          # @yieldreturn [Object]
          # @return [Object] what the block returned; it may be called several times
          # @raise [StandardError] ActiveRecord's own
          def change(ids)
            @database.transaction do
              now = @database.now
              records = load(ids.uniq.to_h { |id| [@database.digest(id), id] }, now)
              result = yield(records.to_h { |record| [record.id, record] }, now)
              save(records)
              result
            end
          end

          # Further keys of a stream, as many as there may be.
          #
          # @param record [StreamRecord]
          # @param keys [Array<String>]
          # @return [void]
          def add_keys(record, keys)
            return if keys.empty?

            known = table(:keys).where(stream_id: record.row).pluck(:digest)
            found = keys.to_h { |key| [@database.digest(key), key] }.except(*known)
            rows = found.first([MAX_KEYS - known.size, 0].max).map do |digest, key|
              {stream_id: record.row, digest: digest, name: key}
            end
            insert(:keys, rows)
          end

          # Deletes streams, with all that belongs to them.
          #
          # @param rows [Array<Integer>]
          # @return [void]
          def delete(rows)
            forget(rows)
            table(:streams).where(id: rows).delete_all
          end

          private

          def table(name)
            @database.table(name)
          end

          # What is there already stays as it is.
          def insert(name, rows)
            table(name).insert_all(rows, returning: false, record_timestamps: false) if rows.any?
          end

          # What is there already is changed.
          def upsert(name, rows)
            table(name).upsert_all(rows, returning: false, record_timestamps: false) if rows.any?
          end

          # In the order of the digests, so that two who change the same streams do not wait for each other.
          def load(ids, now)
            digests = ids.keys.sort
            insert(:streams, digests.map { |digest| {digest: digest, name: ids[digest], expires_at: 0} })
            rows = table(:streams).where(digest: digests).order(:digest).lock.pluck(:id, :digest, *FIELDS)
            raise Database::Conflict, "a stream was deleted just then" if rows.size < digests.size

            expired, known = rows.partition { |row| row.last <= now }
            forget(expired.select { |row| row.last.positive? }.map(&:first))
            records = known.map { |row, digest, *fields| StreamRecord.new(row, ids[digest], digest, fields) }
            load_places(records)
            records + expired.map { |row, digest| StreamRecord.new(row, ids[digest], digest, nil) }
          end

          def load_places(records)
            by_row = records.to_h { |record| [record.row, record] }
            table(:places).where(stream_id: by_row.keys).pluck(*PLACE).each do |columns|
              place = StreamRecord::Place.new(*columns, [], false)
              by_row.fetch(place.stream_id).places[place.digest] = place
            end
          end

          # All that belongs to streams.
          def forget(rows)
            return if rows.empty?

            delete_places(table(:places).where(stream_id: rows).pluck(:id))
            table(:keys).where(stream_id: rows).delete_all
          end

          def delete_places(rows)
            return if rows.empty?

            table(:frames).where(place_id: rows).delete_all
            table(:places).where(id: rows).delete_all
          end

          def save(records)
            delete_places(records.flat_map(&:gone))
            places = records.flat_map { |record| record.places.values }
            add_places(places.reject(&:id))
            save_places(places.reject { |place| place.added.empty? })
            upsert(:streams, records.select(&:changed?).map { |record| stream_row(record) })
          end

          def stream_row(record)
            {id: record.row, digest: record.digest, name: record.id, **record.fields.to_h}
          end

          def add_places(places)
            return if places.empty?

            insert(:places, places.map { |place| {stream_id: place.stream_id, digest: place.digest} })
            known = table(:places).where(stream_id: places.map(&:stream_id).uniq).pluck(:stream_id, :digest, :id)
            ids = known.to_h { |row, digest, id| [[row, digest], id] }
            places.each { |place| place.id = ids.fetch([place.stream_id, place.digest]) }
          end

          def save_places(places)
            table(:places).where(id: places.select(&:cleared).map(&:id)).update_all(text: nil)
            insert(:frames, places.flat_map { |place| place.added.map { |frame| {place_id: place.id, **frame} } })
            places.each { |place| trim(place) }
            upsert(:places, places.map { |place| place.to_h.slice(*PLACE) })
          end

          # Drops the oldest frames for which there is no room.
          def trim(place)
            frames = table(:frames).where(place_id: place.id)
            upto = 0
            each_of(frames) do |seq, bytes|
              break if place.frames <= @limits.max_frames && place.bytes <= @limits.max_bytes

              place.frames -= 1
              place.bytes -= bytes
              upto = seq
            end
            return if upto.zero?

            fold(place, frames.where(seq: place.text_from..upto)) if place.size >= 0
            frames.where(seq: ..upto).delete_all
          end

          def each_of(frames)
            last = 0
            loop do
              page = frames.where("seq > ?", last).order(:seq).limit(PAGE).pluck(:seq, :bytes)
              page.each { |seq, bytes| yield seq, bytes }
              break if page.size < PAGE

              last = page.last.first
            end
          end

          # Puts the text's pieces that the frames have into the place's text.
          def fold(place, frames)
            pieces = frames.order(:seq).pluck(:seq, :delta)
            return if pieces.empty?

            text = table(:places).where(id: place.id).pick(:text).to_s + pieces.map(&:last).join
            table(:places).where(id: place.id).update_all(text: text)
            place.text_from = pieces.last.first + 1
          end
        end
      end
    end
  end
end
