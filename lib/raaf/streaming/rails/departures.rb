# frozen_string_literal: true

module RAAF
  module Streaming
    # Answers whose readers have gone: each goes on for a while, since a reload of the page and a lost connection look
    # the same as a user who has had enough.
    #
    # Who comes back to this process takes them over again. Who comes back to another one (Puma's workers, other hosts)
    # reads on there, by the replay store; that notes it ({attend}), and what somebody has read since is left alone: it
    # goes to its end, and is not ended another time when that reader leaves too. The same holds where the store does
    # not say.
    #
    # Streams of jobs are none of this: nobody's leaving ends them.
    #
    # @api private
    module Departures
      # streams: Array<Stream>; attended: Hash{String=>Integer}, how often each had been attended to before; timer: what
      # ends them.
      Departure = Struct.new(:streams, :attended, :timer)
      private_constant :Departure

      @lock = Mutex.new
      @departures = Hash.new { |hash, user| hash[user] = [] }

      class << self
        # @param user [#id]
        # @param streams [Array<Stream>] that run
        # @param seconds [Numeric] for which they go on
        # @return [void]
        def leave(user, streams, seconds)
          return if streams.empty?

          key = key_of(user)
          departure = Departure.new(streams, streams.to_h { |stream| [stream.id, attended(stream)] })
          @lock.synchronize { @departures[key] << departure }
          # To ask the store takes time, which a timer has not got.
          departure.timer = Timers.after(seconds) { ThreadPool.stores.post { give_up(key, departure) } }
          nil
        end

        # @param user [#id]
        # @return [Array<Stream>] what still runs of what the user had asked for, which now goes on to its end
        def come_back(user)
          departures = @lock.synchronize { @departures.delete(key_of(user)) } || []
          departures.each { |departure| Timers.cancel(departure.timer) }
          departures.flat_map(&:streams).reject(&:finished?)
        end

        # Somebody reads the stream again, in whichever process.
        #
        # @param store [ReplayStore]
        # @param stream_id [String]
        # @return [void]
        def attend(store, stream_id)
          note = note_of(stream_id)
          store.finish(note, attempt: store.begin(note))
        end

        # @return [Integer] users who have left answers behind
        def size
          @lock.synchronize { @departures.size }
        end

        private

        def key_of(user)
          [user.class.name, user.id]
        end

        # A stream in the store that sends nothing: its attempts are counted.
        def note_of(stream_id)
          "attended:#{stream_id}"
        end

        # @return [Integer, nil] nil: nobody knows
        def attended(stream)
          store = Streaming.configuration.replay_store or return 0
          store.read(note_of(stream.id), place: "none")&.attempt || 0
        rescue Errors::StoreUnavailableError
          nil
        end

        # Whoever has come back in the very moment keeps the answers.
        def give_up(key, departure)
          alone = departure.streams.select { |stream| alone?(stream, departure.attended[stream.id]) }
          alone.each(&:cancel) if remove(key, departure)
        end

        def alone?(stream, before)
          now = attended(stream)
          now ? now == before : false
        end

        # @return [Departure, nil] nil: its user has come back
        def remove(key, departure)
          @lock.synchronize do
            left = @departures.fetch(key, [])
            gone = left.delete(departure)
            @departures.delete(key) if left.empty?
            gone
          end
        end
      end
    end
  end
end
