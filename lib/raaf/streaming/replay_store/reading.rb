# frozen_string_literal: true

module RAAF
  module Streaming
    class ReplayStore
      # What {ReplayStore#read} has found.
      class Reading
        # @return [Array<Frame>] in order of their numbers
        attr_reader :frames
        # @return [Integer] the attempt that the frames are of; a reader that knows an older one begins anew. 0: none
        #   has begun (somebody has cancelled what is not there yet)
        attr_reader :attempt
        # @return [Integer] the number after which was read; 0 where the reader knew an older attempt
        attr_reader :after
        # @return [Integer] the number of the last frame that was appended at this place; 0: none
        attr_reader :last

        # @param frames [Array<Frame>]
        # @param attempt [Integer]
        # @param after [Integer]
        # @param last [Integer]
        # @param finished [Boolean]
        # @param cancelled [Boolean]
        def initialize(frames:, attempt:, after:, last:, finished:, cancelled:)
          @frames = frames
          @attempt = attempt
          @after = after
          @last = last
          @finished = finished
          @cancelled = cancelled
        end

        # @return [Boolean] whether the stream has come to its end
        def finished?
          @finished
        end

        # @return [Boolean] whether somebody wants the stream to stop
        def cancelled?
          @cancelled
        end

        # @return [Boolean] whether there are further frames: read on, after the last one
        def more?
          frames.any? && frames.last.seq < last
        end

        # Whether frames are missing that there have been: they were dropped for room, or never reached the store. Then
        # {ReplayStore#checkpoint} has the text so far, to start over from. That the reader knows more than the store
        # says nothing before the end: frames reach the store a little later.
        #
        # @return [Boolean]
        def gap?
          return after < last || (finished? && after > last) if frames.empty?

          frames.first.seq > after + 1 || frames.last.seq - frames.first.seq >= frames.size
        end

        # @return [String] short
        def inspect
          "#<#{self.class.name} attempt=#{attempt} frames=#{frames.size} last=#{last}#{" finished" if finished?}>"
        end
      end

      # The text of the answer at a place, up to and with the frame `seq` of the attempt; seq 0: nothing yet.
      Checkpoint = Struct.new(:place, :attempt, :seq, :text, :finished, keyword_init: true)
    end
  end
end
