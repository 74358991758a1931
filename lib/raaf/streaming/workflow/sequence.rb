# frozen_string_literal: true

require_relative "../synthesis"

module RAAF
  module Streaming
    class Workflow
      # One agent after another. With `:sequential` each is asked what the one before has answered; with `:pipeline`,
      # the whole conversation so far.
      #
      # @api private
      class Sequence
        # @param workflow [Workflow]
        # @param agents [Hash{Object=>AsyncRunner}]
        # @param request [String, Array<Hash>]
        # @param whole [Boolean] whether the conversation is handed on, and not the last answer alone
        # @param skip [Boolean] whether the next agent is asked in the place of one that has failed
        def initialize(workflow, agents, request, whole:, skip:)
          @workflow = workflow
          @names = agents.keys
          @input = request
          @whole = whole
          @skip = skip
          @output = nil
          @failure = nil
        end

        # @return [void]
        def start
          name = @names.shift unless @workflow.stopped?
          name.nil? ? finish : @workflow.run_agent(name, @input)
        end

        # An agent has come to its end.
        #
        # @param _name [Object]
        # @param result [Streaming::Result, nil]
        # @param error [Exception, nil]
        # @return [void]
        def ended(_name, result, error)
          if result
            @output = result.final_output
            @input = @whole ? Synthesis.handed_on(result.messages) : @output
          else
            @failure ||= error
            @names.clear unless @skip
          end
          start
        end

        private

        def finish
          failed = !@skip || @output.nil?
          @workflow.finish(@output, (@failure if failed))
        end
      end
    end
  end
end
