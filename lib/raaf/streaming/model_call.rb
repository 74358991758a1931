# frozen_string_literal: true

require_relative "error_factory"
require_relative "native"
require_relative "result"

module RAAF
  module Streaming
    # One question to one model: what is sent, and what its end means.
    #
    # It is made by a runner, starts native streams, and turns their outcomes into results and errors. It holds no
    # state of a running stream, so that any number can be started from it, one after another.
    #
    # @api private
    class ModelCall
      # Seconds and bytes in the configuration's words, by their native names.
      TIMES = {connect: :connection_timeout, first_token: :first_token_timeout, idle: :idle_timeout,
               total: :stream_timeout, grace: :finish_grace}.freeze
      SIZES = {queue_items: :queue_max_items, queue_bytes: :queue_max_bytes, max_line: :max_line_bytes,
               max_event: :max_event_bytes, max_text: :max_text_bytes}.freeze
      private_constant :TIMES, :SIZES

      # @return [Array<Hash{Symbol=>Object}>] the conversation without the system message
      attr_reader :messages
      # @return [RunContext]
      attr_reader :run_context

      # @param agent [Agent]
      # @param provider [#build_request]
      # @param config [Configuration]
      # @param messages [Array<Hash{Symbol=>Object}>] the conversation without the system message
      # @param context [Hash] for instructions
      # @param run_context [RunContext]
      def initialize(agent:, provider:, config:, messages:, context:, run_context:)
        @agent = agent
        @provider = provider
        @config = config
        @messages = messages
        @context = context
        @run_context = run_context
      end

      # Writes the question, and sends nothing yet.
      #
      # @param first_seq [Integer] number of the first chunk
      # @return [NativeStream]
      # @raise [Errors::ConfigurationError, ArgumentError]
      def prepare(first_seq = 1)
        @request = build_request
        NativeStream.prepare(native_request(@request), run_context, first_seq)
      end

      # Sends it.
      #
      # @param native [NativeStream] prepared here
      # @return [void]
      # @raise [Errors::StreamLimitError] before anything is sent
      def start(native)
        most = @config.max_concurrent_streams
        return if native.start(most)

        raise Errors::StreamLimitError.new("#{most} streams are running, as many as max_concurrent_streams allows: " \
                                           "try again, or raise it", limit: :max_concurrent_streams,
          provider: @request[:provider], model: @request[:model])
      end

      # The same question later in the conversation.
      #
      # @param said [String] what the model said until now; "" is left out
      # @param message [String, Array<Hash>] what the user says next
      # @return [ModelCall]
      def continue(said, message)
        more = said.empty? ? [] : [Result.assistant_message(said)]
        self.class.new(agent: @agent, provider: @provider, config: @config, context: @context,
          messages: messages + more + Messages.list(message), run_context: run_context)
      end

      # What went wrong, as an exception.
      #
      # @param outcome [Hash] NativeStream#outcome
      # @param partial_text [String] what had been delivered
      # @return [Exception]
      def error(outcome, partial_text)
        return @request[:error] if outcome[:code] == :scripted && @request[:error]

        ErrorFactory.build(outcome, provider: @request[:provider], model: @request[:model],
          secrets: @request[:secrets] || [], partial_text: partial_text)
      end

      # What the run came to.
      #
      # @param native [NativeStream] ended
      # @param text [String] the answer, as far as it was delivered
      # @param error [Exception, nil]
      # @return [Result]
      def result(native, text, error: nil)
        outcome = native.outcome
        called = native.tool_calls.group_by(&:choice)
        calls = called.fetch(0, []).map { |chunk| tool_call(chunk) }
        message = Result.assistant_message(text, tool_calls: calls, parts: parts(outcome))
        Result.new(messages: messages + [message], final_output: text, usage: usage(outcome),
          finish_reason: outcome[:finish_reason], tool_calls: calls, choices: choices(outcome, called),
          reasoning: outcome[:reasoning], refusal: outcome[:refusal], error: error,
          request_id: ErrorFactory.request_id(outcome[:headers]), stream_id: run_context.stream_id,
          model: @request[:model], provider: @request[:provider], timings: outcome[:timings].compact,
          last_agent: @agent)
      end

      # @return [String] short: no header, no key, no word of the conversation
      def inspect
        "#<#{self.class.name} provider=#{run_context.provider.inspect} model=#{run_context.model.inspect}>"
      end

      private

      def build_request
        instructions = @agent.instructions_for(@context, include_context: @config.context_in_instructions)
        system = instructions ? [{role: "system", content: instructions}] : []
        @provider.build_request(messages: system + messages, model: run_context.model,
          settings: @agent.request_settings, tools: @agent.tool_schemas(@context))
      end

      def native_request(request)
        native = {dialect: request[:dialect] || @provider.dialect, limits: limits}
        if request[:script]
          # A mock's chunks come exactly as asked for.
          native.merge(script: request[:script], script_fails: !request[:error].nil?,
            limits: limits.merge(coalesce_chars: nil))
        else
          proxy = @config.proxy_for(request[:url])
          # The name that is looked up is the proxy's, where there is one.
          native.merge(request.slice(:url, :headers, :body), host: URI(proxy || request[:url]).hostname,
            proxy: proxy, ca_file: @config.effective_ca_file)
        end
      end

      def limits
        @limits ||= TIMES.transform_values { |key| @config.public_send(key) }
          .merge(SIZES.transform_values { |key| @config.public_send(key) })
          .merge(coalesce: @config.chunk_buffer_timeout / 1000.0, coalesce_chars: @config.chunk_buffer_size,
            retain_text: @config.retain_text, skip_malformed: @config.malformed_events == :skip,
            raw_events: @config.raw_events)
      end

      def tool_call(chunk)
        {id: chunk.tool_id, name: chunk.tool_name, arguments: chunk.arguments, raw_arguments: chunk.raw_arguments}
      end

      # What the same provider gets back in the next turn.
      def parts(outcome)
        json = outcome[:parts] or return
        {provider: @request[:provider], items: JSON.parse(json, symbolize_names: true, max_nesting: false)}
      end

      # Only where there are several; of one the Result knows all.
      def choices(outcome, called)
        texts = outcome[:choices]
        return if texts.size < 2

        texts.sort.map do |index, text|
          reason = FinishReason.normalize(outcome[:finish_reasons][index], tool_calls: called.key?(index))
          {index: index, text: text.to_s, finish_reason: reason}
        end
      end

      def usage(outcome)
        return unless outcome[:usage]

        outcome[:usage].merge(raw: parse_usage(outcome[:usage_json])).compact
      end

      # The counts have been read from it; an answer shall not be lost because the rest is odd.
      def parse_usage(json)
        JSON.parse(json, symbolize_names: true, max_nesting: false) if json
      rescue JSON::ParserError
        nil
      end
    end
  end
end
