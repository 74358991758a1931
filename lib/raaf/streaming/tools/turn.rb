# frozen_string_literal: true

require "json"
require "timeout"
require_relative "arguments"
require_relative "../carried"
require_relative "../notifications"
require_relative "../thread_pool"
require_relative "../../errors"

module RAAF
  module Streaming
    class Tool
      # The tool calls of one answer while they run: all at once, on the threads of {ThreadPool.tools}.
      #
      # What each came to is taken one by one by whoever takes the run's chunks, in the order in which they end. Who
      # gives the run up leaves the tools that run alone and takes their outcomes no longer; a tool that has not begun
      # is not run.
      #
      # @api private
      class Turn
        # What a call came to. One of the last two is nil.
        #
        # call: Hash{Symbol=>Object} with :id, :name, :raw_arguments and :index; value: what the tool returned; error:
        # Errors::ToolError, nil where there is none; agent: whom to hand over to.
        Outcome = Struct.new(:call, :value, :error, :agent, keyword_init: true) do
          # @implements Outcome

          # @return [String] what the model is told
          def text
            return "Error: #{error.message}" if error
            return "The conversation was handed over to #{agent.name}." if agent

            Turn.text_of(value)
          end

          # @return [Boolean] whether the model wrote something else than JSON
          def malformed?
            error&.cause.is_a?(JSON::ParserError)
          end
        end

        # What a tool of the application's may raise without ending a thread or the process.
        FAILURES = [StandardError, ScriptError, SystemStackError].freeze
        private_constant :FAILURES

        # @param value [Object] what a tool returned
        # @return [String] as the model gets it: a String as it is, Hash and Array as JSON
        def self.text_of(value)
          case value
          when nil then ""
          when String then value.encode(Encoding::UTF_8, invalid: :replace, undef: :replace).scrub
          when Hash, Array then JSON.generate(value)
          else value.to_s
          end
        rescue JSON::GeneratorError, JSON::NestingError, EncodingError
          value.inspect.encode(Encoding::UTF_8, invalid: :replace, undef: :replace).scrub
        end

        # @param calls [Array<Hash{Symbol=>Object}>] each with :id, :name, :raw_arguments and :index
        # @param set [Set]
        # @param context [Hash] the run's
        # @param timeout [Numeric, nil] seconds for a call, where its tool says nothing else
        # @param details [Hash{Symbol=>Object}] :provider and :model, for errors
        # @param stream_id [String, nil] for those who are told of tools
        # @param hooks [#call] called with a hook's name and its arguments, on the thread that runs the tool
        def initialize(calls, set, context:, timeout:, details: {}, hooks: ->(*) {}, stream_id: nil)
          @calls = calls
          @set = set
          @context = context
          @timeout = timeout
          @details = details
          @hooks = hooks
          @stream_id = stream_id
          @lock = Mutex.new # covers the next three
          @changed = ConditionVariable.new
          @ended = []
          @woken = false
          @abandoned = false
          @taken = {} # call => outcome; the consumer's
        end

        # @param carried [Carried, nil] what the tools run with
        # @yieldreturn [void] called on any thread whenever there is an outcome to take
        # @return [self]
        def start(carried = nil, &ready)
          _, *others = @calls.select { |call| @set.handoff(call[:name]) }
          @calls.each do |call|
            if others.include?(call)
              add(refused(call), ready)
            else
              ThreadPool.tools.post(-> { run(call, carried, ready) })
            end
          end
          self
        end

        # The next outcome; waits for it.
        #
        # @param seconds [Numeric, nil] nil: no limit
        # @return [Outcome, nil] nil: the time is over, or somebody has called {#wake}
        def take(seconds = nil)
          outcome = @lock.synchronize do
            @changed.wait(@lock, seconds) if @ended.empty? && !@woken && (seconds.nil? || seconds.positive?)
            @woken = false
            @ended.shift
          end
          note(outcome)
        end

        # @return [Outcome, nil] the next outcome that is there
        def take_now
          note(@lock.synchronize { @ended.shift })
        end

        # @return [Boolean] whether all outcomes were taken
        def settled?
          @taken.size == @calls.size
        end

        # Whoever waits in {#take} looks round. Any thread; a signal handler must take no lock, so another thread
        # does it.
        #
        # @return [void]
        def wake
          @lock.synchronize do
            @woken = true
            @changed.broadcast
          end
        rescue ThreadError
          Thread.new { wake }
        end

        # Nobody takes the outcomes any longer.
        #
        # @return [void]
        def abandon
          @abandoned = true
        end

        # @return [Array<Outcome>] what was taken, in the order of the calls; a call that has not ended is an error
        def outcomes
          @calls.map { |call| @taken[call] || interrupted(call) }
        end

        # @return [String] short: no argument and nothing of the context
        def inspect
          "#<#{self.class.name} #{@calls.map { |call| call[:name] }.join(", ")}>"
        end

        private

        def note(outcome)
          @taken[outcome.call] = outcome if outcome
          outcome
        end

        def add(outcome, ready)
          @lock.synchronize do
            @ended << outcome
            @changed.broadcast
          end
          ready&.call
        end

        # Whatever happens to the thread, the call comes to an end.
        def run(call, carried, ready)
          outcome = Outcome.new(call: call, error: tool_error(call, "ended its thread"))
          Thread.handle_interrupt(Object => :immediate) do
            outcome = @abandoned ? interrupted(call) : Carried.within(carried) { call_back(perform_and_tell(call)) }
          end
        ensure
          add(outcome, ready)
        end

        def perform_and_tell(call)
          return perform(call) unless Notifications.listening?("tool_call")

          started = Timers.now
          outcome = perform(call)
          error = outcome.error
          Notifications.publish("tool_call", stream_id: @stream_id, tool_name: call[:name], tool_id: call[:id],
            status: error ? :failed : :complete, error: error && (error.cause || error).class.name,
            duration: Timers.now - started)
          outcome
        end

        def perform(call)
          handoff = @set.handoff(call[:name])
          return hand_over(call, handoff) if handoff

          tool = @set.tool(call[:name]) or return unknown(call)
          arguments = Arguments.parse(call[:raw_arguments].to_s)
          Arguments.check(arguments, tool.parameters) if tool.declared?
          @hooks.call(:on_tool_start, tool.given, arguments)
          Outcome.new(call: call, value: within(tool.timeout || @timeout) { tool.invoke(arguments, @context) })
        rescue JSON::ParserError
          failed(call, "was called with arguments that are not JSON: #{call[:raw_arguments].to_s[0, 200]}")
        rescue Expired => e
          failed(call, "took longer than #{e.message} s")
        rescue *FAILURES => e
          failed(call, "failed: #{e.message} (#{e.class})")
        end

        def hand_over(call, handoff)
          Outcome.new(call: call, agent: within(@timeout) { handoff.follow(call[:raw_arguments].to_s) })
        end

        def call_back(outcome)
          tool = @set.tool(outcome.call[:name]) unless @set.handoff(outcome.call[:name])
          if tool && outcome.error
            @hooks.call(:on_tool_error, tool.given, outcome.error)
          elsif tool
            @hooks.call(:on_tool_end, tool.given, outcome.value)
          end
          outcome
        end

        # The time of a tool is over. Not a StandardError, so that no rescue of the tool's takes it for its own.
        class Expired < Exception # rubocop:disable Lint/InheritException
        end
        private_constant :Expired

        def within(seconds, &block)
          return yield unless seconds

          Timeout.timeout(seconds, Expired, seconds.to_s, &block)
        end

        def unknown(call)
          failed(call, "does not exist; there are: #{@set.names.join(", ")}")
        end

        def interrupted(call)
          Outcome.new(call: call, error: tool_error(call, "was interrupted"))
        end

        def refused(call)
          Outcome.new(call: call, error: tool_error(call, "was left out: another call hands the conversation over"))
        end

        # Called in a rescue, so that what was raised is the error's cause.
        def failed(call, what)
          raise tool_error(call, what)
        rescue Errors::ToolError => e
          Outcome.new(call: call, error: e)
        end

        def tool_error(call, what)
          Errors::ToolError.new("the tool #{call[:name]} #{what}", tool_name: call[:name], tool_id: call[:id],
**@details)
        end
      end
    end
  end
end
