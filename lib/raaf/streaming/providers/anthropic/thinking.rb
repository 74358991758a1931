# frozen_string_literal: true

require_relative "../../../models/http_provider"
require_relative "model_facts"

module RAAF
  module Streaming
    module Providers
      class Anthropic < Models::HTTPProvider
        # `reasoning_effort` in Anthropic's words, and what a request must look like for it.
        #
        # Models after Claude 4.5 decide themselves how much to think, guided by an effort: `thinking: {type:
        # "adaptive"}` and `output_config: {effort:}`. Earlier ones are given a budget of tokens: `thinking: {type:
        # "enabled", budget_tokens:}`, which has to be below `max_tokens`. What they think is asked for as a summary,
        # which the newest models leave out otherwise.
        #
        # Where a tool is forced there is no thinking, since the API refuses the two together.
        #
        # Sources: Anthropic's pages "Extended thinking", "Adaptive thinking" and "Effort"; its Ruby client,
        # lib/anthropic/models/{thinking_config_enabled,thinking_config_adaptive,output_config}.rb.
        #
        # @api private
        class Thinking
          # Tokens, for models that have a budget. All are below the answer's limit of any of them.
          BUDGETS = {"minimal" => 1024, "low" => 4096, "medium" => 8192, "high" => 16_384, "xhigh" => 24_576,
                     "max" => 24_576}.freeze

          # Our words that are not Anthropic's.
          EFFORTS = {"minimal" => "low"}.freeze

          private_constant :BUDGETS, :EFFORTS

          # @param facts [ModelFacts]
          # @param effort [#to_s, nil] none, minimal, low, medium, high, xhigh or max; nil: not set
          # @param forced [Boolean] whether a tool has to be called
          # @param max_tokens [Integer, nil] nil: the model's
          def initialize(facts, effort:, forced: false, max_tokens: nil)
            @facts = facts
            @effort = effort.to_s
            @forced = forced
            @max_tokens = max_tokens
          end

          # @return [Hash{Symbol=>Object}, nil]
          def config
            return off if @effort == "none"
            return if @effort.empty? || @forced

            case @facts.thinking
            when :effort then {type: "adaptive", display: "summarized"}
            when :budget then {type: "enabled", budget_tokens: budget}
            end
          end

          # @return [String, nil] for output_config
          def effort
            return if ["", "none"].include?(@effort) || @facts.thinking != :effort

            EFFORTS.fetch(@effort, @effort)
          end

          # @return [Integer] the answer's limit, thinking included: where the one that was set leaves no room for the
          #   budget, both together, as far as the model goes
          def max_tokens
            limit = @max_tokens || @facts.default_max_tokens
            return limit unless budget? && limit <= budget

            [limit + budget, @facts.limit].compact.min
          end

          # @return [Boolean] whether temperature and top_p may be sent
          def sampling?
            @facts.sampling? && !on?
          end

          private

          def on?
            %w[enabled adaptive].include?(config&.fetch(:type))
          end

          def budget?
            config&.key?(:budget_tokens)
          end

          # A word that is not known here is a high effort.
          def budget
            BUDGETS.fetch(@effort) { BUDGETS.fetch("high") }
          end

          # Those with a budget think only where they are told to.
          def off
            {type: "disabled"} if @facts.thinking == :effort && @facts.can_stop_thinking?
          end
        end
      end
    end
  end
end
