# frozen_string_literal: true

require_relative "event_bus"
require_relative "synthesis"
require_relative "workflow"

module RAAF
  module Streaming
    # Has several agents work together on one request.
    #
    # @example
    #   orchestrator = RAAF::Streaming::Orchestrator.new(session_id: "42")
    #   orchestrator.add_agent(:researcher, researcher).add_agent(:writer, writer)
    #   orchestrator.on(:agent_response) { |event| print event[:chunk].delta }
    #
    #   result = orchestrator.run("Whales", type: :sequential)
    #   result.final_output; result.answers; result.errors; result.usage
    #
    # **Types.**
    #
    # * `:sequential`: each agent is asked what the one before has answered, and the last answer is that of all. One
    #   that fails ends it; with `on_error: :skip` the next agent is asked in its place.
    # * `:pipeline`: each agent gets the whole conversation so far (the words, not what tools have said), and is asked
    #   to go on. Ends at the first failure.
    # * `:parallel`: all agents are asked the same, `max_parallel` at once. Then the agent named `:synthesizer`, or one
    #   that is made and asks the first agent's model, makes one answer of those that came.
    #
    # Whatever happens to one agent, what the others have answered is in the {Workflow::Result}.
    #
    # **Events**, on the {#event_bus}, all with session and workflow_id:
    #
    # | type                 | payload                                                                 |
    # |----------------------|-------------------------------------------------------------------------|
    # | `:agent_added`       | agent (no workflow_id)                                                  |
    # | `:workflow_started`  | message, type                                                           |
    # | `:agent_starting`    | agent, message                                                          |
    # | `:agent_chunk`       | agent, chunk: every chunk, the terminal one too                         |
    # | `:agent_response`    | agent, chunk: pieces of the answer only                                 |
    # | `:agent_complete`    | agent, result (its answer as a String)                                  |
    # | `:agent_error`       | agent, error (an Exception)                                             |
    # | `:workflow_complete` | status, final_result, agent_results, errors, error; once, however it ended |
    #
    # **Frames.** All of these but agent_added and agent_chunk are also handed to the `broadcaster`, as a Hash with
    # type, workflow_id, seq (1, 2, 3 …, by which a client puts them in order), session_id and timestamp, on the stream
    # "orchestrator_<session_id>": by Action Cable where that is loaded.
    #
    # An orchestrator can be shared by threads, and run several workflows at once.
    class Orchestrator
      # Agents of a parallel workflow that are asked at once, unless another number is given.
      MAX_PARALLEL = 8
      # What a sequential workflow can do where an agent has failed.
      ON_ERROR = %i[stop skip].freeze
      # What can be given for each workflow.
      SETTINGS = %i[max_parallel on_error timeout agent_timeout].freeze
      private_constant :SETTINGS

      # @return [Object, nil]
      attr_reader :session_id
      # @return [EventBus]
      attr_reader :event_bus

      # @param session_id [Object, nil] for events, frames and chunks
      # @param event_bus [EventBus]
      # @param broadcaster [#call, nil] called with the name of a stream and a Hash, in order for each agent, on one of
      #   the dispatcher's threads; nil: nobody
      # @param max_parallel [Integer] agents of a parallel workflow that are asked at once
      # @param on_error [Symbol] one of {ON_ERROR}
      # @param timeout [Numeric, nil] seconds for a whole workflow; nil: no limit
      # @param agent_timeout [Numeric, nil] seconds for one agent, with its tools; nil: no limit
      # @param provider [#build_request, nil] as {Runner#initialize}
      # @param user_id [Object, nil] for the chunks, and whose limits hold: each agent that is asked, the synthesizer
      #   too, is a stream and a message of this user's
      # @param settings [Hash{Symbol=>Object}] settings of {Configuration}, for every agent. Whatever they say, text is
      #   retained, since it is handed on, and nothing is kept in a conversation store
      # @raise [ArgumentError, Errors::ConfigurationError] for a wrong one
      def initialize(session_id: nil, event_bus: EventBus.new, broadcaster: Broadcaster, max_parallel: MAX_PARALLEL,
        on_error: :stop, timeout: nil, agent_timeout: nil, provider: nil, user_id: nil, **settings)
        @workflow_settings = {max_parallel: max_parallel, on_error: on_error, timeout: timeout,
                              agent_timeout: agent_timeout}
        check(@workflow_settings)
        Streaming.configuration.with(**settings)
        @session_id = session_id
        @event_bus = event_bus
        @broadcaster = broadcaster
        @runner_settings = {provider: provider, session_id: session_id, user_id: user_id, **settings,
                            conversation_store: nil, retain_text: true}
        @lock = Mutex.new # covers the next one, which is frozen and replaced
        @runners = {}.freeze
      end

      # @param name [Object] one that has the name already is replaced, for workflows that start later
      # @param agent [Agent]
      # @return [self]
      # @raise [ArgumentError] for what is no agent
      def add_agent(name, agent)
        runner = AsyncRunner.new(agent: agent, **@runner_settings)
        @lock.synchronize { @runners = @runners.merge(name => runner).freeze }
        event_bus.emit(:agent_added, {agent: name, session: session_id})
        self
      end

      # @return [Hash{Object=>Agent}] by their names, in the order in which they were added
      def agents
        @runners.transform_values(&:agent)
      end

      # As {EventBus#on}.
      #
      # @param types [Array<Symbol>] of events
      # @param settings [Hash{Symbol=>Object}]
      # @yieldparam event [EventBus::Event]
      # @return [EventBus::Subscription]
      def on(*types, **settings, &handler)
        event_bus.on(*types, **settings, &handler)
      end

      # Starts a workflow, and returns at once.
      #
      # @param message [String, Array<Hash>] what the user says, or a conversation
      # @param type [Symbol] one of {Workflow::TYPES}
      # @param context [Hash] for instructions and tools of all agents
      # @param overrides [Hash{Symbol=>Object}] max_parallel, on_error, timeout and agent_timeout, for this one
      # @return [Workflow]
      # @raise [ArgumentError] without agents, or for anything else that is wrong
      def start(message, type: :sequential, context: {}, **overrides)
        workflow(message, type, context, overrides).start
      end

      # Runs a workflow to its end. Leaving early (Thread#kill, Timeout) ends all requests.
      #
      # @param (see #start)
      # @return [Workflow::Result] also where agents have failed: see {Workflow::Result#error}
      # @raise [ArgumentError] as {#start}
      # @raise [Errors::Error] in a callback of a stream, which cannot wait for others
      def run(message, type: :sequential, context: {}, **overrides)
        workflow = workflow(message, type, context, overrides)
        workflow.start.result
      ensure
        workflow&.cancel
      end

      # @return [String] short
      def inspect
        "#<#{self.class.name} session_id=#{session_id.inspect} agents=#{@runners.keys.inspect}>"
      end

      private

      def workflow(message, type, context, overrides)
        settings = @workflow_settings.merge(overrides)
        check(settings)
        Messages.list(message)
        Workflow.new(type: type, agents: runners_for(type), request: message, event_bus: event_bus,
          broadcaster: @broadcaster, session_id: session_id, options: {context: context}, settings: settings)
      end

      def check(settings)
        unknown = settings.keys - SETTINGS
        raise ArgumentError, "unknown: #{unknown.join(", ")} (known: #{SETTINGS.join(", ")})" if unknown.any?

        max_parallel, on_error, *limits = settings.values_at(*SETTINGS)
        unless max_parallel.is_a?(Integer) && max_parallel.positive?
          raise ArgumentError, "max_parallel must be a number from 1 up, not #{max_parallel.inspect}"
        end
        unless ON_ERROR.include?(on_error)
          raise ArgumentError, "on_error must be one of #{ON_ERROR.inspect}, not #{on_error.inspect}"
        end

        limits.compact.each do |seconds|
          next if seconds.is_a?(Numeric) && seconds.positive?

          raise ArgumentError, "timeout and agent_timeout must be seconds above 0, not #{seconds.inspect}"
        end
      end

      def runners_for(type)
        unless Workflow::TYPES.include?(type)
          raise ArgumentError, "type must be one of #{Workflow::TYPES.inspect}, not #{type.inspect}"
        end

        runners = @runners
        runners = with_synthesizer(runners) if type == :parallel
        return runners unless runners.empty? || runners.keys == [Synthesis::NAME]

        raise ArgumentError, "there is no agent to ask: add_agent comes first"
      end

      def with_synthesizer(runners)
        first = runners.values.first
        return runners if first.nil? || runners.key?(Synthesis::NAME)

        agent = Synthesis.agent(first.agent)
        runners.merge(Synthesis::NAME => AsyncRunner.new(agent: agent, **@runner_settings))
      end
    end
  end
end
