# frozen_string_literal: true

require_relative "model_call"
require_relative "tools/turn"

module RAAF
  module Streaming
    # A run: what was asked, which call to a model is on its way, and what all of them together came to.
    #
    # A run is one call to a model, or several: after the tools that the model has called, after a handoff to another
    # agent, after a redirect. It belongs to one {Stream}, whose consumer alone advances it.
    #
    # @api private
    class Run
      # @return [ModelCall] the one that runs, or has run last
      attr_reader :call
      # @return [RunContext]
      attr_reader :context
      # @return [Resilience::Recovery, nil] what becomes of failures; nil: they end the run
      attr_reader :recovery

      # @param call [ModelCall] the first
      # @param providers [#call] gives the provider for an agent and a model's name, and the name that it knows
      # @param remembered [Integer] how many of its messages come from the conversation store
      # @param recovery [Resilience::Recovery, nil]
      def initialize(call, providers, remembered: 0, recovery: nil)
        @call = call
        @providers = providers
        @context = call.run_context
        @turns = 0
        @first_token = nil
        @usages = []
        @reasoning = []
        @tool_results = []
        @filtered_text = nil # of the run, once a guardrail has changed some of it
        @remembered = remembered
        @recovery = recovery
      end

      # @return [Configuration]
      def config
        call.config
      end

      # What is to be done before the answer is whole: the tools that it calls.
      #
      # @param native [NativeStream] ended well
      # @return [Tool::Turn, nil] not started; without a call where the provider wants only to be asked to go on; nil:
      #   the answer is whole, or its calls are the application's to answer
      # @raise [Errors::MaxTurnsError] where there may be no further turn
      # @raise [Errors::OutputGuardrailError]
      def tool_turn(native)
        calls = call.tool_calls(native)
        return unless calls.empty? ? paused?(native) : call.tools.answers?(calls.map { |one| one[:name] })

        note(native)
        check_limits(native)
        Tool::Turn.new(calls, call.tools, context: call.context, timeout: config.tool_timeout, details: call.details,
          hooks: call.method(:call_hook), stream_id: context.stream_id)
      end

      # Asks the agent's guardrails, about what they have not seen in an earlier run, and writes the first question.
      # Sends nothing yet.
      #
      # @return [NativeStream]
      # @raise (see ModelCall#prepare)
      # @raise [Errors::InputGuardrailError]
      def prepare
        call.check_input(call.messages.drop(@remembered))
        call.prepare
      end

      # The next call: the conversation with this answer and what its tools came to, for the same agent or the one that
      # it hands over to.
      #
      # @param native [NativeStream] the answer
      # @param turn [Tool::Turn]
      # @return [ModelCall] not prepared
      def after_tools(native, turn)
        outcomes = turn.outcomes
        recovery&.answered
        note_results(outcomes)
        said = [call.assistant_message(native, filtered(native)), *outcomes.map { |outcome| tool_message(outcome) }]
        agent = outcomes.filter_map(&:agent).first
        agent ? hand_over(said, agent) : call.next(said)
      end

      # Another attempt in place of the one that failed, ready to be started.
      #
      # @param native [NativeStream] the one that failed
      # @param error [Exception]
      # @return [Resilience::Step, nil] nil: there is none
      def next_step(native, error)
        recovery&.next_step(call, native, error)
      end

      # @param step [Resilience::Step]
      # @return [void]
      def started(step)
        @filtered_text = nil if step.reset?
        recovery&.started(step, context)
      end

      # The next call, after a redirect.
      #
      # @param native [NativeStream] the answer, as far as it came
      # @param turn [Tool::Turn, nil] the tools that ran
      # @param message [String, Array<Hash>] what the user says next
      # @return [ModelCall] not prepared
      # @raise [Errors::InputGuardrailError]
      def redirected(native, turn, message)
        said = Messages.list(message)
        following = turn ? after_tools(native, turn) : call.next(said_so_far(native))
        @filtered_text = nil # the text of the run begins anew
        recovery&.answered
        following.check_input(said)
        following.next(said)
      end

      # @param following [ModelCall]
      # @return [void]
      def go_on(following)
        @call = following
      end

      # What the run came to.
      #
      # @param native [NativeStream] the last one, ended
      # @param text [String] the answer, as far as it was delivered
      # @return [Result]
      # @raise [Errors::OutputGuardrailError]
      def result(native, text)
        note(native)
        text = @filtered_text || text
        call.call_hook(:on_end, text) if call.tool_calls(native).empty?
        call.result(native, text, instead: filtered(native), turns: @turns, usage: usage, usages: @usages,
          tool_results: @tool_results, reasoning: (@reasoning.join("\n\n") unless @reasoning.empty?), **attempts)
      end

      # What it came to, where it failed and nothing is raised.
      #
      # @param native [NativeStream] the last one
      # @param error [Exception]
      # @return [Result, nil] nil: the error is raised
      def failed_result(native, error)
        return unless recovery&.failure?(error)

        Result.new(messages: call.messages + said_so_far(native), final_output: delivered(native), error: error,
          stream_id: context.stream_id, turns: @turns, usage: usage, usages: @usages, tool_results: @tool_results,
          finish_reason: "error", last_agent: call.agent, **call.details, **attempts)
      end

      # @param native [NativeStream] the last one
      # @param error [Exception]
      # @return [Hash{Symbol=>Object}] what its last chunk says about the error
      def last_words(native, error)
        return {delta: error.message} unless recovery

        answered = native.outcome&.fetch(:answered) || false
        {delta: recovery.last_words(error, answered), metadata: {retry_count: recovery.retries}}
      end

      # Adds what is new to the conversation store, where there is one.
      #
      # @param native [NativeStream] the last one
      # @param answer [Hash{Symbol=>Object}, nil] the last message of a run that ended well
      # @return [void]
      def keep(native, answer = nil)
        store = config.conversation_store
        return unless store && context.session_id

        answer = answer ? [answer] : said_so_far(native)
        return if answer.empty? && @turns.zero?

        store.append(context.session_id, call.messages.drop(@remembered) + answer)
        @remembered = call.messages.size + answer.size
      end

      # What it came to, without a word of the conversation.
      #
      # @param native [NativeStream] the last one
      # @return [Hash{Symbol=>Object}]
      def summary(native)
        outcome = native.outcome if native.here? && @turns.zero? # nil before its end
        {stream_id: context.stream_id, session_id: context.session_id, user_id: context.user_id, turns: @turns,
         usage: usage, first_token: @first_token || outcome&.dig(:timings, :first_token), **call.details}
      end

      # @return [String] short: no word of the conversation
      def inspect
        "#<#{self.class.name} #{context.stream_id} turns=#{@turns}>"
      end

      private

      # The provider's own tools have taken long: it wants its answer back, and goes on. Source: Anthropic's API
      # reference, stop_reason "pause_turn".
      def paused?(native)
        native.outcome[:finish_reason] == "pause_turn"
      end

      # What a guardrail has refused does not go on in the conversation.
      def said_so_far(native)
        said = call.turn_text(native)
        return [] if said.empty? || native.equal?(@refused)

        [Result.assistant_message(filtered(native) || said)]
      end

      # As far as guardrails let it pass.
      def delivered(native)
        filtered = @filtered_text or return native.delivered_text

        filtered + (@noted.equal?(native) ? "" : call.turn_text(native))
      end

      def attempts
        recovery ? {attempts: recovery.attempts} : {}
      end

      # @return [String, nil] what a guardrail made of this answer; nil: nothing else
      def filtered(native)
        @filtered if @noted.equal?(native)
      end

      # Once a native stream.
      def note(native)
        return if @noted.equal?(native)

        @noted = native
        @turns += 1
        @first_token = native.outcome[:timings][:first_token] if @turns == 1
        counted = call.usage(native.outcome)
        @usages << counted if counted
        thought = native.outcome[:reasoning]
        @reasoning << thought if thought
        check(native)
      end

      def check(native)
        @refused = native # until the guardrails have let it pass
        said = call.turn_text(native)
        checked = call.check_output(said)
        @refused = nil
        @filtered = (checked unless checked == said)
        @filtered_text ||= native.delivered_text.delete_suffix(said) if @filtered
        whole = @filtered_text
        @filtered_text = whole + checked if whole
      end

      def check_limits(native)
        most = config.max_turns || call.max_turns
        budget = config.token_budget
        spent = usage[:total_tokens].to_i
        if @turns >= most
          why = "#{most} turns: raise max_turns, or tell it when to stop"
        elsif budget && spent >= budget
          why = "#{spent} tokens of a budget of #{budget}"
        end
        return unless why

        raise Errors::MaxTurnsError.new("the model still calls tools after #{why}", partial_text: native.delivered_text,
          messages: call.messages + [call.assistant_message(native)], **call.details)
      end

      # The sums of all turns; `raw` is the last one's.
      def usage
        @usages.reduce({}) do |sum, one|
          sum.merge(one) { |_, before, more| (before.is_a?(Integer) && more.is_a?(Integer)) ? before + more : more }
        end
      end

      def note_results(outcomes)
        @tool_results += outcomes.map do |outcome|
          {tool_name: outcome.call[:name], tool_id: outcome.call[:id], result: outcome.error ? nil : outcome.value,
           error: outcome.error&.message}.compact
        end
      end

      def tool_message(outcome)
        {role: "tool", tool_call_id: outcome.call[:id], name: outcome.call[:name], content: outcome.text}
      end

      def hand_over(said, agent)
        call.call_handoff_hooks(agent)
        provider, model = @providers.call(agent, agent.model)
        call.next(said, agent: agent, provider: provider, model: model)
      end
    end
  end
end
