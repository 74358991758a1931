# frozen_string_literal: true

require_relative "../synthesis"

module RAAF
  module Streaming
    class Workflow
      # All agents at once, as far as the limit lets them; then one more makes one answer of theirs.
      #
      # @api private
      class Parallel
        # @param workflow [Workflow]
        # @param names [Array<Object>] of the agents
        # @param request [String, Array<Hash>]
        # @param most [Integer] agents at once
        def initialize(workflow, names, request, most:)
          @workflow = workflow
          @request = request
          @most = most
          @lock = Mutex.new # covers the rest
          @waiting = names.dup
          @running = 0
          @concluded = false
          @answers = names.to_h { |name| [name, nil] } # in the order of the agents, whoever is first
          @failure = nil
        end

        # @return [void]
        def start
          @most.times { advance }
        end

        # An agent has come to its end.
        #
        # @param name [Object]
        # @param result [Streaming::Result, nil]
        # @param error [Exception, nil]
        # @return [void]
        def ended(name, result, error)
          return @workflow.finish(result&.final_output, error) if @concluded

          @lock.synchronize do
            @answers[name] = result&.final_output
            @failure ||= error
            @running -= 1
          end
          advance
        end

        private

        # Has the next one run, or draws the conclusion, or leaves it to those who run.
        def advance
          names, last = @lock.synchronize do
            next [take, false] unless @waiting.empty? || @workflow.stopped?

            [[], (@concluded = true)] if @running.zero? && !@concluded
          end
          names&.each { |name| @workflow.run_agent(name, @request) }
          conclude if last
        end

        def take
          @running += 1
          @waiting.shift(1)
        end

        def conclude
          answers = @answers.compact
          return @workflow.finish(nil, @failure) if answers.empty? || @workflow.stopped?

          @workflow.run_agent(Synthesis::NAME, Synthesis.prompt(answers, @request))
        end
      end
    end
  end
end
