# frozen_string_literal: true

require_relative "../config_api"

module RAAF
  module Streaming
    module EventEmitter
      # A workflow of an emitter while it runs: everything between the call of its `start_workflow` and the return, on
      # the calling thread and on those that the emitter's own code makes meanwhile. The runner tells it which agent has
      # failed; nobody else knows both the agent and the error.
      #
      # @api private
      class Scope
        KEY = :raaf_workflow
        AGENT_KEY = :raaf_workflow_agent
        private_constant :KEY, :AGENT_KEY

        class << self
          # @return [Scope, nil] the one that the calling fiber belongs to
          def current
            ::Thread.current[KEY]
          end

          # Runs the block as a workflow of the emitter. Where that already runs one, the block is part of it.
          #
          # @param emitter [EventEmitter]
          # @param request [Object] what it was called with
          # @return [Object] what the block returned
          def open(emitter, request)
            return yield if current&.emitter.equal?(emitter)

            scope = new(emitter, request)
            begin
              through = false
              scope.inside { yield }.tap { through = true }
            ensure
              scope.stop unless through # nobody waits for its threads any longer
            end
          end
        end

        # @return [EventEmitter]
        attr_reader :emitter
        # @return [Object] what the workflow was started with
        attr_reader :request

        # @param emitter [EventEmitter]
        # @param request [Object]
        def initialize(emitter, request)
          @emitter = emitter
          @request = request
          @lock = Mutex.new # covers the rest
          @failures = []
          @threads = []
          @stopped = false
        end

        # Runs the block on the calling fiber as a part of the workflow.
        #
        # @return [Object] what the block returned
        def inside
          before = ::Thread.current[KEY]
          ::Thread.current[KEY] = self
          yield
        ensure
          ::Thread.current[KEY] = before
        end

        # What a thread runs that the emitter's code has made. An agent's failure, which is known by now, ends the
        # thread and not the workflow that waits for it.
        #
        # @return [Object, nil] what the block returned
        def inside_thread
          inside { yield } if @lock.synchronize { !@stopped && @threads << ::Thread.current }
        rescue => e
          raise unless known?(e)
        end

        # An agent's run has failed.
        #
        # @param agent [Agent]
        # @param error [Exception]
        # @return [void]
        def failed(agent, error)
          return if known?(error)

          @lock.synchronize { @failures << error }
          emitter.emit_event(:agent_error, agent: name_of(agent), error: error,
            session: EventEmitter.session_of(emitter))
        rescue => e
          # The agent's own error is the one to be raised.
          Streaming.logger.error("that an agent failed could not be told: #{e.class}: #{e.message}")
        end

        # @return [Exception, nil] of the first agent that has failed
        def first_failure
          @lock.synchronize { @failures.first }
        end

        # Which agent the calling fiber is about.
        #
        # @param name [Object]
        # @return [void]
        def note(name)
          ::Thread.current[AGENT_KEY] = name
        end

        # Ends its threads; one that has not begun yet does nothing.
        #
        # @return [void]
        def stop
          @lock.synchronize do
            @stopped = true
            @threads.dup
          end.each(&:kill)
        end

        private

        def known?(error)
          @lock.synchronize { @failures.any? { |one| one.equal?(error) } }
        end

        # The name under which the emitter has it. One agent may have several.
        def name_of(agent)
          agents = EventEmitter.agents_of(emitter)
          noted = ::Thread.current[AGENT_KEY]
          return noted if agents[noted].equal?(agent)

          agents.key(agent) || ((agent.name == Synthesis::NAME.to_s) ? Synthesis::NAME : agent.name)
        end
      end
    end
  end
end
