# frozen_string_literal: true

require_relative "../synthesis"

module RAAF
  module Streaming
    class Workflow
      # What a workflow came to: what each agent answered, which failed, and the answer of all.
      class Result
        # @return [String] the workflow's id, as in its events
        attr_reader :workflow_id
        # @return [Symbol] :sequential, :parallel or :pipeline
        attr_reader :type
        # @return [Symbol] :complete, :failed or :cancelled
        attr_reader :status
        # @return [String, nil] the answer of all; nil unless it is complete
        attr_reader :final_output
        alias_method :text, :final_output
        # @return [Hash{Object=>Streaming::Result}] of the agents that have answered, by their names, the synthesizer's
        #   too
        attr_reader :results
        # @return [Hash{Object=>Exception}] of the agents that have failed, by their names
        attr_reader :errors
        # @return [Exception, nil] why it is not complete
        attr_reader :error
        # @return [Hash{Symbol=>Integer}] token counts, summed over the agents that have answered; what those that have
        #   failed have used is unknown
        attr_reader :usage

        # @param workflow_id [String]
        # @param type [Symbol]
        # @param final_output [String, nil]
        # @param results [Hash{Object=>Streaming::Result}]
        # @param errors [Hash{Object=>Exception}]
        # @param error [Exception, nil]
        # @api private
        def initialize(workflow_id:, type:, final_output:, results:, errors:, error:)
          @workflow_id = workflow_id
          @type = type
          @error = error
          @final_output = (final_output unless error)
          @results = results.dup.freeze
          @errors = errors.dup.freeze
          @status = status_of(error)
          @usage = sum(results.values.map(&:usage)).freeze
          freeze
        end

        # @return [Boolean] whether there is an answer of all
        def success?
          error.nil?
        end

        # @return [Boolean] whether there is none, also because it was cancelled
        def failed?
          !success?
        end

        # @return [Boolean] whether some agents have answered and others not
        def partial?
          answers.any? && errors.any?
        end

        # @return [String] {#final_output}
        # @raise [Exception] why there is none
        def value!
          raise error if error

          final_output
        end

        # @return [Hash{Object=>String}] what the agents have answered, by their names; in a parallel workflow without
        #   what was made of that
        def answers
          answered = (type == :parallel) ? results.except(Synthesis::NAME) : results
          answered.transform_values(&:final_output)
        end

        # @return [Hash{Symbol=>Object}] everything that is known; errors as their messages
        def to_h
          {workflow_id: workflow_id, type: type, status: status, final_output: final_output, answers: answers,
           errors: errors.transform_values(&:message), error: error&.message, usage: usage}.compact
        end

        # @return [String] {#final_output}; "" without one
        def to_s
          final_output.to_s
        end

        # @return [String] short: no text
        def inspect
          "#<#{self.class.name} #{type} #{status} answered=#{answers.size} failed=#{errors.size}>"
        end

        private

        def status_of(error)
          return :complete unless error

          error.is_a?(Errors::CancelledError) ? :cancelled : :failed
        end

        # What the providers sent in their own words cannot be summed.
        def sum(usages)
          usages.reduce({}) do |sum, one|
            sum.merge(one.select { |_, count| count.is_a?(Integer) }) { |_, before, more| before + more }
          end
        end
      end
    end
  end
end
