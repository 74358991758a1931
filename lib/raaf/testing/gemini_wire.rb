# frozen_string_literal: true

require "json"
require "securerandom"

module RAAF
  module Testing
    # Writes Gemini's events as they stand on the wire: each a whole response in `data: {…}`, with CRLF.
    #
    # One object is one answer: every event carries the same `responseId` and `modelVersion`. Gemini has no event for a
    # role, a refusal and the end; there the methods give "".
    # Field names: Google's API reference for GenerateContentResponse.
    #
    # @example
    #   wire = RAAF::Testing::GeminiWire.new(model: "gemini-2.5-flash")
    #   [wire.content("Hel"), wire.content("lo"), wire.finish("stop")].join
    class GeminiWire
      # The content type of its streams.
      CONTENT_TYPE = "text/event-stream"

      # OpenAI's finish reasons, and Gemini's. A word that is not among them is written in capitals.
      REASONS = {"stop" => "STOP", "tool_calls" => "STOP", "length" => "MAX_TOKENS",
                 "content_filter" => "SAFETY"}.freeze

      # The names of counts, OpenAI's and Gemini's.
      COUNTS = {prompt_tokens: :promptTokenCount, completion_tokens: :candidatesTokenCount,
                reasoning_tokens: :thoughtsTokenCount, cached_tokens: :cachedContentTokenCount,
                total_tokens: :totalTokenCount}.freeze

      # HTTP statuses, and the names that errors have. Source: Google's AIP-193 and google.rpc.Code.
      STATUSES = {400 => "INVALID_ARGUMENT", 401 => "UNAUTHENTICATED", 403 => "PERMISSION_DENIED", 404 => "NOT_FOUND",
                  429 => "RESOURCE_EXHAUSTED", 500 => "INTERNAL", 503 => "UNAVAILABLE",
                  504 => "DEADLINE_EXCEEDED"}.freeze

      private_constant :REASONS, :COUNTS, :STATUSES

      # @param status [Integer] the HTTP status
      # @param message [String]
      # @return [String] the body of an error response
      def self.error_body(status, message)
        JSON.generate({error: {code: status, message: message, status: STATUSES.fetch(status, "UNKNOWN")}})
      end

      # @return [String] the answer's id, in every event
      attr_reader :id
      # @return [String] the model's name, in every event
      attr_reader :model

      # @param model [String] the model's name to show
      # @param id [String, nil] nil: a random one
      def initialize(model: "gemini-2.5-flash", id: nil)
        @model = model.to_s
        @id = id || SecureRandom.urlsafe_base64(16)
      end

      # @return [String] "": the role stands in every event
      def role(_role = "model")
        ""
      end

      # @param text [String] valid UTF-8; may be empty
      # @return [String] one event
      # @raise [JSON::GeneratorError] where the text is no valid UTF-8
      def content(text)
        delta({text: text})
      end

      # @param text [String]
      # @param field [Symbol] of no meaning here
      # @return [String] one event
      def reasoning(text, field: nil) # rubocop:disable Lint/UnusedMethodArgument
        delta({text: text, thought: true})
      end

      # @return [String] "": Gemini's words of refusal are text like any other
      def refusal(_text)
        ""
      end

      # The event of one tool call: Gemini sends it whole.
      #
      # @param name [String]
      # @param id [String, nil] nil: none, as with most models
      # @param arguments [String, Hash, Array<String>] JSON text, an object, or fragments of JSON text to be joined
      # @param signature [String, nil] of the thoughts that led to it (`thoughtSignature`)
      # @return [Array<String>] one event
      # @raise [ArgumentError] for arguments that are no JSON: this format cannot carry them
      def tool_call(name:, id: nil, arguments: "{}", signature: nil, **)
        [delta({functionCall: {id: id, name: name, args: object_of(arguments)}.compact,
                thoughtSignature: signature}.compact)]
      end

      # @param reason [String] stop, length, tool_calls, content_filter, or Gemini's own word
      # @return [String] one event without content
      def finish(reason = "stop")
        event({candidates: [{finishReason: REASONS.fetch(reason) { reason.upcase }, index: 0}]})
      end

      # @param usage [Hash] in tokens: prompt_tokens, completion_tokens, reasoning_tokens (a part of the completion's),
      #   cached_tokens, total_tokens; a missing total is added
      # @return [String] one event without candidates
      def usage(usage)
        event({usageMetadata: counts(usage)})
      end

      # An error inside a stream that began with status 200.
      # @param message [String]
      # @param type [String] the status's name, such as "UNAVAILABLE"
      # @param code [Integer, nil]
      # @return [String] one event
      def error(message:, type: "INTERNAL", code: 500, **)
        "data: #{JSON.generate({error: {code: code, message: message, status: type}})}\r\n\r\n"
      end

      # @return [String] "": nothing marks the end
      def done
        ""
      end

      # Any part, for those without a method here.
      # @param part [Hash] what stands in `candidates[0].content.parts`
      # @return [String] one event
      def delta(part)
        event({candidates: [{content: {parts: [part], role: "model"}, index: 0}]})
      end

      # @param data [Hash] any response's fields
      # @return [String] one event
      def event(data)
        "data: #{JSON.generate(data.merge(modelVersion: model, responseId: id))}\r\n\r\n"
      end

      # The whole answer as one object: what a server sends for `generateContent`.
      # @param content [String, nil]
      # @param reasoning [String, nil]
      # @param tool_calls [Array<Hash>] as for {#tool_call}
      # @param finish_reason [String]
      # @param usage [Hash, nil]
      # @return [Hash] a GenerateContentResponse
      def completion(content:, reasoning: nil, tool_calls: [], finish_reason: "stop", usage: nil, **)
        parts = [] #: Array[Hash[Symbol, untyped]]
        parts << {text: reasoning, thought: true} if reasoning
        parts << {text: content} if content
        tool_calls.each do |call|
          parts << {functionCall: {name: call[:name], args: object_of(call[:arguments] || {})}}
        end
        reason = REASONS.fetch(finish_reason) { finish_reason.upcase }
        {candidates: [{content: {parts: parts, role: "model"}, finishReason: reason, index: 0}],
         usageMetadata: usage && counts(usage), modelVersion: model, responseId: id}.compact
      end

      private

      def object_of(arguments)
        return arguments if arguments.is_a?(Hash)

        JSON.parse(Array(arguments).join)
      rescue JSON::ParserError
        raise ArgumentError, "Gemini's format has no arguments that are no JSON: #{arguments.inspect}"
      end

      # Gemini counts thoughts apart from the candidates' tokens.
      def counts(usage)
        known = usage.slice(*COUNTS.keys)
        total = known[:prompt_tokens].to_i + known[:completion_tokens].to_i
        known = {total_tokens: total}.merge(known)
        known[:completion_tokens] = known[:completion_tokens].to_i - known[:reasoning_tokens].to_i
        known.transform_keys { |name| COUNTS.fetch(name) }
      end
    end
  end
end
