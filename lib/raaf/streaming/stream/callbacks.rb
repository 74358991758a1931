# frozen_string_literal: true

require_relative "../chunk"

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

        # Pieces of text. A late callback gets them joined, so that not every chunk has to be kept.
        TEXT_TYPES = %i[reasoning refusal].freeze
        private_constant :TEXT_TYPES

        def initialize
          @active = [].freeze # pairs of [types or nil, block]
          @late = Queue.new
          @kept = []
          @said = Hash.new { |said, type| said[type] = +"" }
          @content = nil
        end

        # @param types [Array<Symbol>]
        # @param block [Proc]
        # @return [void]
        # @raise [ArgumentError]
        def add(types, block)
          raise ArgumentError, "on needs a block" unless block

          unknown = types - Chunk::TYPES - [ANY]
          unless unknown.empty?
            raise ArgumentError, "unknown types of chunks: #{unknown.map(&:inspect).join(", ")} " \
                                 "(known: #{Chunk::TYPES.join(", ")}, and :* for all)"
          end
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
            past.each { |chunk| call(callback, chunk) }
          end
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
        # @yieldparam error [StandardError] what one raised
        # @return [void]
        def deliver_each(chunk)
          keep(chunk)
          @active.each do |callback|
            call(callback, chunk)
          rescue => e
            yield e
          end
        end

        private

        def call(callback, chunk)
          types, block = callback
          block.call(chunk) if types.nil? || types.include?(chunk.type)
        end

        def keep(chunk)
          if chunk.content?
            @content = chunk
          elsif TEXT_TYPES.include?(chunk.type)
            @said[chunk.type] << chunk.delta
          else
            @kept << chunk
          end
        end

        def past
          said = @said.map { |type, text| Chunk.new(type: type, delta: text.dup).freeze }
          last = @content
          said << whole(last) if last
          said + @kept
        end

        # Everything up to the last piece, as one piece.
        def whole(last)
          text = last.cumulative
          last.dup.tap { |chunk| chunk.delta = text.empty? ? last.delta : text }.freeze
        end
      end
    end
  end
end
