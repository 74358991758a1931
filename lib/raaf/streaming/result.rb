# frozen_string_literal: true

require "json"
require_relative "finish_reason"

module RAAF
  module Streaming
    # What a run came to.
    #
    # @example
    #   result = runner.run_and_stream("Hello") { |chunk| print chunk.delta }
    #   result.messages.last[:content]
    #   result.usage        # => {prompt_tokens: 9, completion_tokens: 12, total_tokens: 21}
    class Result
      # @return [Array<Hash{Symbol=>Object}>] the conversation with the answer at its end, without the system message;
      #   :role and :content, and :tool_calls or :tool_call_id where there are any, as OpenAI writes them. The Array
      #   belongs to the result: take {#to_input_list} to go on from it.
      attr_reader :messages
      # @return [String] the answer's text; "" where there is none
      attr_reader :final_output
      alias_method :text, :final_output
      # @return [Hash{Symbol=>Object}] token counts: :prompt_tokens, :completion_tokens, :total_tokens, and where the
      #   provider says so :cached_tokens, :cache_write_tokens, :reasoning_tokens …; {} where it said nothing
      attr_reader :usage
      # @return [String, nil] "stop", "length", "tool_calls", "content_filter", "error", or the provider's own word
      attr_reader :finish_reason
      # @return [String, nil] the provider's word, as it came
      attr_reader :raw_finish_reason
      # @return [Array<Hash{Symbol=>Object}>] the tool calls of the last turn: :id, :name, :arguments (Hash),
      #   :raw_arguments (String) and :index
      attr_reader :tool_calls
      # @return [Array<Hash{Symbol=>Object}>] all answers, where several were asked for (`n` above 1): :index, :text,
      #   :finish_reason; of one answer alone, that one
      attr_reader :choices
      # @return [String, nil] the model's thinking, where it was shown
      attr_reader :reasoning
      # @return [String, nil] the words by which the model refused
      attr_reader :refusal
      # @return [Exception, nil] why the run failed
      attr_reader :error
      # @return [String, nil] the provider's id of the request
      attr_reader :request_id
      # @return [String, nil] the stream's id, as in every chunk's metadata
      attr_reader :stream_id
      # @return [String, nil] the model that was asked
      attr_reader :model
      # @return [String, nil] the provider's name
      attr_reader :provider
      # @return [Hash{Symbol=>Float}] seconds from the start to :connect, :first_byte, :first_token and :total, as far
      #   as they happened
      attr_reader :timings
      # @return [Integer] how often the last request was sent: 1, and one more for each retry
      attr_reader :attempts
      # @return [Integer] requests to the model
      attr_reader :turns
      # @return [Array<Hash{Symbol=>Object}>] the usage of each turn; {#usage} is their sum
      attr_reader :usages
      # @return [Array<Hash{Symbol=>Object}>] what the run's tools came to: :tool_name, :tool_id, and :result or :error
      attr_reader :tool_results
      # @return [Agent, nil] the agent that answered
      attr_reader :last_agent

      # @param messages [Array<Hash>] the conversation with the answer, without the system message
      # @param final_output [String, nil] nil: the content of the last message, where it is the assistant's
      # @param usage [Hash, nil]
      # @param finish_reason [String, nil] the provider's word; it is normalised
      # @param tool_calls [Array<Hash>, nil]
      # @param choices [Array<Hash>, nil] nil: the one answer
      # @param reasoning [String, nil]
      # @param refusal [String, nil]
      # @param error [Exception, nil]
      # @param request_id [String, nil]
      # @param stream_id [String, nil]
      # @param model [String, nil]
      # @param provider [String, nil]
      # @param timings [Hash, nil] seconds
      # @param attempts [Integer]
      # @param turns [Integer]
      # @param usages [Array<Hash>, nil] of each turn
      # @param tool_results [Array<Hash>, nil]
      # @param last_agent [Agent, nil]
      def initialize(messages: [], final_output: nil, usage: nil, finish_reason: nil, tool_calls: nil, choices: nil,
        reasoning: nil, refusal: nil, error: nil, request_id: nil, stream_id: nil, model: nil, provider: nil,
        timings: nil, attempts: 1, turns: 1, usages: nil, tool_results: nil, last_agent: nil)
        @messages = messages
        @final_output = final_output || last_content
        @usage = usage || {}
        @raw_finish_reason = finish_reason
        @tool_calls = tool_calls || []
        @finish_reason = FinishReason.normalize(finish_reason, tool_calls: @tool_calls.any?)
        @choices = choices || [{index: 0, text: @final_output, finish_reason: @finish_reason}]
        @reasoning = reasoning
        @refusal = refusal
        @error = error
        @request_id = request_id
        @stream_id = stream_id
        @model = model
        @provider = provider
        @timings = timings || {}
        @attempts = attempts
        @turns = turns
        @usages = usages || [@usage].reject(&:empty?)
        @tool_results = tool_results || []
        @last_agent = last_agent
      end

      # The assistant's message, as it goes into a conversation.
      #
      # @param content [String] the answer's text
      # @param tool_calls [Array<Hash>] each with :id, :name and :raw_arguments
      # @param parts [Hash{Symbol=>Object}, nil] what else the answer had, in its provider's own form (signatures of
      #   reasoning, blocks of the provider's own tools): :provider, and :items, each with :at (bytes of content before
      #   it) and :part. The same provider gets them back in the next turn; others never see them
      # @return [Hash{Symbol=>Object}] role, content and, where there are any, tool_calls as OpenAI writes them, and
      #   parts
      def self.assistant_message(content, tool_calls: [], parts: nil)
        message = {role: "assistant", content: content, parts: parts}.compact
        return message if tool_calls.empty?

        message.merge(tool_calls: tool_calls.map do |call|
          {id: call[:id], type: "function", function: {name: call[:name], arguments: call[:raw_arguments].to_s}}
        end)
      end

      # @return [Boolean] whether the run ended without an error
      def success?
        error.nil?
      end

      # @return [Boolean] whether it ended with one
      def failure?
        !success?
      end
      alias_method :error?, :failure?
      alias_method :failed?, :failure?

      # @return [String] the name of the agent that answered; "unknown" where there is none, as raaf-core has it
      def agent_name
        last_agent&.name || "unknown"
      end

      # @param type [#to_s] "string" or "json"
      # @return [Object] the answer as a String, or as what its JSON says; as it is where that is none
      def final_output_as(type)
        (type.to_s.downcase == "json") ? JSON.parse(final_output) : final_output
      rescue JSON::ParserError
        final_output
      end

      # @return [Array<Hash{Symbol=>Object}>] a copy of {#messages}, to go on from
      def to_input_list
        messages.map(&:dup)
      end

      # @return [String] {#final_output}
      def to_s
        final_output
      end

      # @return [Hash{Symbol=>Object}] everything that is known; the error as its own Hash, the agent as its name
      def to_h
        {messages: messages, final_output: final_output, usage: usage, finish_reason: finish_reason,
         raw_finish_reason: raw_finish_reason, tool_calls: tool_calls, reasoning: reasoning, refusal: refusal,
         error: error_hash, request_id: request_id, stream_id: stream_id, model: model, provider: provider,
         timings: timings, attempts: attempts, turns: turns, tool_results: tool_results,
         last_agent: last_agent&.name}.compact
      end

      # @return [String] short: how it ended and how long the answer is, not the answer
      def inspect
        ending = success? ? "finish_reason=#{finish_reason.inspect}" : "error=#{error.class.name}"
        "#<#{self.class.name} #{ending} model=#{model.inspect} messages=#{messages.size} " \
          "characters=#{final_output.length} total_tokens=#{usage[:total_tokens].inspect}>"
      end

      private

      def last_content
        last = messages.last || {}
        (last[:role] == "assistant" && last[:content].is_a?(String)) ? last[:content] : ""
      end

      def error_hash
        return if error.nil?

        error.respond_to?(:to_h) ? error.to_h : {error: error.class.name, message: error.message}
      end
    end
  end
end
