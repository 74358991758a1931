# frozen_string_literal: true

require "json"
require "securerandom"

module RAAF
  module Testing
    # Writes the events of OpenAI's Responses as they stand on the wire: `event: …`, `data: {…}` and a blank line.
    #
    # One object is one answer. It knows what it has said so far, because each text and each item is repeated when it
    # ends, and everything once more in the last event, which is {#done}. Reasoning, a message and each tool call are
    # items of their own, in the order in which they are written.
    # Field names: OpenAI's API reference, streaming events of the Responses.
    #
    # @example
    #   wire = RAAF::Testing::OpenAIResponsesWire.new(model: "gpt-5")
    #   [wire.role, wire.content("Hel"), wire.content("lo"), wire.finish("stop"), wire.done].join
    class OpenAIResponsesWire
      # The content type of its streams.
      CONTENT_TYPE = "text/event-stream; charset=utf-8"

      # Finish reason => why a response is incomplete. Every other one completes it.
      INCOMPLETE = {"length" => "max_output_tokens", "content_filter" => "content_filter"}.freeze

      # What a text belongs to: the item, its list, the name of its place, the part's type and its key, the names of its
      # events.
      Text = Struct.new(:item, :list, :place, :type, :key, :event, :part_event)

      # The texts there are, by what they are called here.
      TEXTS = {
        content: Text.new("message", :content, :content_index, "output_text", :text, "output_text", "content_part"),
        refusal: Text.new("message", :content, :content_index, "refusal", :refusal, "refusal", "content_part"),
        summary: Text.new("reasoning", :summary, :summary_index, "summary_text", :text, "reasoning_summary_text",
          "reasoning_summary_part"),
        reasoning_text: Text.new("reasoning", :content, :content_index, "reasoning_text", :text, "reasoning_text",
          "content_part")
      }.freeze

      private_constant :Text, :TEXTS

      # @return [String] the response's id
      attr_reader :id
      # @return [String] the model's name
      attr_reader :model
      # @return [Integer] seconds since the epoch
      attr_reader :created

      # @param model [String] the model's name to show
      # @param id [String, nil] nil: a random one
      # @param created [Integer, nil] seconds since the epoch; nil: now
      def initialize(model: "gpt-4o", id: nil, created: nil)
        @model = model.to_s
        @id = id || "resp_#{SecureRandom.hex(16)}"
        @created = created || Time.now.to_i
        @output = []
        @events = 0
        @finish_reason = "stop"
      end

      # The first events of an answer.
      # @return [String] two events
      def role(_role = "assistant")
        %w[created in_progress].map { |name| response_event(name, "in_progress") }.join
      end

      # @param text [String] valid UTF-8; may be empty
      # @return [String] an event, behind those that begin the message
      # @raise [JSON::GeneratorError] where the text is no valid UTF-8
      def content(text)
        piece(:content, text)
      end

      # @param text [String]
      # @return [String] as {#content}
      def refusal(text)
        piece(:refusal, text)
      end

      # @param text [String]
      # @param field [Symbol] :reasoning_text is the reasoning itself, any other its summary
      # @return [String] as {#content}
      def reasoning(text, field: :summary)
        piece((field == :reasoning_text) ? :reasoning_text : :summary, text)
      end

      # The events of one tool call.
      #
      # @param name [String]
      # @param id [String, nil] its call_id; nil: a random one
      # @param arguments [String, Hash, Array<String>] JSON text, an object to be written as JSON, or fragments of JSON
      #   text, one an event
      # @param whole [Boolean] all arguments with the last event, none before
      # @return [Array<String>] events; those before them that end what was open stand in the first
      def tool_call(name:, id: nil, arguments: "{}", whole: false, **)
        fragments = argument_fragments(arguments)
        before = close
        item = call_item(name, id, "")
        events = [before + open_item(item)]
        unless whole
          events += fragments.map { |text| item_event("function_call_arguments.delta", delta: text) }
          events << item_event("function_call_arguments.done", arguments: fragments.join)
        end
        item[:arguments] = fragments.join
        [*events, close]
      end

      # Any item in the provider's own form, such as a web search call.
      # @param item [Hash{Symbol=>Object}] with :type
      # @return [String] events
      def item(item)
        close + open_item(item) + close
      end

      # A source of the text before it.
      # @param url [String]
      # @param title [String]
      # @return [String] one event
      def annotation(url:, title: "")
        added = {type: "url_citation", url: url, title: title, start_index: 0, end_index: 0}
        part = @output.last[:content].last
        part[:annotations] << added
        item_event("output_text.annotation.added", content_index: @output.last[:content].size - 1,
          annotation_index: part[:annotations].size - 1, annotation: added)
      end

      # Ends what is open. Why the answer ended stands in the last event.
      # @param reason [String] stop, length, tool_calls, content_filter
      # @return [String] events
      def finish(reason = "stop")
        @finish_reason = reason
        close
      end

      # The counts stand in the last event.
      # @param usage [Hash] as OpenAI's chat completions have it, or as the Responses do; in tokens
      # @return [String] ""
      def usage(usage)
        @usage = usage.key?(:input_tokens) ? usage : converted_usage(usage)
        ""
      end

      # @return [String] response.completed or response.incomplete, behind what ends the item that is open
      def done
        status = INCOMPLETE.key?(@finish_reason) ? "incomplete" : "completed"
        close + response_event(status, status)
      end

      # An error inside a stream that began with status 200.
      # @param message [String]
      # @param type [String]
      # @param code [String, Integer, nil]
      # @param param [String, nil]
      # @return [String] one event
      def error(message:, type: "server_error", code: nil, param: nil)
        event("error", error: {type: type, code: code, message: message, param: param})
      end

      # Any event, for those without a method here.
      # @param delta [Hash] the event, with its :type
      # @return [String] one event
      def delta(delta)
        event(delta.fetch(:type), **delta.except(:type))
      end

      # @param type [String]
      # @param fields [Hash]
      # @return [String] one event
      def event(type, **fields)
        data = {type: type, sequence_number: @events, **fields}
        @events += 1
        "event: #{type}\ndata: #{JSON.generate(data)}\n\n"
      end

      # The whole answer as one object: what a server sends where `stream` is false.
      # @param content [String, nil]
      # @param reasoning [String, nil]
      # @param refusal [String, nil]
      # @param tool_calls [Array<Hash>] each with :id, :name and :arguments, as for {#tool_call}
      # @param finish_reason [String]
      # @param usage [Hash, nil]
      # @return [Hash] a response object
      def completion(content:, reasoning: nil, refusal: nil, tool_calls: [], finish_reason: "stop", usage: nil)
        self.reasoning(reasoning) if reasoning
        self.content(content) if content
        self.refusal(refusal) if refusal
        tool_calls.each { |call| tool_call(**call) }
        finish(finish_reason)
        self.usage(usage) if usage
        response(INCOMPLETE.key?(finish_reason) ? "incomplete" : "completed")
      end

      private

      def response(status)
        {id: id, object: "response", created_at: created, status: status, error: nil,
         incomplete_details: ({reason: INCOMPLETE[@finish_reason]} if status == "incomplete"),
         model: model, output: @output.map { |item| item.except(:open) }, usage: @usage}
      end

      def response_event(name, status)
        event("response.#{name}", response: response(status))
      end

      def item_event(name, **fields)
        event("response.#{name}", output_index: @output.size - 1, item_id: @output.last[:id], **fields)
      end

      def open?(type)
        @output.any? && @output.last[:open] && @output.last[:type] == type
      end

      # @param item [Hash{Symbol=>Object}] it stays in the output, and may be changed until it is closed
      def open_item(item)
        @output << item
        item[:open] = true
        event("response.output_item.added", output_index: @output.size - 1, item: item.except(:open))
      end

      def text_item(type)
        return {type: type, id: "rs_#{SecureRandom.hex(16)}", summary: []} if type == "reasoning"

        {type: type, id: "msg_#{SecureRandom.hex(16)}", status: "in_progress", role: "assistant", content: []}
      end

      def call_item(name, id, arguments)
        {type: "function_call", id: "fc_#{SecureRandom.hex(16)}", status: "in_progress", arguments: arguments,
         call_id: id || "call_#{SecureRandom.alphanumeric(24)}", name: name}
      end

      # The next piece of a text, which begins where none of its kind is open.
      def piece(kind, text)
        form = TEXTS.fetch(kind)
        before = open?(form.item) ? "" : close + open_item(text_item(form.item))
        before += open_part(form) unless open_part?(form)
        part = @output.last[form.list].last
        part[form.key] << text
        before + item_event("#{form.event}.delta", form.place => place(form), :delta => text)
      end

      def place(form)
        @output.last[form.list].size - 1
      end

      def open_part?(form)
        @part == form && @output.last[form.list].any?
      end

      def open_part(form)
        ended = close_part
        @part = form
        part = {:type => form.type, form.key => +""} #: Hash[Symbol, untyped]
        part[:annotations] = [] if form.type == "output_text"
        (@output.last[form.list] ||= []) << part
        ended + item_event("#{form.part_event}.added", form.place => place(form), :part => part)
      end

      def close_part
        form = @part or return ""
        @part = nil
        part = @output.last[form.list].last
        item_event("#{form.event}.done", form.place => place(form), form.key => part[form.key]) +
          item_event("#{form.part_event}.done", form.place => place(form), :part => part)
      end

      def close
        return "" unless @output.any? && @output.last[:open]

        ended = close_part
        item = @output.last
        item.delete(:open)
        item[:status] = "completed" if item.key?(:status)
        item[:encrypted_content] = "encrypted-#{item[:id]}" if item[:type] == "reasoning"
        ended + event("response.output_item.done", output_index: @output.size - 1, item: item)
      end

      def argument_fragments(arguments)
        case arguments
        when Hash then [JSON.generate(arguments)]
        when Array then arguments
        else [arguments.to_s]
        end
      end

      def converted_usage(usage)
        input, output = usage.values_at(:prompt_tokens, :completion_tokens)
        {input_tokens: input, input_tokens_details: usage[:prompt_tokens_details] || {cached_tokens: 0},
         output_tokens: output, output_tokens_details: usage[:completion_tokens_details] || {reasoning_tokens: 0},
         total_tokens: usage[:total_tokens] || (input + output if input && output)}.compact
      end
    end
  end
end
