# frozen_string_literal: true

module RAAF
  module Streaming
    class CollaborativeSession
      # Messages that wait, in turns: one of each participant who has any, so that nobody waits behind all that another
      # one has to say. Under the session's lock.
      #
      # @api private
      class FairQueue
        # @return [Integer] messages that wait
        attr_reader :size

        # @param most [Integer] messages
        # @param most_each [Integer] of one participant
        def initialize(most, most_each)
          @most = most
          @most_each = most_each
          @waiting = {} # by participant's key; the first is next
          @size = 0
        end

        # @param message [Message]
        # @return [void]
        # @raise [Errors::StreamLimitError] where it is full
        def push(message)
          key = message.participant.key
          check(@waiting.fetch(key, []).size)
          (@waiting[key] ||= []) << message
          @size += 1
        end

        # @return [Message, nil] the next one
        def shift
          key, messages = @waiting.first
          return unless key && messages

          @size -= 1
          @waiting.delete(key) # and behind the others again
          messages.shift.tap { @waiting[key] = messages unless messages.empty? }
        end

        # @param message [Message]
        # @return [Boolean] whether it was there
        def delete(message)
          messages = @waiting[message.participant.key]
          return false unless messages&.delete(message)

          @size -= 1
          @waiting.delete(message.participant.key) if messages.empty?
          true
        end

        # @return [Array<Message>] all that waited
        def clear
          @waiting.values.flatten.tap do
            @waiting.clear
            @size = 0
          end
        end

        private

        def check(of_one)
          if @size >= @most
            raise Errors::StreamLimitError.new("#{@most} messages wait in this session, as many as max_queue allows: " \
                                               "try again later", limit: :max_queue)
          end
          return if of_one < @most_each

          raise Errors::StreamLimitError.new("#{@most_each} messages of this participant wait, as many as " \
                                             "max_queue_each allows: try again later", limit: :max_queue_each)
        end
      end
    end
  end
end
