# frozen_string_literal: true

module RAAF
  module Streaming
    # Which stream and which chunk the code deals with that runs now: kept in the fiber's storage while a block or a
    # callback has a chunk, so that what it sends out can be numbered and traced back without its help.
    #
    # It costs a few reads and writes a chunk and no object; but nothing where nobody asks, so it is kept only once
    # somebody has called {keep}.
    #
    # One a stream. Which chunk it is about, each fiber says for itself: while the stream's block has the next one, a
    # handler of events may still deal with the one before.
    #
    # @api private
    class Delivery
      KEY = :raaf_streaming_delivery
      CHUNK_KEY = :raaf_streaming_chunk
      private_constant :KEY, :CHUNK_KEY

      @kept = false

      class << self
        # From now on {current} is there: for streams whose chunks are taken, and callbacks that are given, afterwards.
        #
        # @return [void]
        def keep
          @kept = true
          Carried.keep
        end

        # @return [Boolean]
        def kept?
          @kept
        end

        # @return [Delivery, nil] what the calling fiber deals with; nil: nothing
        def current
          Thread.current[KEY] # of the fiber
        end

        # @param delivery [Delivery]
        # @param block [#call] what chunks are handed to
        # @return [#call] the same, with {current} meanwhile. A stream inside a block of another one's gives way to it
        #   again
        def around(delivery, block)
          ->(chunk) { within(delivery, chunk) { block.call(chunk) } }
        end

        # @param delivery [Delivery, nil] nil: what is sent meanwhile belongs to no stream
        # @param chunk [Chunk, nil]
        # @yieldreturn [Object]
        # @return [Object] what the block returned
        def within(delivery, chunk)
          storage = Thread.current # of the fiber
          outer = storage[KEY]
          outer_chunk = storage[CHUNK_KEY]
          storage[KEY] = delivery
          storage[CHUNK_KEY] = chunk
          yield
        ensure
          storage[KEY] = outer
          storage[CHUNK_KEY] = outer_chunk
        end
      end

      # @return [Stream]
      attr_reader :stream

      # @param stream [Stream]
      # @param attempt [Integer] which one this is of a job that may be run again
      def initialize(stream, attempt = 1)
        @stream = stream
        @attempt = attempt
        @lock = Mutex.new # covers the numbers
        @numbers = Hash.new(0)
        @ends = {} # place => number of the last chunk there
      end

      # @return [Chunk, nil] that the calling fiber deals with; nil: none, as in a tool
      def chunk
        Thread.current[CHUNK_KEY]
      end

      # Where a message that goes to a place now stands among all that the stream sends there. Counted apart from the
      # chunks, so that an application that sends some chunks twice, or not at all, leaves no gap.
      #
      # @param place [String] such as the name of a broadcasting
      # @return [Hash{Symbol=>Object}] stream_id, seq (from 1), attempt (from 1), terminal
      def stamp(place)
        terminal = chunk&.terminal? || false
        seq = @lock.synchronize { (@numbers[place] += 1).tap { |number| @ends[place] = number if terminal } }
        {stream_id: stream.id, seq: seq, attempt: @attempt, terminal: terminal}
      end

      # Where a message stands that says after the stream's end why it has failed: where the last chunk stood, if one
      # was sent to that place, so that it is a double of it; else after all others.
      #
      # @param place [String]
      # @return [Hash{Symbol=>Object}] as {stamp}
      def stamp_end(place)
        seq = @lock.synchronize { @ends[place] ||= (@numbers[place] += 1) }
        {stream_id: stream.id, seq: seq, attempt: @attempt, terminal: true}
      end

      # @return [Array<String>] where messages of it have gone
      def places
        @lock.synchronize { @numbers.keys }
      end

      # @return [String] short
      def inspect
        "#<#{self.class.name} #{stream.id}>"
      end
    end
  end
end
