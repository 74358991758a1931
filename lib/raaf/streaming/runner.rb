# frozen_string_literal: true

require_relative "config_api"
require_relative "event_emitter"
require_relative "messages"
require_relative "model_call"
require_relative "run"
require_relative "run_context"
require_relative "stream"

module RAAF
  module Streaming
    # Runs an agent and streams its answer. The base of {AsyncRunner}, and of classes of your own.
    #
    # A runner keeps nothing of a run, so one can be shared by threads; a run never changes its agent.
    #
    # A class of your own may override {#run_and_stream} and call `super`, rescue what that raises, and call it again:
    # with another `@agent.provider`, say. What its callers hear of a failure is then its own matter: the block gets no
    # `:error` chunk of the run that failed, only what the class itself yields. Two things to know: where something of
    # an answer was delivered ({Errors::Error#delivered?}), the next call begins it again from its first word; and the
    # native retries (the setting max_retries) come before those of the class. {ResilientRunner} has neither trouble.
    class Runner
      # @return [Agent]
      attr_reader :agent

      # @param agent [Agent]
      # @param provider [#build_request, nil] nil: the agent's, else RAAF.provider, else by the model's name
      # @param session_id [String, nil] for the chunks of every run, the conversation store and {ConnectionManager}
      # @param user_id [Object, nil] for the chunks of every run, the limits per user and {ConnectionManager}
      # @param settings [Hash{Symbol=>Object}] settings of {Configuration}, for every run of this runner
      # @raise [Errors::ConfigurationError] for settings that are unknown or wrong
      # @raise [Errors::RactorError] in any Ractor but the main one
      def initialize(agent:, provider: nil, session_id: nil, user_id: nil, **settings)
        Runner.check_ractor
        unless agent.respond_to?(:model) && agent.respond_to?(:instructions_for)
          raise ArgumentError, "agent must be a RAAF::Agent, not #{agent.class}"
        end

        @agent = agent
        @provider = provider
        @session_id = session_id
        @user_id = user_id
        @settings = settings
        Streaming.configuration.with(**settings)
      end

      # Asks, and hands over the answer while it is generated.
      #
      # Every chunk goes to the block, one after another, on the caller's thread (or fiber, which then gives way to
      # others while it waits). The last one is `:complete`, or `:error`, after which the error is raised. Leaving the
      # block early (break, raise, throw, Thread#kill, Timeout) ends the request: the connection is closed.
      #
      # @param message [String, Array<Hash>] what the user says, or a conversation: Hashes with :role and :content
      # The agent's tools are run, all calls of one answer at once, and the model goes on with what they came to, until
      # it calls none or the agent's `max_turns` is used up. The chunks of all that are one sequence with one end.
      #
      # @param context [Hash] for instructions (see {AgentMethods#instructions_for}) and tools; a :speaker in it is the
      #   name of the user who says the message
      # @param session_id [String, nil] whose session it is; nil: the runner's
      # @param user_id [Object, nil] who asks; nil: the runner's
      # @param provider [#build_request, nil] for this call
      # @param model [String, nil] for this call
      # @param settings [Hash{Symbol=>Object}] settings of {Configuration}, for this call
      # @yieldparam chunk [Chunk]
      # @return [Result]
      # @raise [Errors::Error] where the run fails; {Errors::Error#partial_text} has what was delivered. In a workflow
      #   of an {EventEmitter}, that is told of it
      # @raise [ArgumentError] for a message that is none
      def run_and_stream(message, context: {}, session_id: nil, user_id: nil, provider: nil, model: nil, **settings,
        &block)
        stream = open_stream(message, context: context, session_id: session_id, user_id: user_id, provider: provider,
          model: model, settings: settings)
        block = without_failure(block) if block && overridden?
        stream.run(&block).result
      rescue => e
        # A workflow is told by its agent's own runner; one of the application's that goes on has not failed.
        EventEmitter.agent_failed(agent, e) unless overridden?
        raise
      end

      # @return [String] the agent, and the provider's name
      def inspect
        provider = @provider #: untyped
        "#<#{self.class.name} agent=#{agent.inspect}#{" provider=#{provider.class}" if provider}>"
      end

      # @raise [Errors::RactorError] in any Ractor but the main one
      # @api private
      def self.check_ractor
        return unless defined?(Ractor) && Ractor.current != Ractor.main

        raise Errors::RactorError, "raaf-streaming does not run inside a Ractor: the reactor and its queues belong " \
                                   "to the main one. Stream there, and send the text to the Ractor."
      end

      private

      # Whether this is `super` for a class of the application's, which may rescue an error and go on. A module that is
      # prepended, as tracers do it, goes on with nothing.
      def overridden?
        type = self.class
        until type.equal?(Runner)
          return true if type.method_defined?(:run_and_stream, false)

          type = type.superclass #: singleton(Runner)
        end
        false
      end

      def without_failure(block)
        ->(chunk) { block.call(chunk) unless chunk.error? && chunk.terminal? }
      end

      def open_stream(message, context:, session_id:, user_id:, provider:, model:, settings:, recovery: nil)
        Runner.check_ractor
        config = Streaming.configuration.with(**@settings, **settings)
        origin = Origin.current
        session_id ||= @session_id || origin&.session_id
        user_id = @user_id || origin&.user_id if user_id.nil?
        context = check_context(context)
        said = Messages.by(Messages.list(message), context[:speaker] || context["speaker"])
        remembered = remembered_in(session_id, config)
        providers = ->(answering, name) { choose(provider, answering, name) }
        call = model_call(remembered + said, context, config, model || agent.model, providers,
          recovery, session_id: session_id, user_id: user_id, origin: origin)
        Stream.new(Run.new(call, providers, remembered: remembered.size, recovery: recovery))
      end

      def model_call(messages, context, config, model, providers, recovery, **whose)
        provider, model = providers.call(agent, model)
        ModelCall.new(agent: agent, provider: provider, model: model, messages: messages, context: context,
          config: config, recovery: recovery,
          run_context: RunContext.new(model: model, provider: provider.name, **whose))
      end

      def check_context(context)
        return {} if context.nil?
        return context if context.respond_to?(:to_hash)

        raise ArgumentError, "context must be a Hash, not #{context.class}"
      end

      # What was said before, where somebody keeps it.
      def remembered_in(session_id, config)
        store = config.conversation_store
        (store && session_id) ? Messages.list_or_none(store.messages(session_id)) : []
      end

      # @return [Array(#build_request, String)] who is asked, and for which model
      def choose(given, answering, model)
        given ||= @provider || answering.provider || RAAF.provider
        provider = Models.adapt(given || Models.for_model(model))
        return [provider, given ? model : Models.model_name(model)] if provider.respond_to?(:build_request)

        # Never its inspect: it may hold a key.
        raise Errors::ConfigurationError, "#{provider.class} is no provider: give one of RAAF::Models, such as " \
                                          "RAAF::Models::OpenAIProvider.new, or an object with stream_completion"
      end
    end
  end
end
