# frozen_string_literal: true

module RAAF
  module Streaming
    class Delivery
      # What was sent to one place: how many frames, and how much of the answer's text a reader has by them.
      #
      # Used under the delivery's lock.
      #
      # @api private
      class Place
        # Of `:status` chunks, whose own text is the one that holds no longer.
        ANEW = %i[reset redirected].freeze

        # @return [Integer] the number of the last frame
        attr_reader :seq
        # @return [String] what the text of the answer has that it had not with the frame before
        attr_reader :delta

        def initialize
          @seq = 0
          @epoch = 0
          @bytes = 0 # of the text so far
          @exact = true # whether what readers have been sent comes to that text
          @delta = ""
          @reset = false
          @told = false
        end

        # A frame more.
        #
        # @param chunk [Chunk, nil] that it is about
        # @param epoch [Integer] how often the answer had begun anew by then
        # @return [void]
        def count(chunk, epoch)
          @reset = epoch > @epoch && @seq.positive?
          start_over(epoch) if epoch > @epoch
          @seq += 1
          @delta = (chunk && epoch == @epoch) ? added(chunk) : ""
          @told ||= chunk&.terminal? || false
        end

        # A frame more, about no chunk, which is the last.
        #
        # @return [void]
        def end_here
          @seq += 1
          @delta = ""
          @reset = false
          @told = true
        end

        # @return [Boolean] whether the text before the last frame holds no longer
        def reset?
          @reset
        end

        # @return [Boolean] whether the end was sent
        def told?
          @told
        end

        # @param message [Hash] of the last frame
        # @param chunk [Chunk, nil] that it is about
        # @param limit [Integer, nil] bytes
        # @return [Hash] without the whole text, where that is longer, and the reader has it from the frames before
        def trim(message, chunk, limit)
          return message unless limit && chunk

          @exact &&= chunk.content? ? said(message) == @delta : @delta.empty?
          key = [:cumulative, "cumulative"].find { |name| message.key?(name) } or return message
          whole = message[key]
          return message unless whole.is_a?(String) && whole == chunk.cumulative
          return message.except(key) if @exact && whole.bytesize > limit

          @exact = true if chunk.content?
          message
        end

        private

        def start_over(epoch)
          @epoch = epoch
          @bytes = 0
          @exact = true
        end

        def said(message)
          message[:content] || message["content"] || ""
        end

        # Measured by the whole text, so that it is right whatever chunks the application leaves out, or sends twice.
        # Where the text is not kept there are only the pieces.
        def added(chunk)
          return "" if !chunk.choice.zero? || (chunk.status? && ANEW.include?(chunk.status))

          whole = chunk.cumulative
          return (chunk.content? ? chunk.delta : "") if whole.empty?

          delta = whole.byteslice(@bytes..) || ""
          @bytes += delta.bytesize
          delta
        end
      end
    end
  end
end
