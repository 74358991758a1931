# frozen_string_literal: true

require_relative "runner"
require_relative "resilience/recovery"

module RAAF
  module Streaming
    # Runs an agent, and does not give up at the first failure: it waits and asks again, or asks another provider.
    #
    # What is done about what:
    #
    # * a rate limit: the same provider is asked again after `retry_delay`, then twice as long, and so on; after as long
    #   as the provider itself asks for (Retry-After), where that is longer. Where it asks for more than the setting
    #   `max_retry_delay`, or its quota is used up, another provider is asked at once
    # * a failure of the provider's (every {Errors::ProviderError}: 5xx, an overload, a connection that fails or breaks,
    #   a time limit, a stream without its end, an open circuit breaker): the next of the `backup_providers` is asked at
    #   once. Once all have been asked, or where there is none, it is asked again after the delay
    # * HTTP 408, 409 and 425, by which a server wants to be asked again: the same provider after the delay
    # * anything else (another 4xx, a wrong key, a guardrail, a tool loop without an end): nothing. The last chunk says
    #   "Unexpected error: …", and the error is raised
    #
    # Each attempt is announced by an `:error` chunk that is not `terminal?`; its metadata has retry_count (from 1),
    # delay (seconds), reason ("429", "ServerError" …), mode, and the provider and model that are asked next. When
    # `max_retries` is used up, or nobody else can be asked, the last chunk is a terminal `:error` chunk and the result
    # a failed one ({Result#failed?}, {Result#error}); nothing is raised. The native retries of {Runner} are switched
    # off. ActiveSupport's subscribers of "retry.raaf" are told of each attempt.
    #
    # No word of an answer comes twice. What is done where something of it was delivered already, is `after_content`:
    #
    # * `:error`: nothing, the run ends as above. The failed result has the text
    # * `:continue`: the next one goes on from what was delivered. A model that writes on from a message of its own
    #   (Claude up to 4.5, without thinking) gets that; any other is told to go on exactly there. What it repeats at its
    #   beginning all the same is cut off, where it can hardly be meant: the last words, whole or cut in two (3 letters
    #   or more); anything of 12 characters or more, not counting blanks; all that was said (4 or more). Shorter
    #   repetitions of other characters, as in code and tables, stay. Where the answer was to be JSON, has several
    #   choices, or no text is kept, this is `:error`
    # * `:reset`: the answer begins anew. A `:status` chunk (status `:reset`) comes behind the announcement: whoever
    #   shows the answer starts over, `cumulative` begins anew, and the result has the second answer's text only
    #
    # Reasoning, refusals and pieces of tool calls count as something of the answer. Tools never run twice: after a
    # failure in a later turn only that turn is asked for again. A tool call that came whole before its answer broke
    # off is not run, and may come again with the next attempt.
    #
    # In front of each provider and model stands a circuit breaker of the process ({CircuitBreaker}). Only failures of
    # the provider's open it: no rate limit, no other 4xx, no error of yours, no cancelling. While it is open the
    # provider is not asked.
    #
    # @example
    #   runner = RAAF::Streaming::ResilientRunner.new(agent: agent, backup_providers: [
    #     [RAAF::Models::AnthropicProvider, "claude-sonnet-5"], [RAAF::Models::GroqProvider, "openai/gpt-oss-120b"]
    #   ])
    #   result = runner.run_and_stream("Hello", max_retries: 3, retry_delay: 1) { |chunk| print chunk.delta }
    #   warn result.error.message if result.failed?
    class ResilientRunner < Runner
      # @param agent [Agent] never changed, whoever answers
      # @param backup_providers [Array<#build_request, Class, Array(Object, String)>, nil] who is asked in the agent's
      #   provider's place, in this order: providers, their classes, or pairs of one of these and a model. nil: the
      #   guide's, Anthropic and Groq, as far as ANTHROPIC_API_KEY and GROQ_API_KEY are set, and not the one whose turn
      #   it is; []: nobody
      # @param backup_models [Hash{#to_s=>String}] models by the names of providers ("anthropic"), for those given
      #   without one. Else it is claude-sonnet-5 for Anthropic, openai/gpt-oss-120b for Groq, and the run's own model
      #   for any other. Another provider, and the same at another address, gets the agent's settings, but neither its
      #   extra_body nor its extra_headers
      # @param after_content [Symbol] :error, :continue or :reset, see above
      # @param circuit_breaker [Hash, false, #acquire, #call] settings of {CircuitBreaker#initialize}, such as
      #   failure_threshold:, timeout: and store:, for a breaker of each provider and model, whose name comes from them;
      #   false: none; a breaker for all; or what gives one for a provider's name and a model
      # @param max_retries [Integer] attempts after the first, in one run
      # @param retry_delay [Numeric] seconds before the first retry; doubled with each further one, up to the setting
      #   max_retry_delay
      # @param options [Hash{Symbol=>Object}] see {Runner#initialize}
      # @raise (see Runner#initialize)
      # @raise [ArgumentError] for wrong values
      def initialize(agent:, backup_providers: nil, backup_models: {}, after_content: :error, circuit_breaker: {},
        max_retries: 3, retry_delay: 1, **options)
        super(agent: agent, **options)
        @policy = Resilience::Policy.new(backup_providers: backup_providers, backup_models: backup_models,
          after_content: after_content, circuit_breaker: circuit_breaker, max_retries: max_retries,
          retry_delay: retry_delay)
      end

      # Asks, and hands over the answer while it is generated. See {Runner#run_and_stream} for what is not said here.
      #
      # @param message [String, Array<Hash>] what the user says, or a conversation
      # @param context [Hash] for instructions and tools
      # @param max_retries [Integer] for this call
      # @param retry_delay [Numeric] for this call; seconds
      # @param options [Hash{Symbol=>Object}] those of {Runner#run_and_stream}, and those of {#initialize} for this call
      # @yieldparam chunk [Chunk]
      # @return [Result] a failed one where providers have failed
      # @raise [Errors::Error] for what is no failure of a provider's, after its chunk; and before anything is sent
      # @raise [ArgumentError] for a message that is none
      def run_and_stream(message, context: {}, max_retries: @policy.max_retries, retry_delay: @policy.retry_delay,
        **options, &block)
        open_resilient(message, context: context, max_retries: max_retries, retry_delay: retry_delay, **options)
          .run(&block).result
      rescue => e
        EventEmitter.agent_failed(agent, e)
        raise
      end

      # Asks, and returns at once.
      #
      # @param (see #run_and_stream)
      # @return [Stream] running; its `result` is a failed one where providers have failed
      # @raise [Errors::ConfigurationError, Errors::StreamLimitError, ArgumentError] before anything is sent
      def stream(message, context: {}, **options)
        open_resilient(message, context: context, **options).start
      end

      private

      def open_resilient(message, context:, session_id: nil, user_id: nil, provider: nil, model: nil, **options)
        own = options.slice(*Resilience::Policy.options)
        settings = options.except(*own.keys).merge(max_retries: 0)
        open_stream(message, context: context, session_id: session_id, user_id: user_id, provider: provider,
          model: model, settings: settings, recovery: Resilience::Recovery.new(@policy.with(**own)))
      end
    end
  end
end
