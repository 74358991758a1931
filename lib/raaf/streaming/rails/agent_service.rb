# frozen_string_literal: true

require "securerandom"
require_relative "departures"
require_relative "user_input"

module RAAF
  module Streaming
    # Answers one user's questions, for a channel: the base of the AgentService that the guide's AgentChannel uses. It
    # sends nothing itself; each chunk goes to the block.
    #
    # The conversation goes on from question to question, as long as the service lives. The generator writes the class
    # of the application, which says who answers:
    #
    # @example
    #   class AgentService < RAAF::Streaming::AgentService
    #     private
    #
    #     def build_agent
    #       RAAF::Agent.new(name: "Assistant", instructions: "Be brief, #{user.name} is busy.", model: "gpt-4o")
    #     end
    #   end
    class AgentService
      # Who answers this user, for jobs: without a service, which would take over the answers that the user has left.
      #
      # @param user [#id]
      # @param session_id [String]
      # @return [Agent]
      def self.agent_for(user, session_id: SecureRandom.uuid)
        service = allocate
        service.instance_variable_set(:@user, user)
        service.instance_variable_set(:@session_id, session_id)
        service.__send__(:build_agent)
      end

      # @return [Object] the application's user
      attr_reader :user
      # @return [String] of the conversation
      attr_reader :session_id

      # @param user [#id] whose questions they are
      # @param session_id [String] of the conversation: with the setting conversation_store the same one goes on where
      #   it stood
      def initialize(user:, session_id: SecureRandom.uuid)
        @user = user
        @session_id = session_id
        @lock = Mutex.new # covers the streams and the runner
        @streams = Departures.come_back(user)
        @runner = nil
      end

      # Made when it is first asked for: what build_agent raises is told to who asks, and does not keep a channel from
      # being subscribed to.
      #
      # @return [AsyncRunner] for a run of your own; one a service
      def runner
        @lock.synchronize { @runner } || keep(new_runner)
      end

      # Asks, and returns at once; the chunks go to the block on one of the dispatcher's threads, one after another, the
      # last one `:complete` or `:error`. A block that raises ends the answer.
      #
      # @param message [String] what the user says
      # @param context [Hash, nil] for instructions and tools
      # @yieldparam chunk [Chunk]
      # @return [Stream]
      # @raise [ArgumentError] for a message or a context that is none or too large, or a missing block
      # @raise [Errors::Error] where nothing could be asked
      def stream_chat(message, context = {}, &block)
        raise ArgumentError, "stream_chat needs a block for the chunks" unless block

        stream = runner.stream(check_message(message), context: check_context(context))
        @lock.synchronize { @streams = [*@streams.reject(&:finished?), stream] }
        stream.on(&block)
      end

      # The user is gone. Answers that are being written go on for {Configuration#disconnect_grace}, and are ended then
      # unless the user has come back: to another AgentService in this process, or as a reader to a channel in another
      # one ({ChannelActions}). Answers that jobs write are not ended by it.
      #
      # @return [void]
      def cleanup
        running = @lock.synchronize { @streams.reject(&:finished?).tap { @streams = [] } }
        Departures.leave(user, running, Streaming.configuration.disconnect_grace)
      end

      # @return [String] short
      def inspect
        "#<#{self.class.name} user=#{user.id.inspect}>"
      end

      private

      # Of two first questions at once each makes one, and both take the same: no lock is held over build_agent.
      def keep(made)
        @lock.synchronize { @runner ||= made }
      end

      def new_runner
        AsyncRunner.new(agent: build_agent, session_id: session_id, user_id: user.id,
          conversation_store: Streaming.configuration.conversation_store || ConversationStore.new(max_sessions: 1))
      end

      # Who answers. Override it.
      #
      # @return [Agent]
      def build_agent
        RAAF::Agent.new(name: "Assistant", instructions: "You are a helpful assistant.", model: "gpt-4o")
      end

      # It may come from a browser.
      def check_message(message)
        UserInput.message(message)
      end

      def check_context(context)
        UserInput.context(context)
      end
    end
  end
end
