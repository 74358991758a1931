# frozen_string_literal: true

require "securerandom"
require_relative "../carried"
require_relative "../completion"

module RAAF
  module Streaming
    class CollaborativeSession
      # What a participant has said, and what becomes of it.
      class Message
        # @return [String] a random UUID, in every frame about it
        attr_reader :id
        # @return [Participant]
        attr_reader :participant
        # @return [String, Array<Hash>] the words, or parts of a content
        attr_reader :content

        # @param session [CollaborativeSession]
        # @param participant [Participant]
        # @param content [String, Array<Hash>]
        # @api private
        def initialize(session, participant, content)
          @id = SecureRandom.uuid
          @session = session
          @participant = participant
          @content = content
          @completion = Completion.new
          @started = false
          @carried = Carried.exactly
        end

        # Waits until it has been answered, well or not, and the last frame about it has been handed over.
        #
        # @param timeout [Numeric, nil] seconds; nil: no limit
        # @return [self, nil] nil after the timeout
        # @raise [Errors::ForkedError] in a child of the process it was submitted in
        # @raise [Errors::Error] in a callback of a stream, which would hold the thread that is to bring the answer
        def wait(timeout = nil)
          self if @completion.wait(timeout) { @session.check }
        end

        # @return [Streaming::Result] the answer; waits for it
        # @raise [Errors::Error] why there is none
        def result
          wait
          result, error = @completion.value
          raise error if error

          result
        end

        # @return [Exception, nil] why there is no answer, once that is known
        def error
          @completion.value&.last
        end

        # Takes it out of the queue, or ends its answer at once. One that has been answered is left as it is.
        #
        # @return [self]
        def cancel
          @session.cancel_message(self)
          self
        end

        # @return [Symbol] :queued, :answering, :complete, :failed or :cancelled
        def status
          return @started ? :answering : :queued unless @completion.set?
          return :complete unless error

          error.is_a?(Errors::CancelledError) ? :cancelled : :failed
        end

        # @return [Boolean] whether it has been answered, well or not
        def finished?
          @completion.set?
        end

        # @return [String] short: no word of it
        def inspect
          "#<#{self.class.name} #{id} #{status} of=#{participant.id.inspect}>"
        end

        # Its answer is begun where the one before has ended, but for the one who has said it.
        #
        # @yieldreturn [Object]
        # @return [Object] what the block returned
        # @api private
        def within(&block)
          @carried.within(&block)
        end

        # @return [void]
        # @api private
        def start_answer
          @started = true
        end

        # @param result [Streaming::Result, nil]
        # @param error [Exception, nil]
        # @return [Boolean] false: that is known already
        # @api private
        def settle(result, error)
          @completion.set([result, error])
        end
      end
    end
  end
end
