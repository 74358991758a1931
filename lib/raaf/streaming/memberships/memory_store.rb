# frozen_string_literal: true

module RAAF
  module Streaming
    class Memberships
      # Keeps memberships in the memory of the process. A forked child goes on with a copy. Of too many sessions those
      # are forgotten first in which nobody has joined or left for longest: their users have to join again.
      class MemoryStore < Memberships
        # Sessions kept, unless another number is given.
        MAX_SESSIONS = 10_000

        # @param max_sessions [Integer]
        # @param clock [#call] seconds, monotonic; for tests
        # @param options [Hash] see {Memberships#initialize}
        # @raise [ArgumentError] for a wrong number
        def initialize(max_sessions: MAX_SESSIONS, clock: Timers.method(:now), **options)
          super(**options)
          @max_sessions = count("max_sessions", max_sessions)
          @clock = clock
          @lock = Mutex.new # covers the rest
          @sessions = {} # session => {user => the end of the membership}; who was left alone longest stands first
        end

        # @return [Integer] sessions that are kept
        def size
          @lock.synchronize { @sessions.size }
        end

        private

        def add(session, user)
          @lock.synchronize do
            users = here(session)
            next false unless users.key?(user) || users.size < max_members

            users[user] = @clock.call + ttl
            keep(session, users)
            true
          end
        end

        def remove(session, user)
          @lock.synchronize do
            users = here(session)
            found = users.delete(user)
            keep(session, users)
            !found.nil?
          end
        end

        def include?(session, user)
          @lock.synchronize { here(session).key?(user) }
        end

        def list(session)
          @lock.synchronize { here(session).keys }
        end

        # Under the lock, as all that follow.
        def here(session)
          users = @sessions.fetch(session) { return {} }
          now = @clock.call
          users.delete_if { |_, over| over <= now }
        end

        def keep(session, users)
          @sessions.delete(session)
          @sessions[session] = users if users.any?
          @sessions.shift while @sessions.size > @max_sessions
        end
      end
    end
  end
end
