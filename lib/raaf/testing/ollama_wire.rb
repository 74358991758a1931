# frozen_string_literal: true

require "json"
require "time"

module RAAF
  module Testing
    # Writes Ollama's lines as they stand on the wire: a JSON object and a line end.
    #
    # One object is one answer. Finish reason, usage and the end stand in one line: {#finish} and {#usage} give "" and
    # are written by {#done}. Field names: Ollama's API reference for /api/chat.
    #
    # @example
    #   wire = RAAF::Testing::OllamaWire.new(model: "llama3.2")
    #   [wire.content("Hel"), wire.content("lo"), wire.finish("stop"), wire.done].join
    class OllamaWire
      # The content type of its streams.
      CONTENT_TYPE = "application/x-ndjson"

      # The names of counts, OpenAI's and Ollama's.
      COUNTS = {prompt_tokens: :prompt_eval_count, completion_tokens: :eval_count}.freeze

      private_constant :COUNTS

      # @param _status [Integer] the HTTP status
      # @param message [String]
      # @return [String] the body of an error response
      def self.error_body(_status, message)
        JSON.generate({error: message})
      end

      # @return [String] the model's name, in every line
      attr_reader :model

      # @param model [String] the model's name to show
      # @param created_at [Time] in every line
      def initialize(model: "llama3.2", created_at: Time.now)
        @model = model.to_s
        @created_at = created_at.utc.iso8601(6)
        @ending = {} #: Hash[Symbol, untyped]
      end

      # @return [String] "": the role stands in every line
      def role(_role = "assistant")
        ""
      end

      # @param text [String] valid UTF-8; may be empty
      # @return [String] one line
      # @raise [JSON::GeneratorError] where the text is no valid UTF-8
      def content(text)
        delta({content: text})
      end

      # @param text [String]
      # @param field [Symbol] of no meaning here
      # @return [String] one line
      def reasoning(text, field: nil) # rubocop:disable Lint/UnusedMethodArgument
        delta({content: "", thinking: text})
      end

      # @return [String] "": Ollama's words of refusal are text like any other
      def refusal(_text)
        ""
      end

      # The line of one tool call: Ollama sends it whole.
      #
      # @param name [String]
      # @param id [String, nil] nil: none, as with older servers
      # @param arguments [String, Hash, Array<String>] JSON text, an object, or fragments of JSON text to be joined.
      #   What is no JSON is sent as a String, which no server does
      # @param index [Integer, false] the call's place; false leaves it out, as older servers do
      # @return [Array<String>] one line
      def tool_call(name:, id: nil, arguments: "{}", index: 0, **)
        [delta({content: "", tool_calls: [call(name, id, arguments, index)]})]
      end

      # @param reason [String] stop, length
      # @return [String] "": see {#done}. Ollama says "stop" for tool calls too
      def finish(reason = "stop")
        @ending[:done_reason] = (reason == "tool_calls") ? "stop" : reason
        ""
      end

      # @param usage [Hash] prompt_tokens and completion_tokens, in tokens
      # @return [String] "": see {#done}
      def usage(usage)
        @ending.update(counts(usage))
        ""
      end

      # An error inside a stream that began with status 200.
      # @param message [String]
      # @return [String] one line
      def error(message:, **)
        "#{JSON.generate({error: message})}\n"
      end

      # @return [String] the last line, with the finish reason and the counts
      def done
        line({content: ""}, done: true, **@ending)
      end

      # Any message, for fields without a method here.
      # @param message [Hash] what stands in `message` besides the role
      # @return [String] one line
      def delta(message)
        line(message, done: false)
      end

      # The whole answer as one object: what a server sends where `stream` is false.
      # @param content [String, nil]
      # @param reasoning [String, nil]
      # @param tool_calls [Array<Hash>] as for {#tool_call}
      # @param finish_reason [String]
      # @param usage [Hash, nil]
      # @return [Hash] a ChatResponse
      def completion(content:, reasoning: nil, tool_calls: [], finish_reason: "stop", usage: nil, **)
        message = {content: content.to_s, thinking: reasoning} #: Hash[Symbol, untyped]
        calls = tool_calls.map { |one| call(one[:name], one[:id], one[:arguments] || {}, one[:index] || false) }
        message[:tool_calls] = calls unless calls.empty?
        finish(finish_reason)
        usage(usage) if usage
        object(message.compact, done: true, **@ending)
      end

      private

      def line(message, **fields)
        "#{JSON.generate(object(message, **fields))}\n"
      end

      def object(message, **fields)
        {model: model, created_at: @created_at, message: {role: "assistant"}.merge(message), **fields}
      end

      def call(name, id, arguments, index)
        {id: id, function: {index: index || nil, name: name, arguments: object_of(arguments)}.compact}.compact
      end

      def object_of(arguments)
        return arguments if arguments.is_a?(Hash)

        text = Array(arguments).join
        JSON.parse(text)
      rescue JSON::ParserError
        text
      end

      def counts(usage)
        usage.slice(*COUNTS.keys).transform_keys { |name| COUNTS.fetch(name) }
      end
    end
  end
end
