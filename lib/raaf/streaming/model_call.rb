# frozen_string_literal: true

require_relative "analytics"
require_relative "continuation"
require_relative "core_agent"
require_relative "core_translation"
require_relative "error_factory"
require_relative "foreign_json"
require_relative "native"
require_relative "partial_arguments"
require_relative "result"
require_relative "tools/set"

module RAAF
  module Streaming
    # One question to one model: what is sent, and what its end means.
    #
    # It is made by a runner, starts native streams, and turns their outcomes into results and errors. It holds no
    # state of a running stream, so that any number can be started from it, one after another.
    #
    # @api private
    class ModelCall
      # Seconds, and numbers of things, in the configuration's words, by their native names.
      TIMES = {connect: :connection_timeout, first_token: :first_token_timeout, idle: :idle_timeout,
               total: :stream_timeout, queue: :stream_queue_timeout, grace: :finish_grace, retry_delay: :retry_delay,
               max_retry_delay: :max_retry_delay}.freeze
      SIZES = {queue_items: :queue_max_items, queue_bytes: :queue_max_bytes, max_line: :max_line_bytes,
               max_event: :max_event_bytes, max_text: :max_text_bytes, max_retries: :max_retries}.freeze
      # Settings of an agent that are meant for its own provider, and may hold what no other shall see.
      OWN_SETTINGS = %i[extra_body extra_headers].freeze
      private_constant :TIMES, :SIZES, :OWN_SETTINGS

      # Requests to a model in one run, where neither agent nor configuration says so: raaf-core's default.
      MAX_TURNS = 10

      # @return [Agent]
      attr_reader :agent
      # @return [Array<Hash{Symbol=>Object}>] the conversation without the system message
      attr_reader :messages
      # @return [Hash] the run's, for instructions and tools
      attr_reader :context
      # @return [Configuration]
      attr_reader :config
      # @return [RunContext]
      attr_reader :run_context
      # @return [#build_request]
      attr_reader :provider
      # @return [String]
      attr_reader :model

      # @param agent [Agent]
      # @param provider [#build_request]
      # @param model [String]
      # @param config [Configuration]
      # @param messages [Array<Hash{Symbol=>Object}>] the conversation without the system message
      # @param context [Hash] for instructions and tools
      # @param run_context [RunContext]
      # @param core_agent [CoreAgent] where there is one of an earlier call, its next
      # @param recovery [Resilience::Recovery, nil] what the run does when it fails; has breakers that give permits
      # @param continuation [Continuation] of an answer whose beginning was delivered
      # @param delay [Numeric] seconds to wait before it is sent
      # @param foreign [Boolean] whether the provider is another than the one that the agent's own settings are for
      def initialize(agent:, provider:, model:, config:, messages:, context:, run_context:,
        core_agent: CoreAgent.new(agent, messages, context), recovery: nil, continuation: Continuation::NONE, delay: 0,
        foreign: false)
        @agent = agent
        @provider = provider
        @model = model
        @config = config
        @messages = messages
        @context = context
        @run_context = run_context
        @core_agent = core_agent
        @recovery = recovery
        @continuation = continuation
        @delay = delay
        @foreign = foreign
      end

      # Asks the agent's guardrails about what the user says.
      #
      # @param said [Array<Hash{Symbol=>Object}>] of the conversation
      # @return [void]
      # @raise [Errors::InputGuardrailError]
      def check_input(said = messages)
        @core_agent.check_input(said)
      end

      # Asks the agent's guardrails about the answer.
      #
      # @param text [String]
      # @return [String] the answer, perhaps filtered
      # @raise [Errors::OutputGuardrailError]
      def check_output(text)
        @core_agent.check_output(text)
      end

      # Tells the agent's hooks. Any thread.
      #
      # @param name [Symbol] such as :on_end
      # @param arguments [Array<Object>]
      # @return [void]
      def call_hook(name, *arguments)
        @core_agent.call_hook(name, *arguments)
      end

      # Tells the hooks of both agents.
      #
      # @param other [Agent] who answers from now on
      # @return [void]
      def call_handoff_hooks(other)
        @core_agent.call_handoff_hooks(other)
      end

      # Tells the agent's hooks, and writes the question. Sends nothing yet. Where a circuit breaker is open, the native
      # stream is one that ends with that error, and sends nothing at all.
      #
      # @param first_seq [Integer] number of the first chunk
      # @param before [NativeStream, nil] an ended one of the same run, whose text the answer goes on with
      # @return [NativeStream]
      # @raise [Errors::ConfigurationError, ArgumentError]
      def prepare(first_seq = 1, before = nil)
        call_hook(:on_start)
        @request = permitted(build_request)
        native = NativeStream.prepare(native_request(@request), run_context, first_seq, before)
        native.partial_arguments = PartialArguments.new if @config.partial_arguments
        native
      end

      # Sends it, or has it wait for the run's place.
      #
      # @param native [NativeStream] prepared here
      # @param live [LiveRun] the run
      # @return [void]
      # @raise [Errors::StreamLimitError] before anything is sent
      def start(native, live)
        live.start(native, details)
      rescue Errors::StreamLimitError
        give_back
        raise
      end

      # @return [NativeAnalytics::Record, nil] of a run that is to begin with this call; nil: it is not to be counted
      def record
        NativeAnalytics::Record.new(@request[:provider], @request[:model]) if @config.analytics
      end

      # The same question later in the conversation.
      #
      # @param more [Array<Hash{Symbol=>Object}>] what was said since
      # @param agent [Agent] who answers now
      # @param provider [#build_request]
      # @param model [String]
      # @return [ModelCall]
      def next(more, agent: @agent, provider: @provider, model: @model)
        all = messages + more
        self.class.new(agent: agent, provider: provider, model: model, config: config, context: context,
          messages: all, run_context: run_context, core_agent: @core_agent.next(agent, all), recovery: @recovery,
          foreign: @foreign && provider.equal?(@provider))
      end

      # The same question once more.
      #
      # @param provider [#build_request] who is asked
      # @param model [String]
      # @param foreign [Boolean] see {#initialize}
      # @param said [String] what is there of the answer already
      # @param delay [Numeric] seconds to wait before it is sent
      # @return [ModelCall]
      def again(provider:, model:, foreign:, said:, delay:)
        self.class.new(agent: agent, provider: provider, model: model, config: config, context: context,
          messages: messages, run_context: run_context, core_agent: @core_agent, recovery: @recovery,
          continuation: Continuation.new(said), delay: delay, foreign: foreign)
      end

      # @return [Boolean] whether its circuit breaker is open
      def refused?
        @refused
      end

      # Tells the circuit breaker how the call has ended. What is not the provider's failure counts neither way.
      #
      # @param error [Exception, nil] nil: well
      # @return [void]
      def ended(error)
        permit = @permit or return
        @permit = nil
        case error
        when nil then permit.success
        when Errors::ProviderError then permit.failure(error)
        else permit.cancel
        end
      end

      # Nobody will learn how the call ends.
      #
      # @return [void]
      def give_back
        permit = @permit or return
        @permit = nil
        permit.cancel
      end

      # Whether another call can go on where this answer has broken off. An answer in JSON can only be begun anew.
      #
      # @param native [NativeStream] ended
      # @return [Boolean]
      def can_go_on?(native)
        format = @agent.request_settings[:response_format].to_h.transform_keys(&:to_sym)
        config.retain_text && ["", "text"].include?(format[:type].to_s) && native.outcome[:choices].size < 2
      end

      # @param native [NativeStream]
      # @return [String] this answer, as far as it was delivered
      def turn_text(native)
        @continuation.text + native.turn_text
      end

      # @return [Tool::Set] what the model may call
      def tools
        @tools ||= Tool::Set.new(@agent, context)
      end

      # @return [Integer] requests to a model in one run, as the agent has it
      def max_turns
        (agent.max_turns if agent.respond_to?(:max_turns)) || MAX_TURNS
      end

      # @return [Hash{Symbol=>String}] :provider and :model, for errors
      def details
        {provider: @request[:provider], model: @request[:model]}
      end

      # What went wrong, as an exception.
      #
      # @param outcome [Hash] NativeStream#outcome
      # @param partial_text [String] what had been delivered
      # @return [Exception]
      def error(outcome, partial_text)
        return @request[:error] if outcome[:code] == :scripted && @request[:error]

        own = own_failure(outcome, partial_text)
        return own if own

        ErrorFactory.build(outcome, provider: @request[:provider], model: @request[:model],
          secrets: @request[:secrets] || [], partial_text: partial_text)
      end

      # The calls of the first choice.
      #
      # @param native [NativeStream]
      # @return [Array<Hash{Symbol=>Object}>] :id, :name, :arguments, :raw_arguments, :index. A provider that gives its
      #   calls no ids gets one from us: results are found by it
      def tool_calls(native)
        native.tool_calls.select { |chunk| chunk.choice.zero? }.map do |chunk|
          {id: chunk.tool_id || "call_#{chunk.seq}", name: chunk.tool_name, arguments: chunk.arguments,
           raw_arguments: chunk.raw_arguments, index: chunk.tool_index}
        end
      end

      # @param native [NativeStream] ended well
      # @param instead [String, nil] what a guardrail made of it
      # @return [Hash{Symbol=>Object}] what the model said in this call, for the conversation
      def assistant_message(native, instead = nil)
        kept = @continuation.place(parts(native.outcome))
        kept = leading(kept) if kept && instead
        Result.assistant_message(instead || turn_text(native), tool_calls: tool_calls(native), parts: kept)
      end

      # What the run came to.
      #
      # @param native [NativeStream] ended
      # @param text [String] the whole run's
      # @param instead [String, nil] what a guardrail made of this call's answer
      # @param whole [Hash{Symbol=>Object}] what {Run} knows of all its calls
      # @return [Result]
      def result(native, text, instead: nil, **whole)
        outcome = native.outcome
        Result.new(messages: messages + [assistant_message(native, instead)], final_output: text,
          finish_reason: outcome[:finish_reason], tool_calls: tool_calls(native), choices: choices(native, outcome),
          refusal: outcome[:refusal], request_id: ErrorFactory.request_id(outcome[:headers]),
          stream_id: run_context.stream_id, model: @request[:model], provider: @request[:provider],
          timings: outcome[:timings].compact, attempts: outcome[:attempts], last_agent: @agent, **whole)
      end

      # @param outcome [Hash] NativeStream#outcome
      # @return [Hash{Symbol=>Object}, nil] token counts and the provider's own under :raw; nil: it sent none
      def usage(outcome)
        return unless outcome[:usage]

        outcome[:usage].merge(raw: parse_usage(outcome[:usage_json])).compact
      end

      # @return [String] short: no header, no key, no word of the conversation
      def inspect
        "#<#{self.class.name} provider=#{@provider.name.inspect} model=#{@model.inspect}>"
      end

      private

      # What the provider's own Ruby code raised, where it has any, says more than what the native part saw of it.
      def own_failure(outcome, partial_text)
        return unless %i[http_status provider_error].include?(outcome[:code])

        exception = @request[:failure]&.call
        return unless exception

        CoreTranslation.of_provider(exception, provider: @request[:provider], model: @request[:model],
          secrets: @request[:secrets] || [], partial_text: partial_text)
      end

      def build_request
        instructions = @agent.instructions_for(context, include_context: @config.context_in_instructions)
        system = instructions ? [{role: "system", content: instructions}] : []
        settings = @agent.request_settings
        settings = settings.except(*OWN_SETTINGS) if @foreign
        @written_on = writes_on?(settings)
        said = messages.map { |message| Messages.with_speaker(message) } + @continuation.messages(@written_on)
        @provider.build_request(messages: system + said, model: @model, settings: settings, tools: tools.schemas)
      end

      def writes_on?(settings)
        provider = @provider #: untyped
        provider.respond_to?(:writes_on?) && provider.writes_on?(@model, settings)
      end

      def permitted(request)
        @permit = @recovery&.breakers&.acquire(request, @provider)
        @refused = false
        request
      rescue Errors::CircuitOpenError => e
        @refused = true
        error = Errors::CircuitOpenError.new(e.message, retry_after: e.retry_after, **request.slice(:provider, :model))
        request.merge(script: [], error: error)
      end

      def dialect
        @request[:dialect] || @provider.dialect
      end

      def counted_as
        @request.values_at(:provider, :model) if @config.analytics
      end

      def native_request(request)
        native = {dialect: dialect, limits: limits, said: @continuation.repeatable(@written_on), counted_as: counted_as}
        if request[:script]
          # A mock's chunks come exactly as asked for.
          native.merge(script: request[:script], script_fails: !request[:error].nil?,
            limits: limits.merge(coalesce_chars: nil))
        else
          proxy = (request[:proxy] == false) ? nil : @config.proxy_for(request[:url])
          # The name that is looked up is the proxy's, where there is one.
          native.merge(request.slice(:url, :headers, :body), host: URI(proxy || request[:url]).hostname,
            proxy: proxy, ca_file: @config.effective_ca_file)
        end
      end

      def limits
        @limits ||= TIMES.transform_values { |key| @config.public_send(key) }
          .merge(SIZES.transform_values { |key| @config.public_send(key) })
          .merge(coalesce: @config.chunk_buffer_timeout / 1000.0, coalesce_chars: @config.chunk_buffer_size,
            coalesce_cut: @config.chunk_buffer_cut, retain_text: @config.retain_text,
            skip_malformed: @config.malformed_events == :skip, raw_events: @config.raw_events, start_delay: @delay,
            recovers: !@recovery.nil?)
      end

      # What the same provider gets back in the next turn.
      def parts(outcome)
        json = outcome[:parts]
        items = json ? ForeignJSON.parse(json) : []
        field, reasoning = @request[:reasoning_field], outcome[:reasoning]
        items.unshift({at: 0, part: {field => reasoning}}) if field && reasoning
        {provider: @request[:provider], dialect: dialect, items: items} unless items.empty?
      end

      # The places of parts are counted in what was said; before all of it is a place in any text.
      def leading(parts)
        items = parts[:items].select { |item| item[:at].zero? }
        parts.merge(items: items) unless items.empty?
      end

      # Only where there are several; of one the Result knows all.
      def choices(native, outcome)
        texts = outcome[:choices]
        return if texts.size < 2

        called = native.tool_calls.group_by(&:choice)
        texts.sort.map do |index, text|
          reason = FinishReason.normalize(outcome[:finish_reasons][index], tool_calls: called.key?(index))
          {index: index, text: text.to_s, finish_reason: reason}
        end
      end

      # The counts have been read from it; an answer shall not be lost because the rest is odd.
      def parse_usage(json)
        ForeignJSON.parse(json) if json
      rescue JSON::ParserError
        nil
      end
    end
  end
end
