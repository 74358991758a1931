# frozen_string_literal: true

module RAAF
  module Streaming
    # Answers whose readers have gone: each goes on for a while, since a reload of the page and a lost connection look
    # the same as a user who has had enough.
    #
    # It knows of this process only.
    #
    # @api private
    module Departures
      # streams: Array<Stream>; timer: what ends them.
      Departure = Struct.new(:streams, :timer)
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
          departure = Departure.new(streams)
          @lock.synchronize { @departures[key] << departure }
          departure.timer = Timers.after(seconds) { give_up(key, departure) }
          nil
        end

        # @param user [#id]
        # @return [Array<Stream>] what still runs of what the user had asked for, which now goes on to its end
        def come_back(user)
          departures = @lock.synchronize { @departures.delete(key_of(user)) } || []
          departures.each { |departure| Timers.cancel(departure.timer) }
          departures.flat_map(&:streams).reject(&:finished?)
        end

        # @return [Integer] users who have left answers behind
        def size
          @lock.synchronize { @departures.size }
        end

        private

        def key_of(user)
          [user.class.name, user.id]
        end

        # Whoever has come back in the very moment keeps the answers.
        def give_up(key, departure)
          still_gone = @lock.synchronize do
            left = @departures.fetch(key, [])
            gone = left.delete(departure)
            @departures.delete(key) if left.empty?
            gone
          end
          still_gone&.streams&.each(&:cancel)
        end
      end
    end
  end
end
