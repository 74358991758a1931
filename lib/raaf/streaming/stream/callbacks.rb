# frozen_string_literal: true

require_relative "../chunk"
require_relative "past"

module RAAF
  module Streaming
    class Stream
      # The callbacks of one stream, and what a late one has to be told.
      #
      # {#add} may be called by any thread; the rest by the one dispatcher thread that has claimed the stream.
      #
      # @api private
      class Callbacks
        # The name for every type.
        ANY = :*

        # @param types [Array<Symbol>]
        # @param block [Proc, nil]
        # @return [void]
        # @raise [ArgumentError] for what {#add} cannot take
        def self.check(types, block)
          raise ArgumentError, "on needs a block" unless block

          unknown = types - Chunk::TYPES - [ANY]
          unless unknown.empty?
            raise ArgumentError, "unknown types of chunks: #{unknown.map(&:inspect).join(", ")} " \
                                 "(known: #{Chunk::TYPES.join(", ")}, and :* for all)"
          end
        end

        # @param past [Past] what was delivered before there was a callback
        # @param observers [Array<#call>] get every chunk before callbacks do, once
        def initialize(past, observers = [])
          @active = [].freeze # pairs of [types or nil, block]
          @late = Queue.new
          @past = past
          @observers = observers
        end

        # @param types [Array<Symbol>]
        # @param block [Proc]
        # @return [void]
        def add(types, block)
          @late << [(types.empty? || types.include?(ANY)) ? nil : types.freeze, block]
        end

        # @return [Boolean] whether callbacks wait for {#catch_up}
        def late?
          !@late.empty?
        end

        # Tells the callbacks that came since the last time what was delivered before.
        #
        # @return [void]
        def catch_up
          until @late.empty?
            callback = @late.pop
            @active = [*@active, callback].freeze
            @past.chunks.each { |chunk| call(callback, chunk) }
          end
        end

        # Only for those who come later.
        #
        # @param chunk [Chunk]
        # @return [void]
        def keep(chunk)
          @observers.each { |observer| observer.call(chunk) }
          @past.add(chunk)
        end

        # @param chunk [Chunk]
        # @return [void]
        def deliver(chunk)
          keep(chunk)
          @active.each { |callback| call(callback, chunk) }
        end

        # As {#deliver}, and goes on where a callback raises.
        #
        # @param chunk [Chunk]
        # @yieldparam error [Exception] what one raised
        # @return [void]
        def deliver_each(chunk)
          keep(chunk)
          @active.each do |callback|
            call(callback, chunk)
          rescue *FAILURES => e
            yield e
          end
        end

        private

        def call(callback, chunk)
          types, block = callback
          block.call(chunk) if types.nil? || types.include?(chunk.type)
        end
      end
    end
  end
end
