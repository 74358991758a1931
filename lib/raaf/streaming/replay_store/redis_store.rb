# frozen_string_literal: true

require_relative "redis_scripts"
require_relative "shared_store"

module RAAF
  module Streaming
    class ReplayStore
      # Keeps frames in Redis 5 or newer, in a Redis stream for each stream and place: for any number of processes and
      # hosts. What it keeps is as durable as that Redis.
      #
      # {#append} and {#finish} put what is to be written into a queue, which one thread at a time sends, many at once;
      # so they never wait. While Redis is away it is tried again, for 30 s (the ends of streams: for 10 min);
      # meanwhile, and where there is more than Redis takes, the oldest is lost once the queue is full. {#begin} and
      # what asks wait for Redis, as long as the client's own time limits allow: give it short ones.
      #
      # One look at Redis each `poll` seconds tells a process which of all its streams are to stop; none, where it
      # watches none.
      #
      # A script finds some keys by itself, all with the stream's id in braces. With `maxmemory`, have Redis evict only
      # what expires (`volatile-lru`), or nothing; a stream that lost a part of itself says so ({Reading#gap?}).
      #
      # @example
      #   pool = ConnectionPool.new(size: 5) { Redis.new(url: ENV["REDIS_URL"], timeout: 0.5) }
      #   RAAF::Streaming::ReplayStore::RedisStore.new(pool)
      class RedisStore < SharedStore
        # Seconds for which is kept what tells processes that something was cancelled, and which streams a key has.
        LIST_TTL = 86_400
        # What the queue has Redis do.
        WRITING = [RedisScripts::APPEND, RedisScripts::FINISH, RedisScripts::ADD_KEYS, RedisScripts::LIST].freeze
        # Fields of a stream.
        STATE = %w[attempt finished cancelled waiting process].freeze
        private_constant :WRITING, :STATE

        # @param client [#call, #with] a Redis (of the gem redis), a RedisClient, or a ConnectionPool of either
        # @param prefix [String] of the keys
        # @param options [Hash] see {SharedStore#initialize}
        # @raise [ArgumentError] for a client that is none, and a wrong number
        def initialize(client, prefix: "raaf:replay:", **options)
          super(**options)
          @redis = RedisConnection.new(client)
          @prefix = prefix.to_s
          @token = nil # the poll's
        end

        # (see ReplayStore#begin)
        def begin(stream_id, owner: SecureRandom.uuid, keys: [], at_least: 1)
          id = id_of(stream_id)
          owner = ReplayStore.name_of(owner, "owner")
          keys = check_keys(keys)
          count("at_least", at_least)
          attempt = begin_in_redis(id, owner, at_least, keys)
          @lease.hold(id, attempt || at_least)
          return at_least unless attempt

          best_effort { list(id, keys) }
          attempt
        end

        # (see ReplayStore#await)
        def await(stream_id, attempt: 0, keys: [])
          id = id_of(stream_id)
          keys = check_keys(keys)
          count("attempt", attempt, 0)
          @lease.release(id, attempt)
          best_effort do
            run(RedisScripts::AWAIT, id, attempt, milliseconds(live_ttl), MAX_KEYS, *keys)
            list(id, keys)
          end
        end

        # (see ReplayStore#read)
        def read(stream_id, place:, after: 0, attempt: nil, limit: READ_LIMIT)
          place = ReplayStore.name_of(place, "place")
          count("after", after, 0)
          found = run(RedisScripts::READ, id_of(stream_id), place, after + 1, attempt, count("limit", limit))
          reading(place, after, found) unless found.empty?
        end

        # (see ReplayStore#checkpoint)
        def checkpoint(stream_id, place:)
          place = ReplayStore.name_of(place, "place")
          attempt, finished, last, text = run(RedisScripts::CHECKPOINT, id_of(stream_id), place)
          return unless attempt

          Checkpoint.new(place: place, attempt: attempt.to_i, seq: last.to_i, text: utf8(text),
            finished: yes?(finished))
        end

        # (see ReplayStore#state_of)
        def state_of(stream_id)
          key = key_of(id_of(stream_id))
          attempt, finished, cancelled, waiting, process = ask { @redis.call("HMGET", key, *STATE) }
          return :cancelled if yes?(cancelled)
          return :finished if yes?(finished)
          return :waiting if yes?(waiting)

          (alive?(process) ? :running : :abandoned) if attempt
        end

        # (see ReplayStore#finished?)
        def finished?(stream_id)
          yes?(ask { @redis.call("HGET", key_of(id_of(stream_id)), "finished") })
        end

        # (see ReplayStore#cancel)
        def cancel(stream_id)
          id = id_of(stream_id)
          here = @watcher.cancel(id)
          return here unless run(RedisScripts::CANCEL, id, milliseconds(live_ttl)) == 1

          announce
          true
        rescue Errors::StoreUnavailableError
          here || raise
        end

        # (see ReplayStore#cancelled?)
        def cancelled?(stream_id)
          yes?(ask { @redis.call("HGET", key_of(id_of(stream_id)), "cancelled") })
        end

        # (see ReplayStore#streams_of)
        def streams_of(key, recent: false)
          ids = ask { @redis.call("ZRANGE", list_of(ReplayStore.name_of(key, "key")), 0, -1) }.map { |id| utf8(id) }
          states = ask { @redis.pipelined(ids.map { |id| ["HMGET", key_of(id), "attempt", "finished"] }) }
          ids.zip(states).filter_map { |id, (attempt, finished)| id if attempt && (recent || !yes?(finished)) }
        end

        # (see ReplayStore#keys_of)
        def keys_of(stream_id)
          fields = ask { @redis.call("HKEYS", key_of(id_of(stream_id))) }.map { |field| utf8(field) }
          fields.filter_map { |field| field.delete_prefix("key:") if field.start_with?("key:") }
        end

        # (see ReplayStore#memberships)
        def memberships
          Memberships::RedisStore.new(@redis, prefix: "#{@prefix}members:")
        end

        # @return [String] without the client, whose address may hold a password
        def inspect
          "#<#{self.class.name} #{@prefix}>"
        end

        private

        # The braces keep all keys of a stream on one node of a cluster.
        def key_of(id)
          "#{@prefix}{#{id}}"
        end

        def list_of(key)
          "#{@prefix}of:#{key}"
        end

        # Has another value after each change that a process may have to know of.
        def token_key
          "#{@prefix}changed"
        end

        def yes?(field)
          field.to_s == "1"
        end

        def ask
          yield
        rescue => e
          raise Errors::StoreUnavailableError, "the replay store's Redis failed (#{e.class}: " \
                                               "#{Secrets.redact(e.message)})"
        end

        def run(script, id, *arguments)
          ask { @redis.run(script, [key_of(id)], arguments) }
        end

        def announce
          ask { @redis.call("SET", token_key, SecureRandom.hex(8), "PX", milliseconds(LIST_TTL)) }
        end

        # @return [Integer, nil] nil: it has failed
        def begin_in_redis(id, owner, at_least, keys)
          process = @lease.process
          arguments = [owner, at_least, milliseconds(live_ttl), process, MAX_KEYS, *keys]
          commands = [renewal(process), RedisScripts::BEGIN_ATTEMPT.command([key_of(id)], arguments)]
          fresh = nil
          attempt = begun(id, at_least) do
            _, (number, fresh) = ask { @redis.knowing([RedisScripts::BEGIN_ATTEMPT]) { @redis.pipelined(commands) } }
            number
          end
          best_effort { announce } if attempt && fresh == 1 && attempt > 1
          attempt
        end

        def list(id, keys)
          commands = keys.map { |key| list_command(key, id) }
          @redis.knowing([RedisScripts::LIST]) { @redis.pipelined(commands) }
        end

        def list_command(key, id)
          RedisScripts::LIST.command([list_of(key)], [id, MAX_LISTED, milliseconds(LIST_TTL)])
        end

        def lease_of(process)
          "#{@prefix}lease:#{process}"
        end

        def renew(process)
          @redis.call(*renewal(process))
        end

        def renewal(process)
          ["SET", lease_of(process), "1", "PX", milliseconds(lease_seconds)]
        end

        def alive?(process)
          process && ask { @redis.call("EXISTS", lease_of(process)) } == 1
        end

        def best_effort
          yield
          nil
        rescue => e
          Streaming.logger.warn("the replay store's Redis failed (#{e.class}: #{Secrets.redact(e.message)})")
          nil
        end

        # On a thread of the writer's.
        def write(items)
          commands = items.map { |item| command_of(item) }
          lists = items.select { |(kind)| kind == :add_keys }.flat_map do |(_, id, keys)|
            keys.map { |key| list_command(key, id) }
          end
          answers = @redis.knowing(WRITING) { @redis.pipelined(commands + lists) }
          items.zip(answers) { |(kind, id), (attempt, kept)| note(kind, id, attempt, kept == 1) }
        end

        def command_of(item)
          kind, id, what = item
          keys = [key_of(id)]
          return RedisScripts::FINISH.command(keys, [what, milliseconds(finished_ttl)]) if kind == :finish
          return RedisScripts::ADD_KEYS.command(keys, [MAX_KEYS, *what]) if kind == :add_keys

          RedisScripts::APPEND.command(keys, [what.place, what.attempt, what.seq, what.data, what.delta,
            what.terminal? ? 1 : 0, what.reset? ? 1 : 0, max_frames, max_bytes, max_text_bytes, MAX_PLACES,
            milliseconds(live_ttl), @lease.process])
        end

        # On a thread of the watcher's. What changes after the token was read changes the token again.
        def look(fresh, all)
          token = @redis.call("GET", token_key)
          ids = (token == @token) ? fresh : all
          states = @redis.pipelined(ids.map { |id| ["HMGET", key_of(id), "attempt", "cancelled"] })
          @token = token
          ids.zip(states).to_h { |id, (attempt, cancelled)| [id, [sure?(id) ? attempt.to_i : 0, yes?(cancelled)]] }
        end

        def reading(place, after, found)
          attempt, finished, cancelled, last, anew, entries = found
          Reading.new(frames: entries.map { |entry| frame_of(place, entry) }, attempt: attempt.to_i,
            after: (anew == 1) ? 0 : after, last: last.to_i, finished: yes?(finished), cancelled: yes?(cancelled))
        end

        def frame_of(place, entry)
          id, (_, data, _, terminal) = entry
          attempt, seq = id.split("-").map(&:to_i)
          Frame.new(place: place, seq: seq, attempt: attempt, message: utf8(data), terminal: yes?(terminal))
        end
      end
    end
  end
end
