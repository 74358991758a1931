# frozen_string_literal: true

require_relative "../../../models/http_provider"

module RAAF
  module Streaming
    module Providers
      class Anthropic < Models::HTTPProvider
        # What the name of a model tells about it: its generation, and with it what a request may hold.
        #
        # A Claude without a number in its name, or with a higher one than is known here, counts as the newest. A name
        # that is no Claude's belongs to another server that speaks this API.
        #
        # Sources: Anthropic's pages "Models overview", "Extended thinking", "Adaptive thinking" and "Effort", its
        # migration guide, and the comments of its Ruby client (lib/anthropic/models/message_create_params.rb).
        #
        # @api private
        class ModelFacts
          # claude-3-5-sonnet-20241022 is 3.5, claude-opus-4-20250514 is 4.0, claude-sonnet-5 is 5.0.
          GENERATION = /claude-(?:[a-z]+-)?(\d+)(?:[-.](\d{1,2}))?(?!\d)/

          NEWEST = [99, 0].freeze

          # Models that think whatever they are told, and refuse to be told not to.
          ALWAYS_THINKING = /fable|mythos|opus-5-5/

          # The most tokens of an answer, for generations up to this one; later ones have {LATER_LIMIT} at least.
          LIMITS = {[3, 4] => 4096, [3, 6] => 8192}.freeze
          LATER_LIMIT = 64_000
          # Claude Opus 4 and 4.1.
          OPUS_4_LIMIT = 32_000
          # Of what is no Claude: what most servers take.
          OTHER_LIMIT = 8192

          private_constant :GENERATION, :NEWEST, :ALWAYS_THINKING, :LIMITS, :LATER_LIMIT, :OPUS_4_LIMIT,
            :OTHER_LIMIT

          # @param name [String] the model's, perhaps with a prefix before "claude-"
          def initialize(name)
            @name = name
            found = GENERATION.match(name)
            @generation = found ? [found[1].to_i, found[2].to_i] : (NEWEST if name.include?("claude"))
          end

          # @return [Integer] tokens: what `max_tokens` is where nobody set it
          def default_max_tokens
            limit || OTHER_LIMIT
          end

          # @return [Integer, nil] the most tokens that it may write in an answer, or for the newest models half of
          #   them; nil where that is not known
          def limit
            return unless @generation
            return OPUS_4_LIMIT if @name.include?("opus") && after?([3, 9]) && !after?([4, 1])

            LIMITS.each { |generation, limit| return limit unless after?(generation) }
            LATER_LIMIT
          end

          # @return [Symbol] how it is told how much to think: :budget (up to Claude 4.5, and other servers' models),
          #   :effort, or :never (before Claude 3.7)
          def thinking
            return :budget unless @generation
            return :effort if after?([4, 5])

            after?([3, 6]) ? :budget : :never
          end

          # @return [Boolean] whether it can be told not to think
          def can_stop_thinking?
            !ALWAYS_THINKING.match?(@name)
          end

          # @return [Boolean] whether it takes temperature and top_p; models after Claude 4.6 refuse them
          def sampling?
            !after?([4, 6])
          end

          # @return [Boolean] whether it goes on from a last message of the assistant's; not of what is no Claude
          def writes_on?
            !@generation.nil? && !after?([4, 5])
          end

          private

          def after?(generation)
            !@generation.nil? && (@generation <=> generation) == 1
          end
        end
      end
    end
  end
end
