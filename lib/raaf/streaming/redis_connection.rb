# frozen_string_literal: true

require "digest/sha1"

module RAAF
  module Streaming
    # The application's Redis client, whichever it is, as our stores use it: a Redis (of the gem redis), a RedisClient,
    # or a ConnectionPool of either. Neither gem is required here.
    #
    # May be called from any thread. A forked child has a connection of its own, as its client sees to.
    #
    # @api private
    class RedisConnection
      # A Lua script that Redis keeps by its digest.
      class Script
        # @return [String] Lua
        attr_reader :source
        # @return [String] hexadecimal
        attr_reader :digest

        # @param source [String]
        def initialize(source)
          @source = source.dup.freeze
          @digest = Digest::SHA1.hexdigest(@source).freeze
          freeze
        end

        # @param keys [Array<String>]
        # @param arguments [Array<#to_s>]
        # @return [Array<String, Integer>] the command that runs it where Redis knows it
        def command(keys, arguments)
          ["EVALSHA", digest, keys.size, *keys, *arguments.map(&:to_s)]
        end
      end

      # @param client [#call, #with]
      # @raise [ArgumentError] for a client that is none
      def initialize(client)
        unless client.respond_to?(:call) || pool?(client)
          raise ArgumentError, "a Redis, a RedisClient or a ConnectionPool is needed, not #{client.class}"
        end

        @client = client
        # A RedisClient, unlike the others, belongs to one thread at a time.
        @lock = Mutex.new if defined?(::RedisClient) && client.is_a?(::RedisClient)
      end

      # @param command [Array<String, Integer>]
      # @return [Object] Redis' answer
      # @raise [StandardError] the client's own
      def call(*command)
        with { |connection| connection.call(*command) }
      end

      # @param commands [Array<Array<String, Integer>>] sent at once
      # @return [Array<Object>] their answers
      # @raise [StandardError] the client's own, where one of them failed; the others may have been run
      def pipelined(commands)
        return [] if commands.empty?

        with do |connection|
          connection.pipelined { |pipeline| commands.each { |command| pipeline.call(*command) } }
        end
      end

      # @param script [Script]
      # @param keys [Array<String>]
      # @param arguments [Array<#to_s>]
      # @return [Object] what the script returns
      # @raise [StandardError] the client's own
      def run(script, keys, arguments)
        knowing([script]) { call(*script.command(keys, arguments)) }
      end

      # Runs the block, which calls the scripts, and once more where Redis did not know them. So what it does must come
      # to the same when it is done twice.
      #
      # @param scripts [Array<Script>]
      # @yieldreturn [Object]
      # @return [Object] what the block returns
      def knowing(scripts)
        yield
      rescue => e
        raise unless e.message.start_with?("NOSCRIPT")

        scripts.each { |script| call("SCRIPT", "LOAD", script.source) }
        yield
      end

      # @return [String] without the client, whose address may hold a password
      def inspect
        "#<#{self.class.name}>"
      end

      private

      # ActiveSupport gives every object a method of that name.
      def pool?(client)
        client.respond_to?(:with) && client.method(:with).owner != Object
      end

      def with(&block)
        lock = @lock
        return lock.synchronize { block.call(@client) } if lock
        return block.call(@client) unless pool?(@client)

        @client.with(&block)
      end
    end
  end
end
