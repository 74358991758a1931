# frozen_string_literal: true

require_relative "../redis_connection"
require_relative "store"

module RAAF
  module Streaming
    class CircuitBreaker
      # Shares breakers over Redis 5 or newer (or what speaks like it). Two keys a breaker, both with a time to live;
      # each question is one round trip. Times are Redis' own: the hosts' clocks need not agree.
      #
      # Whatever happens to Redis, no call fails by it; see {Store} for what a call waits. Give the client short
      # timeouts all the same, so that a Redis that hangs does not hold the thread that asks it.
      #
      # @example
      #   store = RAAF::Streaming::CircuitBreaker::RedisStore.new(Redis.new(url: ENV["REDIS_URL"], timeout: 0.5))
      #   RAAF::Streaming::CircuitBreaker.new(name: "openai/gpt-4o", store: store)
      class RedisStore < Store
        # Seconds for which a record is kept after its breaker could have been probed: who has been away so long begins
        # anew.
        KEEP_SECONDS = 3600

        # @param client [#call, #with] a Redis (of the gem redis), a RedisClient, or a ConnectionPool of either
        # @param prefix [String] of the keys
        # @param options [Hash] refresh: and patience:, see {Store#initialize}
        # @raise [ArgumentError] for a client that is none
        def initialize(client, prefix: "raaf:circuit:", **options)
          super(**options)
          @redis = RedisConnection.new(client)
          @prefix = prefix.to_s
        end

        # (see Store#read)
        def read(name)
          record(run(READ, name))
        end

        # (see Store#write_open)
        def write_open(name, id:, seconds:)
          record(run(OPEN, name, id, milliseconds(seconds), milliseconds(KEEP_SECONDS)))
        end

        # (see Store#write_closed)
        def write_closed(name, id:, after:)
          record(run(CLOSE, name, id, after.nil? ? 1 : 0, after.to_s, milliseconds(KEEP_SECONDS)))
        end

        # (see Store#claim_probe)
        def claim_probe(name, known:, owner:, seconds:)
          granted, *rest = run(CLAIM, name, known, owner, milliseconds(seconds))
          [granted.to_i == 1, record(rest)]
        end

        # @return [String] without the client, whose address may hold a password
        def inspect
          "#<#{self.class.name} #{@prefix}>"
        end

        private

        # What all scripts begin with: the time, and the record as {id, state, milliseconds left}.
        COMMON = <<~LUA
          local time = redis.call("TIME")
          local now = time[1] * 1000 + math.floor(time[2] / 1000)
          local function read()
            local fields = redis.call("HMGET", KEYS[1], "id", "state", "until")
            if not fields[1] then return {} end
            return {fields[1], fields[2], tonumber(fields[3]) - now}
          end
          local function write(id, state, ends, keep)
            redis.call("HSET", KEYS[1], "id", id, "state", state, "until", ends)
            redis.call("PEXPIRE", KEYS[1], ends - now + keep)
            redis.call("DEL", KEYS[2])
          end
        LUA

        READ = RedisConnection::Script.new("#{COMMON}return read()")

        # id, milliseconds, milliseconds to keep
        OPEN = RedisConnection::Script.new(<<~LUA)
          #{COMMON}write(ARGV[1], "open", now + tonumber(ARGV[2]), tonumber(ARGV[3]))
          return read()
        LUA

        # id, 1 for "in any case", the id that it follows, milliseconds to keep
        CLOSE = RedisConnection::Script.new(<<~LUA)
          #{COMMON}local id = read()[1]
          if ARGV[2] == "1" or not id or id == ARGV[3] then
            write(ARGV[1], "closed", now, tonumber(ARGV[4]))
          end
          return read()
        LUA

        # known id, owner, milliseconds
        CLAIM = RedisConnection::Script.new(<<~LUA)
          #{COMMON}local record = read()
          local due = not record[1] or record[1] == ARGV[1] or (record[2] == "open" and record[3] <= 0)
          local owner = redis.call("GET", KEYS[2])
          if not due or (owner and owner ~= ARGV[2]) then
            return {0, record[1], record[2], record[3]}
          end
          redis.call("SET", KEYS[2], ARGV[2], "PX", ARGV[3])
          return {1, record[1], record[2], record[3]}
        LUA
        private_constant :COMMON, :READ, :OPEN, :CLOSE, :CLAIM

        # The braces keep both keys on one node of a cluster.
        def run(script, name, *arguments)
          key = "#{@prefix}{#{name}}"
          @redis.run(script, [key, "#{key}:probe"], arguments)
        end

        def milliseconds(seconds)
          [(seconds * 1000).ceil, 1].max
        end

        def record(fields)
          id, state, milliseconds = fields
          Record.new(id, state.to_sym, milliseconds.to_i / 1000.0) if id
        end
      end
    end
  end
end
