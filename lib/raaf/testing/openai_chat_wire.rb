# frozen_string_literal: true

require "json"
require "securerandom"

module RAAF
  module Testing
    # Writes OpenAI chat-completions events as they stand on the wire: `data: {…}` and a blank line.
    #
    # One object is one answer: every event carries the same `id`, `created` and `model`.
    # Field names: OpenAI's API reference for the chat completion chunk object; `reasoning_content`
    # (DeepSeek, vLLM), `reasoning` (Groq, Ollama) and `reasoning_details` (OpenRouter) are extensions
    # of those servers.
    #
    # @example
    #   wire = RAAF::Testing::OpenAIChatWire.new(model: "gpt-4o")
    #   [wire.role, wire.content("Hel"), wire.content("lo"), wire.finish("stop"), wire.done].join
    class OpenAIChatWire
      # The content type of its streams.
      CONTENT_TYPE = "text/event-stream; charset=utf-8"

      # What ends a stream in this format.
      DONE = "data: [DONE]\n\n"

      # The fields in which servers of this family send reasoning.
      REASONING_FIELDS = %i[reasoning_content reasoning reasoning_details].freeze

      # @return [String] the answer's id, in every event
      attr_reader :id
      # @return [String] the model's name, in every event
      attr_reader :model
      # @return [Integer] seconds since the epoch, in every event
      attr_reader :created

      # @param model [String] the model's name to show
      # @param id [String, nil] nil: a random one
      # @param created [Integer, nil] seconds since the epoch; nil: now
      def initialize(model: "gpt-4o", id: nil, created: nil)
        @model = model.to_s
        @id = id || "chatcmpl-#{SecureRandom.alphanumeric(24)}"
        @created = created || Time.now.to_i
      end

      # The first event of an answer.
      # @param role [String]
      # @return [String] one event
      def role(role = "assistant")
        delta({role: role, content: ""})
      end

      # @param text [String] valid UTF-8; may be empty
      # @return [String] one event
      # @raise [JSON::GeneratorError] where the text is no valid UTF-8
      def content(text)
        delta({content: text})
      end

      # @param text [String]
      # @return [String] one event
      def refusal(text)
        delta({refusal: text})
      end

      # @param text [String]
      # @param field [Symbol] one of {REASONING_FIELDS}: which server to imitate
      # @return [String] one event
      # @raise [ArgumentError] for a field no server uses
      def reasoning(text, field: :reasoning_content)
        delta(reasoning_delta(text, field))
      end

      # The events of one tool call. OpenAI sends the name first and the arguments in fragments;
      # other servers send all of it at once.
      #
      # @param name [String]
      # @param id [String, nil] nil: a random one
      # @param arguments [String, Hash, Array<String>] JSON text, an object to be written as JSON,
      #   or fragments of JSON text, one an event
      # @param index [Integer, false] the call's place; false leaves it out, as older servers do
      # @param whole [Boolean] name and all arguments in one event
      # @return [Array<String>] events
      def tool_call(name:, id: nil, arguments: "{}", index: 0, whole: false)
        fragments = argument_fragments(arguments)
        first = {id: id || "call_#{SecureRandom.alphanumeric(24)}", type: "function"}
        return [tool_delta(index, first, name: name, arguments: fragments.join)] if whole

        [tool_delta(index, first, name: name, arguments: "")] +
          fragments.map { |fragment| tool_delta(index, {}, arguments: fragment) }
      end

      # @param reason [String] stop, length, tool_calls, content_filter, function_call
      # @return [String] one event with an empty delta
      def finish(reason = "stop")
        delta({}, finish_reason: reason)
      end

      # The event that stands between finish and done where `stream_options.include_usage` is set.
      # @param usage [Hash] prompt_tokens, completion_tokens, … in tokens; a missing total is added
      # @return [String] one event without choices
      def usage(usage)
        "data: #{head},\"choices\":[],\"usage\":#{JSON.generate(complete_usage(usage))}}\n\n"
      end

      # An error inside a stream that began with status 200.
      # @param message [String]
      # @param type [String]
      # @param code [String, Integer, nil]
      # @param param [String, nil]
      # @return [String] one event
      def error(message:, type: "server_error", code: nil, param: nil)
        event({error: {message: message, type: type, param: param, code: code}})
      end

      # @return [String] {DONE}
      def done
        DONE
      end

      # Any delta, for fields without a method here.
      # @param delta [Hash] what stands in `choices[0].delta`
      # @param finish_reason [String, nil]
      # @return [String] one event
      def delta(delta, finish_reason: nil)
        "data: #{head},\"choices\":[{\"index\":0,\"delta\":#{JSON.generate(delta)},\"logprobs\":null," \
          "\"finish_reason\":#{finish_reason ? JSON.generate(finish_reason) : "null"}}]}\n\n"
      end

      # @param data [Hash] any JSON object
      # @return [String] the object as one event
      def event(data)
        "data: #{JSON.generate(data)}\n\n"
      end

      # The whole answer as one object: what a server sends where `stream` is false.
      # @param content [String, nil]
      # @param reasoning [String, nil]
      # @param refusal [String, nil]
      # @param tool_calls [Array<Hash>] each with :id, :name and :arguments, as for {#tool_call}
      # @param finish_reason [String]
      # @param usage [Hash, nil]
      # @return [Hash] a chat.completion object
      def completion(content:, reasoning: nil, refusal: nil, tool_calls: [], finish_reason: "stop", usage: nil)
        message = {role: "assistant", content: content, refusal: refusal} #: Hash[Symbol, untyped]
        message[:reasoning_content] = reasoning if reasoning
        message[:tool_calls] = tool_calls.map { |call| whole_tool_call(**call) } unless tool_calls.empty?
        choice = {index: 0, message: message, logprobs: nil, finish_reason: finish_reason}
        completion = {id: id, object: "chat.completion", created: created, model: model, choices: [choice]}
        usage ? completion.merge(usage: complete_usage(usage)) : completion
      end

      private

      # What every event begins with, its brace left open. Written once an answer: a busy server spends most
      # of its time on these bytes.
      def head
        @head ||= JSON.generate({id: id, object: "chat.completion.chunk", created: created, model: model}).chop
      end

      def reasoning_delta(text, field)
        case field
        when :reasoning_content, :reasoning then {field => text}
        when :reasoning_details
          {reasoning: text, reasoning_details: [{type: "reasoning.text", text: text, index: 0}]}
        else
          raise ArgumentError, "no server sends reasoning in #{field.inspect}; use one of #{REASONING_FIELDS.inspect}"
        end
      end

      def tool_delta(index, head, function)
        place = index ? {index: index} : {}
        delta({tool_calls: [place.merge(head, function: function)]})
      end

      def whole_tool_call(name:, id: nil, arguments: "{}", **)
        function = {name: name, arguments: argument_fragments(arguments).join}
        {id: id || "call_#{SecureRandom.alphanumeric(24)}", type: "function", function: function}
      end

      def argument_fragments(arguments)
        case arguments
        when Hash then [JSON.generate(arguments)]
        when Array then arguments
        else [arguments.to_s]
        end
      end

      def complete_usage(usage)
        counted = usage[:prompt_tokens] && usage[:completion_tokens]
        return usage if usage.key?(:total_tokens) || !counted

        usage.merge(total_tokens: usage[:prompt_tokens] + usage[:completion_tokens])
      end
    end
  end
end
