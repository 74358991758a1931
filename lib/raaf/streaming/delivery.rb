# frozen_string_literal: true

module RAAF
  module Streaming
    # Which stream and which chunk the code deals with that runs now: kept in the fiber's storage while a block or a
    # callback has a chunk, so that what it sends out can be numbered and traced back without its help.
    #
    # It costs a few reads and writes a chunk and no object; but nothing where nobody asks, so it is kept only once
    # somebody has called {keep}.
    #
    # One a stream. Its chunks are handed over one after another, so the chunk is changed by one thread at a time.
    #
    # @api private
    class Delivery
      KEY = :raaf_streaming_delivery
      private_constant :KEY

      @kept = false

      class << self
        # From now on {current} is there: for streams whose chunks are taken, and callbacks that are given, afterwards.
        #
        # @return [void]
        def keep
          @kept = true
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
          lambda do |chunk|
            storage = Thread.current
            outer = storage[KEY]
            delivery.chunk = chunk
            storage[KEY] = delivery
            block.call(chunk)
          ensure
            storage[KEY] = outer
          end
        end
      end

      # @return [Stream]
      attr_reader :stream
      # @return [Chunk, nil]
      attr_accessor :chunk

      # @param stream [Stream]
      # @param attempt [Integer] which one this is of a job that may be run again
      def initialize(stream, attempt = 1)
        @stream = stream
        @attempt = attempt
        @lock = Mutex.new # covers the numbers
        @numbers = Hash.new(0)
      end

      # Where a message that goes to a place now stands among all that the stream sends there. Counted apart from the
      # chunks, so that an application that sends some chunks twice, or not at all, leaves no gap.
      #
      # @param place [String] such as the name of a broadcasting
      # @return [Hash{Symbol=>Object}] stream_id, seq (from 1), attempt (from 1), terminal
      def stamp(place)
        seq = @lock.synchronize { @numbers[place] += 1 }
        {stream_id: stream.id, seq: seq, attempt: @attempt, terminal: chunk&.terminal? || false}
      end

      # @return [String] short
      def inspect
        "#<#{self.class.name} #{stream.id}>"
      end
    end
  end
end
