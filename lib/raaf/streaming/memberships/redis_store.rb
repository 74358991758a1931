# frozen_string_literal: true

module RAAF
  module Streaming
    class Memberships
      # Keeps memberships in Redis 5 or newer, in a Hash for each session: for any number of processes and hosts. Times
      # are Redis' own. With `maxmemory`, have it evict nothing that is needed: who is forgotten has to join again.
      #
      # @example
      #   RAAF::Streaming::Memberships::RedisStore.new(Redis.new(url: ENV["REDIS_URL"], timeout: 0.5))
      class RedisStore < Memberships
        # Of a member's field: which one in order it was, and until when it holds. Called with the Hash.
        COMMON = <<~LUA
          local session = KEYS[1]
          local time = redis.call("TIME")
          local now = time[1] * 1000 + math.floor(time[2] / 1000)
          local function live(field)
            local order, over = string.match(field or "", "^(%d+) (%d+)$")
            if over and tonumber(over) > now then return tonumber(order) end
          end
        LUA

        # user, the most members, milliseconds to live; gives 1, or 0: there is no room
        JOIN = RedisConnection::Script.new(<<~LUA)
          #{COMMON}
          local known, own, count, last = redis.call("HGETALL", session), nil, 0, 0
          for i = 1, #known, 2 do
            local order = live(known[i + 1])
            if order then
              count = count + 1
              last = math.max(last, order)
              if known[i] == ARGV[1] then own = order end
            else
              redis.call("HDEL", session, known[i])
            end
          end
          if not own and count >= tonumber(ARGV[2]) then return 0 end
          local order = string.format("%.0f %.0f", own or last + 1, now + tonumber(ARGV[3]))
          redis.call("HSET", session, ARGV[1], order)
          redis.call("PEXPIRE", session, ARGV[3])
          return 1
        LUA

        # user; gives 1, or 0: it was none
        LEAVE = RedisConnection::Script.new(<<~LUA)
          #{COMMON}
          local order = live(redis.call("HGET", session, ARGV[1]))
          redis.call("HDEL", session, ARGV[1])
          return order and 1 or 0
        LUA

        # user; gives 1, or 0
        MEMBER = RedisConnection::Script.new(<<~LUA)
          #{COMMON}
          return live(redis.call("HGET", session, ARGV[1])) and 1 or 0
        LUA

        # gives each member and which one in order it was
        MEMBERS = RedisConnection::Script.new(<<~LUA)
          #{COMMON}
          local known, found = redis.call("HGETALL", session), {}
          for i = 1, #known, 2 do
            local order = live(known[i + 1])
            if order then found[#found + 1] = {known[i], order} end
          end
          return found
        LUA
        private_constant :COMMON, :JOIN, :LEAVE, :MEMBER, :MEMBERS

        # @param client [#call, #with] a Redis (of the gem redis), a RedisClient, or a ConnectionPool of either
        # @param prefix [String] of the keys
        # @param options [Hash] see {Memberships#initialize}
        # @raise [ArgumentError] for a client that is none, and a wrong number
        def initialize(client, prefix: "raaf:members:", **options)
          super(**options)
          @redis = client.is_a?(RedisConnection) ? client : RedisConnection.new(client)
          @prefix = prefix.to_s
        end

        private

        def add(session, user)
          run(JOIN, session, user, max_members, (ttl * 1000).ceil) == 1
        end

        def remove(session, user)
          run(LEAVE, session, user) == 1
        end

        def include?(session, user)
          run(MEMBER, session, user) == 1
        end

        def list(session)
          run(MEMBERS, session).sort_by(&:last).map { |user, _| user.dup.force_encoding(Encoding::UTF_8) }
        end

        def run(script, session, *arguments)
          @redis.run(script, ["#{@prefix}{#{session}}"], arguments)
        rescue => e
          raise Errors::StoreUnavailableError, "the memberships' Redis failed (#{e.class}: " \
                                               "#{Secrets.redact(e.message)})"
        end
      end
    end
  end
end
