# frozen_string_literal: true

require "securerandom"
require_relative "agent_run"
require_relative "broadcaster"
require_relative "completion"
require_relative "workflow/parallel"
require_relative "workflow/result"
require_relative "workflow/sequence"

module RAAF
  module Streaming
    # Several agents at work on one request, as a handle: it is there at once, and no thread waits for the answers.
    #
    # Made by {Orchestrator#start}. It goes on whether or not somebody holds the handle. Every method may be called from
    # any thread.
    #
    # @example
    #   workflow = orchestrator.start("Compare the two offers", type: :parallel)
    #   workflow.wait(30) or workflow.cancel
    #   workflow.result.answers     # => {lawyer: "…", accountant: "…"}
    class Workflow
      # How agents work together.
      TYPES = %i[sequential parallel pipeline].freeze

      # @return [String] a random UUID, in every event and frame
      attr_reader :id
      # @return [Symbol] one of {TYPES}
      attr_reader :type

      # @param type [Symbol] one of {TYPES}
      # @param agents [Hash{Object=>AsyncRunner}] the synthesizer among them
      # @param request [String, Array<Hash>]
      # @param event_bus [EventBus]
      # @param broadcaster [#call, nil]
      # @param session_id [Object, nil]
      # @param options [Hash{Symbol=>Object}] as {AsyncRunner#stream}, for each agent
      # @param settings [Hash{Symbol=>Object}] :max_parallel, :on_error, :timeout and :agent_timeout, as
      #   {Orchestrator#initialize}
      # @api private
      def initialize(type:, agents:, request:, event_bus:, broadcaster:, session_id:, options:, settings:)
        @id = SecureRandom.uuid
        @type = type
        @agents = agents
        @request = request
        @bus = event_bus
        @broadcaster = broadcaster
        @session_id = session_id
        @options = options
        @timeout, @agent_timeout = settings.values_at(:timeout, :agent_timeout)
        @plan = plan(settings.fetch(:max_parallel), settings.fetch(:on_error))
        @completion = Completion.new
        @lock = Mutex.new # covers the rest, but for @stop
        @running = {} # name => AgentRun
        @results = {}
        @errors = {}
        @finishing = false
        @frames = 0
        @mute = false # the broadcaster has failed, and that was said
        @stop = nil # an error: set once, without the lock, so that a signal handler may do it
      end

      # Begins. Called once, by the orchestrator.
      #
      # @return [self]
      # @api private
      def start
        seconds = @timeout
        @timer = Timers.after(seconds) { stop(timed_out(seconds)) } if seconds
        tell(:workflow_started, {workflow_type: type}, message: @request, type: type)
        @plan.start
        self
      end

      # Ends all requests at once, and begins no further one. What has been answered stays in the {#result}. Also in a
      # signal handler, any number of times; a workflow that has ended is left as it is.
      #
      # @return [self]
      def cancel
        stop(Errors::CancelledError.new("the workflow was cancelled", reason: :cancelled))
        self
      end

      # Waits until the last event has been emitted. Handlers may still be at work: {EventBus#drain} waits for them.
      #
      # @param timeout [Numeric, nil] seconds; nil: no limit
      # @return [self, nil] nil after the timeout; the workflow goes on
      # @raise [Errors::ForkedError] in a child of the process that started it
      # @raise [Errors::Error] in a callback of a stream, which would hold the thread that is to bring the answers
      def wait(timeout = nil)
        self if @completion.wait(timeout) { runs.each(&:check) }
      end

      # What it came to; waits for it. Raises nothing where agents have failed: see {Result#error} and {Result#value!}.
      #
      # @return [Workflow::Result]
      # @raise [Errors::Error] as {#wait}
      def result
        wait
        @completion.value #: Workflow::Result
      end

      # @return [Boolean] whether it has ended, well or not
      def finished?
        @completion.set?
      end

      # @return [Symbol] :running, :complete, :failed or :cancelled
      def status
        finished? ? @completion.value.status : :running
      end

      # @return [Array<Object>] the names of the agents that are at work now
      def running
        @lock.synchronize { @running.keys }
      end

      # @return [String] short: no text
      def inspect
        "#<#{self.class.name} #{id} #{type} #{status}>"
      end

      # Whether no further agent is to begin. Called by the plan.
      #
      # @return [Boolean]
      # @api private
      def stopped?
        !@stop.nil?
      end

      # Has an agent work. Called by the plan, which is told its end.
      #
      # @param name [Object]
      # @param message [String, Array<Hash>]
      # @return [void]
      # @api private
      def run_agent(name, message)
        run = AgentRun.new(@agents.fetch(name), timeout: @agent_timeout,
          on_chunk: ->(chunk) { tell_chunk(name, chunk) },
          on_end: ->(result, error) { agent_ended(name, result, error) })
        @lock.synchronize { @running[name] = run }
        tell(:agent_starting, {agent: name}, agent: name, message: message)
        run.stop if stopped?
        run.start(message, **@options)
      ensure
        run&.give_up
      end

      # There is nothing more to do. Called by the plan, once.
      #
      # @param output [String, nil] the answer of all
      # @param error [Exception, nil] why there is none
      # @return [void]
      # @api private
      def finish(output, error)
        return if @lock.synchronize { @finishing.tap { @finishing = true } }

        Timers.cancel(@timer)
        result = Result.new(workflow_id: id, type: type, final_output: output, results: @results, errors: @errors,
          error: @stop || error)
        tell(:workflow_complete, frame_of(result), status: result.status, final_result: result.final_output,
          agent_results: result.answers, errors: result.errors, error: result.error)
      ensure
        @completion.set(result) if result
      end

      private

      def plan(max_parallel, on_error)
        return Parallel.new(self, @agents.keys - [Synthesis::NAME], @request, most: max_parallel) if type == :parallel

        whole = type == :pipeline
        Sequence.new(self, @agents, @request, whole: whole, skip: !whole && on_error == :skip)
      end

      # Without the lock: see @stop. Whoever is added to the running ones meanwhile looks at @stop afterwards.
      def stop(error)
        return if finished?

        @stop ||= error
        @running.values.each(&:stop)
      end

      def runs
        @lock.synchronize { @running.values }
      end

      def timed_out(seconds)
        Errors::TimeoutError.new("the workflow took longer than #{seconds} s", phase: :total)
      end

      # However it is left, the workflow goes on or comes to its end: otherwise who waits would wait for ever.
      def agent_ended(name, result, error)
        through = false
        note(name, result, error)
        # What is told from now on is no part of that agent's stream.
        Delivery.within(nil, nil) { @plan.ended(name, result, error) }
        through = true
      rescue *AgentRun::FAILURES => e
        through = true
        break_off(e)
      ensure
        break_off(Errors::CancelledError.new("the thread that ran it was ended", reason: :cancelled)) unless through
      end

      def note(name, result, error)
        @lock.synchronize do
          @running.delete(name)
          result ? @results[name] = result : @errors[name] = error
        end
        @stop ||= error if shut_down?(error)
        if result
          tell(:agent_complete, {agent: name}, agent: name, result: result.final_output)
        else
          tell(:agent_error, {agent: name, error: error.message}, agent: name, error: error)
        end
      end

      def break_off(error)
        stop(error)
        finish(nil, error)
      end

      # A stream that begins now would start all anew.
      def shut_down?(error)
        error.is_a?(Errors::CancelledError) && error.reason == :shutdown
      end

      # ---- telling what happens ----

      def tell_chunk(name, chunk)
        emit(:agent_chunk, agent: name, chunk: chunk)
        tell(:agent_response, {agent: name, content: chunk.delta}, agent: name, chunk: chunk) if chunk.content?
      end

      def tell(event, frame, **payload)
        emit(event, **payload)
        send_frame(event, frame)
      end

      # Nobody's handler shall end an agent's work.
      def emit(event, **payload)
        @bus.emit(event, {**payload, session: @session_id, workflow_id: id})
      rescue => e
        Streaming.logger.error("#{event} of workflow #{id} could not be told: #{e.class}: #{e.message}")
      end

      # Frames may come to a client in another order than they were sent in: Action Cable's threads see to that. So they
      # are numbered.
      def send_frame(event, frame)
        broadcaster = @broadcaster or return
        seq = @lock.synchronize { @frames += 1 }
        about = {workflow_id: id, seq: seq, session_id: @session_id, timestamp: Broadcaster.timestamp}
        broadcaster.call("orchestrator_#{@session_id}", {type: event.to_s}.merge(frame, about))
      rescue => e
        @mute ||= Streaming.logger.error("frames of workflow #{id} are not sent: #{e.class}: #{e.message}")
      end

      def frame_of(result)
        {status: result.status, final_result: result.final_output, error: result.error&.message}.compact
      end
    end
  end
end
