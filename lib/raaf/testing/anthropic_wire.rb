# frozen_string_literal: true

require "json"
require "securerandom"

module RAAF
  module Testing
    # Writes the events of Anthropic's Messages API as they stand on the wire: `event: …`, `data: {…}` and a blank line.
    #
    # One object is one answer, and knows which block of it is open: text and reasoning go on in theirs until something
    # else comes, which ends it. Numbers of tokens and reasons to finish are given in OpenAI's words, as to every wire.
    # Source of the events: Anthropic's page "Streaming messages".
    #
    # @example
    #   wire = RAAF::Testing::AnthropicWire.new(model: "claude-sonnet-5")
    #   [wire.role, wire.content("Hel"), wire.content("lo"), wire.finish("stop"), wire.done].join
    class AnthropicWire
      # The content type of its streams.
      CONTENT_TYPE = "text/event-stream; charset=utf-8"

      # Reasons to finish: OpenAI's word => Anthropic's. Any other is sent as it is.
      REASONS = {"stop" => "end_turn", "length" => "max_tokens", "tool_calls" => "tool_use",
                 "content_filter" => "refusal"}.freeze

      # HTTP status => type of an error. Source: Anthropic's page "Errors".
      ERROR_TYPES = {400 => "invalid_request_error", 401 => "authentication_error", 402 => "billing_error",
                     403 => "permission_error", 404 => "not_found_error", 413 => "request_too_large",
                     429 => "rate_limit_error", 504 => "timeout_error", 529 => "overloaded_error"}.freeze

      # @return [String] the answer's id
      attr_reader :id
      # @return [String] the model's name
      attr_reader :model

      # @param status [Integer] an HTTP status
      # @param message [String]
      # @return [String] the body of such an error, as Anthropic writes it: JSON
      def self.error_body(status, message)
        type = ERROR_TYPES.fetch(status) { (status >= 500) ? "api_error" : "invalid_request_error" }
        JSON.generate({type: "error", error: {type: type, message: message}, request_id: nil})
      end

      # @param model [String] the model's name to show
      # @param id [String, nil] nil: a random one
      def initialize(model: "claude-sonnet-5", id: nil)
        @model = model.to_s
        @id = id || "msg_#{SecureRandom.alphanumeric(24)}"
        @refusal = +""
        @next_index = 0
      end

      # The first event of an answer, without usage.
      # @param role [String]
      # @return [String] one event
      def role(role = "assistant")
        event({type: "message_start", message: message(role: role, content: [])})
      end

      # @param text [String] valid UTF-8; may be empty
      # @return [String] events
      # @raise [JSON::GeneratorError] where the text is no valid UTF-8
      def content(text)
        in_block("text", {text: ""}) + piece({type: "text_delta", text: text})
      end

      # @param text [String]
      # @return [String] events; the signature comes with the block's end
      def reasoning(text, **)
        in_block("thinking", {thinking: "", signature: ""}) + piece({type: "thinking_delta", thinking: text})
      end

      # There is no such event: the words stand in the one of {#finish}, as the explanation of a refusal.
      # @param text [String]
      # @return [String] ""
      def refusal(text)
        @refusal << text
        ""
      end

      # A block of any type that comes whole: a server tool's, redacted thinking.
      # @param block [Hash] with its type
      # @return [String] events
      def block(block)
        end_block + start_block(block) + end_block
      end

      # The events of one tool call.
      #
      # @param name [String]
      # @param id [String, nil] nil: a random one
      # @param arguments [String, Hash, Array<String>] JSON text, an object to be written as JSON, or fragments of JSON
      #   text, one an event
      # @param index [Integer, false, nil] the block's, where that is larger than the next one's
      # @param whole [Boolean] all arguments in the event of its start
      # @return [Array<String>] events
      def tool_call(name:, id: nil, arguments: "{}", index: nil, whole: false)
        ended = end_block
        @next_index = [@next_index, index || 0].max
        call = {type: "tool_use", id: id || "toolu_#{SecureRandom.alphanumeric(24)}", name: name, input: {}}
        fragments = argument_fragments(arguments)
        start = start_block(whole ? call.merge(input: JSON.parse(fragments.join)) : call)
        pieces = whole ? [] : fragments.map { |json| piece({type: "input_json_delta", partial_json: json}) }
        [ended, start, *pieces, end_block].reject(&:empty?)
      end

      # @param reason [String] OpenAI's word, or Anthropic's
      # @return [String] events
      def finish(reason = "stop")
        refused = !@refusal.empty?
        reason = refused ? "refusal" : REASONS.fetch(reason, reason)
        details = {type: "refusal", category: nil, explanation: @refusal} if refused
        end_block + event({type: "message_delta",
                           delta: {stop_reason: reason, stop_sequence: nil, stop_details: details}})
      end

      # Usage by itself: in the API it comes with the finish reason, and the start has some, too.
      # @param usage [Hash] as OpenAI counts: prompt_tokens, completion_tokens, prompt_tokens_details, …
      # @return [String] one event
      def usage(usage)
        event({type: "message_delta", delta: {stop_reason: nil, stop_sequence: nil}, usage: own_usage(usage)})
      end

      # @return [String] the terminal event
      def done
        event({type: "message_stop"})
      end

      # An error inside a stream that began with status 200.
      # @param message [String]
      # @param type [String]
      # @param _others [Hash] code and param, for which there is no field
      # @return [String] one event
      def error(message:, type: "api_error", **_others)
        event({type: "error", error: {type: type, message: message}})
      end

      # A piece of any type, of the block that is open, for those without a method here.
      # @param delta [Hash] what stands in `delta`
      # @return [String] one event
      def delta(delta)
        @open ? piece(delta) : in_block("text", {text: ""}) + piece(delta)
      end

      # @param data [Hash] any JSON object with a type
      # @return [String] the object as one event
      def event(data)
        "event: #{data[:type]}\ndata: #{JSON.generate(data)}\n\n"
      end

      # The whole answer as one object: what a server sends where `stream` is false.
      # @param content [String, nil]
      # @param reasoning [String, nil]
      # @param refusal [String, nil]
      # @param tool_calls [Array<Hash>] each with :id, :name and :arguments, as for {#tool_call}
      # @param finish_reason [String] OpenAI's word, or Anthropic's
      # @param usage [Hash, nil] as for {#usage}
      # @return [Hash] a message
      def completion(content:, reasoning: nil, refusal: nil, tool_calls: [], finish_reason: "stop", usage: nil)
        blocks = [reasoning && {type: "thinking", thinking: reasoning, signature: signature},
          content && {type: "text", text: content}, *tool_calls.map { |call| whole_tool_call(**call) }].compact
        whole = message(role: "assistant", content: blocks)
        whole[:stop_reason] = refusal ? "refusal" : REASONS.fetch(finish_reason, finish_reason)
        whole[:stop_details] = {type: "refusal", category: nil, explanation: refusal} if refusal
        usage ? whole.merge(usage: own_usage(usage)) : whole
      end

      private

      def message(role:, content:)
        {id: id, type: "message", role: role, model: model, content: content, stop_reason: nil, stop_sequence: nil}
      end

      # Goes on in the open block if it is of that type, else begins one.
      def in_block(type, fields)
        (@open == type) ? "" : end_block + start_block({type: type, **fields})
      end

      def start_block(block)
        @open = block[:type]
        @index = @next_index
        @next_index += 1
        event({type: "content_block_start", index: @index, content_block: block})
      end

      def end_block
        return "" unless @open

        signed = (@open == "thinking") ? piece({type: "signature_delta", signature: signature}) : ""
        @open = nil
        signed + event({type: "content_block_stop", index: @index})
      end

      def piece(delta)
        event({type: "content_block_delta", index: @index, delta: delta})
      end

      # Made up, and the same throughout the answer.
      def signature
        @signature ||= "Sig#{id}"
      end

      def whole_tool_call(name:, id: nil, arguments: "{}", **)
        {type: "tool_use", id: id || "toolu_#{SecureRandom.alphanumeric(24)}", name: name,
         input: JSON.parse(argument_fragments(arguments).join)}
      end

      def argument_fragments(arguments)
        case arguments
        when Hash then [JSON.generate(arguments)]
        when Array then arguments
        else [arguments.to_s]
        end
      end

      def own_usage(usage)
        cached, written = usage.fetch(:prompt_tokens_details, {}).values_at(:cached_tokens, :cache_write_tokens)
        reasoning = usage.dig(:completion_tokens_details, :reasoning_tokens)
        {input_tokens: usage[:prompt_tokens] && (usage[:prompt_tokens] - cached.to_i - written.to_i),
         cache_creation_input_tokens: written, cache_read_input_tokens: cached,
         output_tokens: usage[:completion_tokens],
         output_tokens_details: reasoning && {thinking_tokens: reasoning}}.compact
      end
    end
  end
end
