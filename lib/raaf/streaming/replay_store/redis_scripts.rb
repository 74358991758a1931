# frozen_string_literal: true

require_relative "../redis_connection"

module RAAF
  module Streaming
    class ReplayStore
      # What {RedisStore} has Redis do in one step. Each script comes to the same when it is run again with the same
      # arguments, since a client may repeat a command whose answer was lost.
      #
      # A stream is a Hash, KEYS[1]: attempt, owner, process (that runs it, or nothing), waiting, finished, cancelled,
      # places (how many), key:<key> for each key, keys (how many) and, for each place, last (number), bytes (of the
      # frames) and size (bytes of the text; -1: it is not whole). For each place there are a
      # Redis stream, whose ids are attempt-seq and which holds only frames of the attempt, and the text as a String.
      # Any of them may be gone before the others (evicted, expired).
      #
      # All keys of a stream have its id in braces, so that they lie on one node of a cluster; some scripts find those
      # of the places by the fields of the Hash.
      #
      # @api private
      module RedisScripts
        # Called with the Hash; frames_of and text_of name the other keys.
        COMMON = <<~LUA
          local meta = KEYS[1]
          local function frames_of(place) return meta .. ":frames:" .. place end
          local function text_of(place) return meta .. ":text:" .. place end
          local function places()
            local found = {}
            for _, field in ipairs(redis.call("HKEYS", meta)) do
              if string.sub(field, 1, 5) == "last:" then found[#found + 1] = string.sub(field, 6) end
            end
            return found
          end
          local function attempt() return tonumber(redis.call("HGET", meta, "attempt") or "0") end
          local function start_over(number)
            for _, place in ipairs(places()) do
              redis.call("DEL", frames_of(place), text_of(place))
              redis.call("HDEL", meta, "last:" .. place, "bytes:" .. place, "size:" .. place)
            end
            redis.call("HDEL", meta, "owner", "finished", "places", "waiting", "process")
            redis.call("HSET", meta, "attempt", number)
          end
          local function add_keys(first, most)
            for i = first, #ARGV do
              local known = tonumber(redis.call("HGET", meta, "keys") or "0")
              if known < most and redis.call("HSETNX", meta, "key:" .. ARGV[i], 1) == 1 then
                redis.call("HINCRBY", meta, "keys", 1)
              end
            end
          end
        LUA

        # owner, the lowest attempt, milliseconds to live, process, the most keys, keys; gives the attempt, and 1 where
        # it is a new one
        BEGIN_ATTEMPT = RedisConnection::Script.new(<<~LUA)
          #{COMMON}
          local current, least = attempt(), tonumber(ARGV[2])
          add_keys(6, tonumber(ARGV[5]))
          local same = redis.call("HGET", meta, "owner") == ARGV[1] and redis.call("HEXISTS", meta, "waiting") == 0
          if same and current >= least then return {current, 0} end
          local number = math.max(current + 1, least)
          start_over(number)
          redis.call("HSET", meta, "owner", ARGV[1], "process", ARGV[4])
          redis.call("PEXPIRE", meta, ARGV[3])
          return {number, 1}
        LUA

        # attempt, milliseconds to live, the most keys, keys
        AWAIT = RedisConnection::Script.new(<<~LUA)
          #{COMMON}
          local finished = redis.call("HEXISTS", meta, "finished")
          redis.call("HSETNX", meta, "attempt", 0)
          add_keys(4, tonumber(ARGV[3]))
          if attempt() <= tonumber(ARGV[1]) and finished == 0 then
            redis.call("HSET", meta, "waiting", 1)
            redis.call("HDEL", meta, "process")
          end
          if finished == 0 or redis.call("PTTL", meta) < 0 then redis.call("PEXPIRE", meta, ARGV[2]) end
          return 1
        LUA

        # the most keys, keys
        ADD_KEYS = RedisConnection::Script.new(<<~LUA)
          #{COMMON}
          if redis.call("EXISTS", meta) == 1 then add_keys(2, tonumber(ARGV[1])) end
          return 1
        LUA

        # place, attempt, seq, data, delta, terminal (1 or 0), reset (1 or 0), the most frames, bytes, bytes of text and
        # places, milliseconds to live, process; gives the attempt there is, and 1: kept, 0: refused
        APPEND = RedisConnection::Script.new(<<~LUA)
          #{COMMON}
          local place, number, seq = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
          local frames, text = frames_of(place), text_of(place)
          local current = attempt()
          if number < current then return {current, 0} end
          if number > current then
            start_over(ARGV[2])
            redis.call("HSET", meta, "process", ARGV[13])
          end
          if redis.call("HEXISTS", meta, "finished") == 1 then return {number, 0} end

          local last = tonumber(redis.call("HGET", meta, "last:" .. place) or "0")
          if seq <= last then return {number, 0} end
          if last == 0 then
            if tonumber(redis.call("HGET", meta, "places") or "0") >= tonumber(ARGV[11]) then return {number, 0} end
            redis.call("HINCRBY", meta, "places", 1)
            redis.call("DEL", frames, text)
          end

          local size = tonumber(redis.call("HGET", meta, "size:" .. place) or "0")
          if seq ~= last + 1 or redis.call("STRLEN", text) ~= size then size = -1 end
          if ARGV[7] == "1" then
            redis.call("DEL", text)
            size = 0
          end
          if size >= 0 and size + #ARGV[5] <= tonumber(ARGV[10]) then
            size = size + #ARGV[5]
            if #ARGV[5] > 0 then redis.call("APPEND", text, ARGV[5]) end
          else
            size = -1
            redis.call("DEL", text)
          end

          redis.call("XADD", frames, ARGV[2] .. "-" .. ARGV[3], "data", ARGV[4], "terminal", ARGV[6])
          local length = redis.call("XLEN", frames)
          local bytes = #ARGV[4]
          if length > 1 then bytes = bytes + tonumber(redis.call("HGET", meta, "bytes:" .. place) or "0") end
          while length > tonumber(ARGV[8]) or (bytes > tonumber(ARGV[9]) and length > 0) do
            local oldest = redis.call("XRANGE", frames, "-", "+", "COUNT", 1)[1]
            bytes = bytes - #oldest[2][2]
            redis.call("XDEL", frames, oldest[1])
            length = length - 1
          end
          redis.call("HSET", meta, "last:" .. place, ARGV[3], "bytes:" .. place, bytes, "size:" .. place, size)
          for _, key in ipairs({meta, frames, text}) do redis.call("PEXPIRE", key, ARGV[12]) end
          return {number, 1}
        LUA

        # attempt, milliseconds to live; gives the attempt there is, and 1: finished, 0: refused
        FINISH = RedisConnection::Script.new(<<~LUA)
          #{COMMON}
          local number, current = tonumber(ARGV[1]), attempt()
          if number < current then return {current, 0} end
          if number > current then start_over(ARGV[1]) end
          redis.call("HSET", meta, "finished", 1)
          redis.call("PEXPIRE", meta, ARGV[2])
          for _, place in ipairs(places()) do
            redis.call("PEXPIRE", frames_of(place), ARGV[2])
            redis.call("PEXPIRE", text_of(place), ARGV[2])
          end
          return {number, 1}
        LUA

        # milliseconds to live, where it is not known yet; gives 1, or 0: it had come to its end
        CANCEL = RedisConnection::Script.new(<<~LUA)
          if redis.call("HEXISTS", KEYS[1], "finished") == 1 then return 0 end
          redis.call("HSET", KEYS[1], "cancelled", 1)
          if redis.call("PTTL", KEYS[1]) < 0 then redis.call("PEXPIRE", KEYS[1], ARGV[1]) end
          return 1
        LUA

        # place, number to read from, attempt that the reader knows (or ""), limit; gives attempt, finished, cancelled,
        # last, 1 where the reader begins anew, frames; nothing: nothing is known
        READ = RedisConnection::Script.new(<<~LUA)
          #{COMMON}
          local fields = redis.call("HMGET", meta, "attempt", "finished", "cancelled", "last:" .. ARGV[1])
          if not fields[1] and not fields[3] then return {} end
          local from, anew = ARGV[2], 0
          if ARGV[3] ~= "" and tonumber(ARGV[3]) < attempt() then
            from = "1"
            anew = 1
          end
          local start = (fields[1] or "0") .. "-" .. from
          local frames = redis.call("XRANGE", frames_of(ARGV[1]), start, "+", "COUNT", ARGV[4])
          return {fields[1] or "0", fields[2] or "", fields[3] or "", fields[4] or "0", anew, frames}
        LUA

        # place; gives attempt, finished, last, text; nothing: there is none
        CHECKPOINT = RedisConnection::Script.new(<<~LUA)
          #{COMMON}
          local fields = redis.call("HMGET", meta, "attempt", "finished", "last:" .. ARGV[1], "size:" .. ARGV[1])
          if not fields[3] or not fields[4] then return {} end
          local text = redis.call("GET", text_of(ARGV[1])) or ""
          if #text ~= tonumber(fields[4]) then return {} end
          return {fields[1], fields[2] or "", fields[3], text}
        LUA

        # KEYS[1]: the streams of a key, by the time at which they began. stream, the most of them, milliseconds to live
        LIST = RedisConnection::Script.new(<<~LUA)
          local time = redis.call("TIME")
          local now = time[1] * 1000000 + time[2]
          local last = redis.call("ZRANGE", KEYS[1], -1, -1, "WITHSCORES")[2]
          if last then now = math.max(now, tonumber(last) + 1) end
          redis.call("ZADD", KEYS[1], "NX", now, ARGV[1])
          redis.call("ZREMRANGEBYRANK", KEYS[1], 0, -1 - tonumber(ARGV[2]))
          redis.call("PEXPIRE", KEYS[1], ARGV[3])
          return 1
        LUA
      end
    end
  end
end
