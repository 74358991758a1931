# frozen_string_literal: true

module RAAF
  module Streaming
    # Keeps what was said in a session, so that the next run of the same session goes on from it.
    #
    # Anything with {#messages} and {#append} can be the setting `conversation_store`; this one keeps it in the memory
    # of the process, {ActiveRecordStore} in the database. Runs with a `session_id` begin with what the store has, and
    # add to it what the user said and what came of it: the answer, tool calls and their results; of a run that was cut
    # off, the words that were delivered. Of a run that failed before a word came nothing is kept, so that it can be
    # tried again.
    #
    # Every method may be called from any thread. What it hands out are copies.
    #
    # @example
    #   RAAF::Streaming.configure { |config| config.conversation_store = RAAF::Streaming::ConversationStore.new }
    #   runner.run_and_stream("My name is Ann.", session_id: "42")
    #   runner.run_and_stream("What is my name?", session_id: "42")
    class ConversationStore
      # Needs no ActiveRecord until it is used.
      autoload :ActiveRecordStore, "#{__dir__}/conversation_store/active_record_store"

      # Messages kept for one session, unless another number is given.
      MAX_MESSAGES = 200
      # Sessions kept, unless another number is given.
      MAX_SESSIONS = 10_000

      # @param max_messages [Integer] for each session; of more the oldest go, in whole exchanges
      # @param max_sessions [Integer] of more, those that have been left alone longest go
      # @raise [ArgumentError] for a number below 1
      def initialize(max_messages: MAX_MESSAGES, max_sessions: MAX_SESSIONS)
        unless [max_messages, max_sessions].all? { |most| most.is_a?(Integer) && most.positive? }
          raise ArgumentError, "max_messages and max_sessions must be numbers from 1 up"
        end

        @max_messages = max_messages
        @max_sessions = max_sessions
        @lock = Mutex.new
        @sessions = {} # in the order in which they were used
      end

      # @param session_id [#to_s]
      # @return [Array<Hash{Symbol=>Object}>] what was said, oldest first, without system messages; [] for a new session
      def messages(session_id)
        @lock.synchronize { (touch(session_id.to_s) || []).map(&:dup) }
      end

      # Adds to a session what was said.
      #
      # @param session_id [#to_s]
      # @param messages [Array<Hash{Symbol=>Object}>]
      # @return [void]
      def append(session_id, messages)
        @lock.synchronize do
          kept = touch(session_id.to_s) || []
          @sessions[session_id.to_s] = shorten(kept + messages.map(&:dup))
          @sessions.shift while @sessions.size > @max_sessions
        end
      end

      # Forgets a session.
      #
      # @param session_id [#to_s]
      # @return [void]
      def clear(session_id)
        @lock.synchronize { @sessions.delete(session_id.to_s) }
      end

      # @return [Integer] sessions that are kept
      def size
        @lock.synchronize { @sessions.size }
      end

      # @return [String] how much it keeps; not what
      def inspect
        "#<#{self.class.name} sessions=#{size}>"
      end

      private

      def touch(session_id)
        kept = @sessions.delete(session_id)
        @sessions[session_id] = kept if kept
      end

      # What is left begins with a user's message: no provider takes the result of a tool that nobody has called.
      def shorten(messages)
        return messages if messages.size <= @max_messages

        last = messages.last(@max_messages)
        last.drop_while { |message| message[:role].to_s != "user" }
      end
    end
  end
end
