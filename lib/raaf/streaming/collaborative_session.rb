# frozen_string_literal: true

require_relative "agent_run"
require_relative "broadcaster"
require_relative "conversation_store"
require_relative "memberships"
require_relative "collaborative_session/fair_queue"
require_relative "collaborative_session/message"
require_relative "collaborative_session/participant"

module RAAF
  module Streaming
    # One conversation of several people with one agent.
    #
    # What they say is answered one message after another, in turns: nobody waits behind all that another one has to
    # say. The model is told who says what, and remembers the whole conversation. No thread waits, neither for the model
    # nor for a message's turn.
    #
    # @example
    #   session = RAAF::Streaming::CollaborativeSession.new(session_id: "42", agent: agent)
    #   session.add_participant(ann).add_participant(bob)
    #   session.submit(ann, "What shall we cook?")          # returns at once
    #   session.submit(bob, "No fish, please").result.text  # waits
    #   session.cancel_current
    #
    # **Frames.** What happens is handed to the `broadcaster` as Hashes: by Action Cable where that is loaded. Each has
    # type, session_id, seq (1, 2, 3 …, by which a client puts them in order), timestamp, and
    #
    # * with the type "agent_chunk": chunk_type, content, original_user (the name), message_id and stream_id; tool_name
    #   where there is one, `cumulative` (the whole answer) with :complete, `error` with :error;
    # * with the type "session_event": event, and data about it: :participant_joined and :participant_left (user),
    #   :message_queued (user, message, message_id, queue_size), :answer_started and :message_cancelled (user,
    #   message_id).
    #
    # Where Action Cable sends them, who takes part is a member of the session ({Memberships}) from {#add_participant}
    # to {#remove_participant}: RAAF::Streaming::SessionChannel shows frames to members only.
    #
    # A user is never more than `{id:, name:}` in them. An answer that fails, or is cancelled, ends with a frame of the
    # chunk type `:error`, and the next message is answered.
    #
    # Every method may be called from any thread, also in a handler or callback.
    class CollaborativeSession
      # Messages that may wait, unless another number is given.
      MAX_QUEUE = 100
      # Messages of one participant that may wait.
      MAX_QUEUE_EACH = 20
      # To whom frames go: a stream for each participant ("collaboration_<session>_<participant>"), or one for all
      # ("collaboration_<session>").
      AUDIENCES = %i[participants session].freeze

      # @return [String]
      attr_reader :session_id
      # @return [ConversationStore, #messages] where the conversation is kept, under the session's id
      attr_reader :conversation_store

      # @param session_id [#to_s]
      # @param agent [Agent]
      # @param broadcaster [#call, nil] called with the name of a stream and a Hash; nil: nobody
      # @param broadcast_to [Symbol] one of {AUDIENCES}
      # @param max_queue [Integer] messages that may wait
      # @param max_queue_each [Integer] messages of one participant that may wait
      # @param answer_timeout [Numeric, nil] seconds for an answer, with the agent's tools; nil: no limit
      # @param conversation_store [ConversationStore, #messages] where to keep the conversation
      # @param context [Hash] for instructions and tools; speaker, participant_count, other_participants and
      #   collaborative_session are added to it
      # @param provider [#build_request, nil] as {Runner#initialize}
      # @param settings [Hash{Symbol=>Object}] settings of {Configuration}. Text is retained whatever they say
      # @raise [ArgumentError, Errors::ConfigurationError] for a wrong one
      def initialize(session_id:, agent:, broadcaster: Broadcaster, broadcast_to: :participants, max_queue: MAX_QUEUE,
        max_queue_each: MAX_QUEUE_EACH, answer_timeout: nil, conversation_store: ConversationStore.new, context: {},
        provider: nil, **settings)
        check_settings(broadcast_to, max_queue, max_queue_each)
        @session_id = session_id.to_s
        @conversation_store = conversation_store
        @runner = AsyncRunner.new(agent: agent, provider: provider, session_id: @session_id,
          **settings, conversation_store: conversation_store, retain_text: true)
        @broadcaster = broadcaster
        @audience = broadcast_to
        @answer_timeout = answer_timeout
        @context = context
        @pid = Process.pid
        @lock = Mutex.new # covers the rest
        @participants = {}.freeze # by key; replaced, never changed
        @queue = FairQueue.new(max_queue, max_queue_each)
        @message = nil # that is being answered
        @run = nil
        @closed = false
        @seq = 0
        @mute = false # the broadcaster has failed, and that was said
      end

      # @return [Array<Participant>] in the order in which they came
      def participants
        @participants.values
      end

      # @param user [#id, Hash] with id and name; nothing else of it is kept. One with the same id (1 and "1" are the
      #   same) is replaced
      # @return [self]
      # @raise [ArgumentError] without an id
      # @raise [Errors::StreamLimitError] where the session has as many members as it may have
      # @raise [Errors::StoreUnavailableError] where the store of memberships fails
      # @raise [Errors::Error] after {#close}
      def add_participant(user)
        participant = Participant.of(user)
        check_open
        Memberships.admit(session_id, participant.key) if members_only?
        frame = @lock.synchronize do
          check_open
          @participants = @participants.merge(participant.key => participant).freeze
          event(:participant_joined, user: participant.to_h)
        end
        send_frames(frame)
        self
      end

      # What the participant has said already is still answered.
      #
      # @param user [#id, Hash]
      # @return [self]
      # @raise [Errors::StoreUnavailableError] where the store of memberships fails; the user takes no part any longer
      def remove_participant(user)
        key = Participant.of(user).key
        participant, frame = @lock.synchronize do
          gone = @participants[key] or next
          @participants = @participants.except(key).freeze
          [gone, event(:participant_left, user: gone.to_h)]
        end
        send_frames(frame) if participant
        Memberships.current.leave(session_id, key) if members_only?
        self
      end

      # Takes a message, to be answered when its turn comes. Returns at once.
      #
      # @param user [#id, Hash] a participant
      # @param content [String, Array<Hash>] the words, or parts of a content
      # @return [Message] to wait for the answer, or to cancel it
      # @raise [ArgumentError] for a stranger, or a message without content
      # @raise [Errors::StreamLimitError] where as many wait as may
      # @raise [Errors::Error] after {#close}
      # @raise [Errors::ForkedError] in a child of the process that made the session
      def submit(user, content)
        raise Errors::ForkedError unless @pid == Process.pid
        raise ArgumentError, "a message needs words" if content.nil? || content.empty?

        check # a current one that streaming was shut down under shall not take this one along
        message = Message.new(self, participant(user), content)
        send_frames(@lock.synchronize { enqueue(message) })
        advance
        message
      end

      # @return [Integer] messages that wait
      def queue_size
        @lock.synchronize { @queue.size }
      end

      # @return [Message, nil] the one that is being answered
      def current
        @lock.synchronize { @message }
      end

      # Ends the current answer at once; then the next message is answered.
      #
      # @return [Boolean] whether there was one
      def cancel_current
        run = @lock.synchronize { @run } or return false
        run.stop
        true
      end

      # Ends the current answer, and drops the messages that wait. From then on nothing is taken.
      #
      # @return [self]
      def close
        dropped = @lock.synchronize do
          @closed = true
          @queue.clear
        end
        dropped.each { |message| drop(message) }
        cancel_current
        self
      end

      # @return [Boolean]
      def closed?
        @closed
      end

      # @return [String] sizes; no name, no word
      def inspect
        "#<#{self.class.name} #{session_id.inspect} participants=#{@participants.size} queue_size=#{queue_size}>"
      end

      # @param message [Message]
      # @return [void]
      # @api private
      def cancel_message(message)
        waited, run = @lock.synchronize { [@queue.delete(message), (@run if @message.equal?(message))] }
        waited ? drop(message) : run&.stop
      end

      # Looks whether the current answer can still come.
      #
      # @return [void]
      # @api private
      def check
        run = @lock.synchronize { @run }
        run&.check
      end

      private

      def check_settings(broadcast_to, *sizes)
        unless AUDIENCES.include?(broadcast_to)
          raise ArgumentError, "broadcast_to must be one of #{AUDIENCES.inspect}, not #{broadcast_to.inspect}"
        end
        return if sizes.all? { |size| size.is_a?(Integer) && size.positive? }

        raise ArgumentError, "max_queue and max_queue_each must be numbers from 1 up"
      end

      # Only Action Cable's channels ask who is a member.
      def members_only?
        broadcaster = @broadcaster #: untyped
        broadcaster.equal?(Broadcaster) && Broadcaster.there?
      end

      def check_open
        raise Errors::Error, "the session is closed" if @closed
      end

      def participant(user)
        key = Participant.of(user).key
        @participants.fetch(key) { raise ArgumentError, "the user #{key} takes no part in this session" }
      end

      # ---- the queue ----

      # Under the lock, so that no frame about the answer has a lower number.
      def enqueue(message)
        check_open
        @queue.push(message)
        event(:message_queued, user: message.participant.to_h, message: message.content, message_id: message.id,
          queue_size: @queue.size)
      end

      # Begins the next answer, unless one is on its way. Who is interrupted here, by a Timeout, say, leaves it ended,
      # and not on its way for ever.
      def advance
        run = nil #: AgentRun?
        message, frame = Thread.handle_interrupt(Object => :never) { take_next { |taken| run = taken } }
        return unless message && run

        send_frames(frame)
        message.within { ask(run, message) }
      ensure
        run&.give_up
      end

      def ask(run, message)
        run.start([{role: "user", content: message.content}], context: context_of(message.participant),
          user_id: message.participant.id)
      end

      def take_next
        @lock.synchronize do
          message = (@queue.shift unless @message) or next
          message.start_answer
          @message = message
          yield @run = run_for(message)
          [message, event(:answer_started, **about(message))]
        end
      end

      def run_for(message)
        AgentRun.new(@runner, timeout: @answer_timeout, on_chunk: ->(chunk) { tell(chunk, message) },
          on_end: ->(result, error) { ended(message, result, error) })
      end

      def ended(message, result, error)
        @lock.synchronize { @message = @run = nil }
        message.settle(result, error)
        # What is told from now on is no part of that answer's stream.
        shut_down?(error) ? drop_all(error) : Delivery.within(nil, nil) { advance }
      end

      # An answer that begins now would start all anew.
      def shut_down?(error)
        error.is_a?(Errors::CancelledError) && error.reason == :shutdown
      end

      def drop_all(error)
        @lock.synchronize { @queue.clear }.each { |message| message.settle(nil, error) }
      end

      def drop(message)
        return unless message.settle(nil, Errors::CancelledError.new("the message was taken back", reason: :cancelled))

        send_frames(@lock.synchronize { event(:message_cancelled, **about(message)) })
      end

      def context_of(speaker)
        others = @participants.except(speaker.key).values.map(&:name)
        @context.merge(collaborative_session: session_id, participant_count: @participants.size, speaker: speaker.name,
          other_participants: others)
      end

      # ---- frames ----

      def about(message)
        {user: message.participant.to_h, message_id: message.id}
      end

      # Under the lock.
      def event(name, **data)
        number(type: "session_event", event: name, data: data)
      end

      # Under the lock.
      def number(**frame)
        {**frame, session_id: session_id, seq: @seq += 1, timestamp: Broadcaster.timestamp}
      end

      def tell(chunk, message)
        frame = {type: "agent_chunk", chunk_type: chunk.type, content: chunk.delta,
                 original_user: message.participant.name, message_id: message.id, stream_id: chunk.stream_id,
                 tool_name: chunk.tool_name, cumulative: (chunk.cumulative if chunk.complete?),
                 error: chunk.error}.compact
        send_frames(@lock.synchronize { number(**frame) })
      end

      def send_frames(frame)
        broadcaster = @broadcaster or return
        name = "collaboration_#{session_id}"
        streams = (@audience == :session) ? [name] : @participants.each_key.map { |key| "#{name}_#{key}" }
        streams.each { |stream| broadcaster.call(stream, frame) }
      rescue => e
        @mute ||= Streaming.logger.error("frames of session #{session_id} are not sent: #{e.class}: #{e.message}")
      end
    end
  end
end
