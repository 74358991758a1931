# frozen_string_literal: true

require_relative "broadcaster"
require_relative "carried"
require_relative "event_bus"
require_relative "synthesis"

module RAAF
  module Streaming
    # raaf-core has a class of this name, in a file that it does not load by itself. Where somebody has loaded it, it
    # goes on as {CoreEventEmitter}: a class cannot be included.
    CoreEventEmitter = remove_const(:EventEmitter) if const_defined?(:EventEmitter, false) && EventEmitter.is_a?(Class)

    # For classes that have several agents work together and tell what happens, such as the streaming guide's
    # AgentOrchestrator.
    #
    # @example
    #   class Orchestrator
    #     include RAAF::Streaming::EventEmitter
    #
    #     attr_reader :agents, :session_id
    #
    #     def start_workflow(message) = run_pipeline_workflow(message)
    #     …
    #   end
    #
    # It gives {#emit_event} and {#event_bus}, and defaults for what the guide's class calls and does not define. The
    # class's own methods win, private ones too, wherever they stand. The defaults read `agents` (a Hash of name and
    # Agent) and `session_id` of the class, or @agents and @session_id.
    #
    # **Events.** The class emits agent_added, workflow_started, agent_starting, agent_chunk, agent_complete and
    # workflow_complete. Two come by themselves:
    #
    # * `:agent_response` beside every `:agent_chunk` whose chunk is a piece of the answer, with the same payload. The
    #   others (reasoning, tool calls, the end, an error's message) are no words of the agent's.
    # * `:agent_error` (agent, error, session) when an agent fails while `start_workflow` runs, whether or not a chunk
    #   came before. Its error is then raised, as always.
    #
    # **Threads.** In the body of a class that includes this module, `Thread` is a subclass of Ruby's: its threads
    # belong to the workflow that started them. An agent's failure that is raised all the way through such a thread ends
    # it without being raised again by `join`: `:agent_error` has told it, and what the others answer is not lost.
    # Everything else that is raised there is raised by `join` as ever. Where `start_workflow` is left early (by an
    # error, Thread#kill, Timeout), the threads it has started are ended, and with them their requests.
    #
    # **What the guide's workflows do with a failing agent**: `:sequential` and `:pipeline` stop there, and raise its
    # error; `:parallel` goes on with the answers of the others, and raises the first error where there are none.
    #
    # {Orchestrator} does all that without a thread an agent, can be cancelled, and returns what was reached.
    module EventEmitter
      LOCK = Mutex.new
      private_constant :LOCK

      # Wraps `start_workflow` of the class that includes {EventEmitter}.
      #
      # @api private
      module Opening
        # Runs the class's own, as a {Scope}.
        def start_workflow(*arguments, **options, &block)
          Scope.open(self, arguments.first) { super }
        end
      end

      # Gives subclasses the same.
      #
      # @api private
      module Inheriting
        # @param subclass [Class]
        def inherited(subclass)
          super
          subclass.prepend(Opening)
        end
      end

      # A thread that the code of an emitter's class makes by `Thread.new`.
      #
      # @api private
      class Thread < ::Thread
        # As Ruby's.
        def initialize(*arguments, &block)
          scope = Scope.current
          return super if scope.nil? || block.nil? # rubocop:disable Lint/ReturnInVoidContext

          carried = Carried.take
          super { |*given| Carried.within(carried) { scope.inside_thread { block.call(*given) } } }
        end
      end
      private_constant :Thread, :Opening, :Inheriting

      class << self
        # An object of raaf-core's class of this name, where that was loaded before this gem.
        #
        # @raise [NoMethodError] where it was not
        # @api private
        def new(...)
          return CoreEventEmitter.new(...) if Streaming.const_defined?(:CoreEventEmitter, false)

          raise NoMethodError, "RAAF::Streaming::EventEmitter is a module to be included; raaf-core's class of this " \
                               "name is there where raaf/streaming/event_emitter was required before raaf-streaming"
        end

        # @param object [Object]
        # @return [Boolean]
        # @api private
        def ===(object)
          super || (Streaming.const_defined?(:CoreEventEmitter, false) && CoreEventEmitter === object)
        end

        # An agent's run has failed.
        #
        # @param agent [Agent]
        # @param error [Exception]
        # @return [void]
        # @api private
        def agent_failed(agent, error)
          Scope.current&.failed(agent, error)
        end

        # @param emitter [Object]
        # @return [Hash{Object=>Agent}]
        # @api private
        def agents_of(emitter)
          read(emitter, :agents) || {}
        end

        # @param emitter [Object]
        # @return [Object, nil]
        # @api private
        def session_of(emitter)
          read(emitter, :session_id)
        end

        # @param emitter [Object]
        # @return [EventBus]
        # @api private
        def bus_of(emitter)
          LOCK.synchronize do
            emitter.instance_variable_get(:@event_bus) || emitter.instance_variable_set(:@event_bus, EventBus.new)
          end
        end

        # Tells whoever listens to the emitter's session.
        #
        # @param emitter [Object]
        # @param frame [Hash{Symbol=>Object}]
        # @return [void]
        # @api private
        def broadcast(emitter, **frame)
          Broadcaster.call("orchestrator_#{session_of(emitter)}", frame.merge(timestamp: Broadcaster.timestamp))
        end

        private

        def included(base)
          super
          return unless base.is_a?(Class)

          base.prepend(Opening)
          base.extend(Inheriting)
        end

        def read(emitter, name)
          return emitter.send(name) if emitter.respond_to?(name, true)

          emitter.instance_variable_get(:"@#{name}")
        end
      end

      # @return [EventBus] @event_bus; where the class has set none, one is made
      def event_bus
        @event_bus || EventEmitter.bus_of(self)
      end

      # Tells the handlers.
      #
      # @param type [Symbol, String]
      # @param payload [Hash{Symbol=>Object}]
      # @param more [Hash{Symbol=>Object}] the same, for a call without braces
      # @return [EventBus::Event]
      # @raise [Errors::Error] as {EventBus#emit}
      def emit_event(type, payload = {}, **more)
        payload = payload.merge(more)
        Scope.current&.note(payload[:agent]) if payload[:agent]
        event_bus.emit(type, payload).tap do |event|
          event_bus.emit(:agent_response, payload.dup) if event.type == :agent_chunk && payload[:chunk]&.content?
        end
      end

      private

      # Tells the clients a piece of an answer.
      def handle_agent_response(event)
        EventEmitter.broadcast(self, type: "agent_response", agent: event[:agent], content: event[:chunk].delta)
      end

      # Logs that an agent has failed, and tells the clients.
      def handle_agent_error(event)
        error = event[:error]
        Streaming.logger.error("the agent #{event[:agent]} failed: #{error.message} (#{error.class})")
        EventEmitter.broadcast(self, type: "agent_error", agent: event[:agent], error: error.message)
      end

      # Logs that a workflow has come to its end, and tells the clients.
      def handle_workflow_complete(event)
        Streaming.logger.info("the workflow of session #{EventEmitter.session_of(self)} is complete")
        EventEmitter.broadcast(self, type: "workflow_complete", final_result: event[:final_result])
      end

      # Each agent gets the whole conversation so far. Stops at the first that fails, and raises its error.
      def run_pipeline_workflow(message)
        conversation, answer = message, message
        session = EventEmitter.session_of(self)
        EventEmitter.agents_of(self).each do |name, agent|
          emit_event(:agent_starting, agent: name, message: conversation, session: session)
          result = AsyncRunner.new(agent: agent).run_and_stream(conversation) do |chunk|
            emit_event(:agent_chunk, agent: name, chunk: chunk, session: session)
          end
          conversation = Synthesis.handed_on(result.messages)
          answer = result.messages.last[:content]
          emit_event(:agent_complete, agent: name, result: answer, session: session)
        end
        emit_event(:workflow_complete, final_result: answer, session: session)
      end

      # What the synthesizer is asked: the request, and the answers by their agents' names. Without any answer, the
      # error of the first agent that has failed is raised.
      def build_synthesis_prompt(results)
        scope = Scope.current
        failure = scope&.first_failure
        raise failure if results.empty? && failure

        Synthesis.prompt(results, scope&.request)
      end

      # Who makes one answer of several, where the class has no agent named :synthesizer. It asks the model and the
      # provider that the first agent asks.
      def build_synthesizer_agent
        Synthesis.agent(EventEmitter.agents_of(self).each_value.first)
      end
    end
  end
end

require_relative "event_emitter/scope"
