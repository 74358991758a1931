# frozen_string_literal: true

module RAAF
  module Streaming
    class Stream
      # The text of an answer, without everything else.
      class Text
        include Enumerable

        # @param stream [Stream]
        def initialize(stream)
          @stream = stream
        end

        # @yieldparam piece [String] never empty
        # @return [self, Enumerator]
        # @raise (see Stream#each)
        def each
          return enum_for(:each) unless block_given?

          @stream.each { |chunk| yield chunk.delta if chunk.content? }
          self
        end

        # @return [String] the whole text; waits for it
        # @raise [Errors::Error] where the run fails
        def to_s
          @stream.result.final_output
        end
      end
    end
  end
end
