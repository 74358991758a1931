# frozen_string_literal: true

module RAAF
  module Streaming
    # Which stream and which chunk the code deals with that runs now: kept in the fiber's storage while a block or a
    # callback has a chunk, so that what it sends out can be numbered and traced back without its help.
    #
    # It costs a few reads and writes a chunk and no object; but nothing where nobody asks, so it is kept only once
    # somebody has called {keep}.
    #
    # One a stream, which numbers what the stream sends ({#stamp}), and has the replay store keep it. Which chunk it is
    # about, each fiber says for itself: while the stream's block has the next one, a handler of events may still deal
    # with the one before.
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

      # Places of one stream that are counted; what is sent to further ones goes without a stamp.
      MAX_PLACES = 1000

      # @return [Stream, nil] nil: none has come about
      attr_reader :stream

      # @param stream [Stream, nil]
      # @param live [LiveRun]
      def initialize(stream, live)
        @stream = stream
        @live = live
        @lock = Mutex.new # covers the rest
        @places = {}
        @anew = [] # numbers of the chunks with which the answer begins anew
        @recording = nil
        @over = false
      end

      # @return [Chunk, nil] that the calling fiber deals with; nil: none, as in a tool
      def chunk
        Thread.current[CHUNK_KEY]
      end

      # @return [Array<String>] where the stream was sent to
      def places
        @lock.synchronize { @places.keys }
      end

      # Has the replay store know of the stream, where there is one. Once; {#stamp} does it too.
      #
      # @return [void]
      def record
        @lock.synchronize { begin_recording }
      end

      # The message with its stamp, under the key `raaf`: where it stands among all that the stream sends to a place.
      # Counted apart from the chunks, so that an application that sends some chunks twice, or not at all, leaves no
      # gap. What is returned is to be sent: the replay store has got it by then, where there is one.
      #
      # The stamp has stream_id, seq (from 1), attempt (from 1), terminal and, where there is one, request_id,
      # tool_name, reset: true where the answer begins anew with this frame, and the text so far holds no longer, and
      # cancelled: true on the last one where somebody wanted the stream to end.
      #
      # @param place [String] such as the name of a broadcasting
      # @param message [Hash]
      # @param cumulative_limit [Integer, nil] bytes: a longer text under the key `cumulative` is left out, where the
      #   reader has it from the frames before
      # @return [Hash] a copy; the message itself for too many places
      def stamp(place, message, cumulative_limit: nil)
        chunk = self.chunk
        @lock.synchronize do
          begin_recording
          at = place_for(place) or return message
          at.count(chunk, epoch_of(chunk))
          message = at.trim(message, chunk, cumulative_limit)
          stamped = message.merge(raaf: stamp_of(at, chunk))
          @recording&.append({place: place, seq: at.seq, message: stamped, delta: at.delta, reset: at.reset?,
                              terminal: chunk&.terminal?})
          stamped
        end
      end

      # The message with the stamp of a last frame, for what is said after the stream's end about why it has failed.
      # Where the last chunk was sent to that place it is a double of that one, which readers drop.
      #
      # @param place [String]
      # @param message [Hash]
      # @return [Hash] a copy; the message itself for too many places
      def stamp_end(place, message)
        @lock.synchronize do
          begin_recording
          at = place_for(place) or return message
          again = at.told?
          at.end_here unless again
          stamped = message.merge(raaf: stamp_of(at, nil, terminal: true))
          @recording&.append(place: place, seq: at.seq, message: stamped, terminal: true) unless again
          stamped
        end
      end

      # The text so far holds no longer from a chunk on.
      #
      # @param seq [Integer] the chunk's number
      # @return [void]
      def begin_anew(seq)
        @lock.synchronize { @anew << seq }
      end

      # The run has ended, and its last chunk was handed over. Any number of times.
      #
      # @param interrupted [Boolean] by a signal, or the end of the process: a job may be run again
      # @return [void]
      def over(interrupted: false)
        recording, told = @lock.synchronize do
          [(@recording unless @over), @places.any? && @places.each_value.all?(&:told?)].tap { @over = true }
        end
        return unless recording
        return recording.leave if interrupted

        (told || !Delivery.kept?) ? recording.finish : recording.finish_soon
      end

      # @return [String] short
      def inspect
        "#<#{self.class.name} #{@live.context.stream_id}>"
      end

      private

      # Under the lock, as all that follow.
      def begin_recording
        return if @recording || !(store = Streaming.configuration.replay_store)

        recording = @recording = ReplayStore::Recording.new(store, @live)
        recording.finish_soon if @over # the first frame comes from a handler of events, which was slower
      end

      def place_for(name)
        @places.fetch(name) do
          next if @places.size >= MAX_PLACES

          @recording&.add_place(name)
          @places[name] = Place.new
        end
      end

      def epoch_of(chunk)
        return @anew.size if chunk.nil? || @anew.empty?

        @anew.count { |seq| seq <= chunk.seq }
      end

      def attempt
        @recording&.attempt || @live.context.attempt
      end

      def stamp_of(at, chunk, terminal: chunk&.terminal? || false)
        {stream_id: @live.context.stream_id, seq: at.seq, attempt: attempt, terminal: terminal,
         tool_name: chunk&.tool_name, request_id: @live.context.origin&.request_id,
         reset: (true if at.reset?), cancelled: (true if terminal && stopped?)}.compact
      end

      def stopped?
        @live.cancelled? && @live.reason != :superseded
      end
    end
  end
end

require_relative "delivery/place"
