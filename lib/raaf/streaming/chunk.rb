# frozen_string_literal: true

require "json"
require_relative "foreign_json"

module RAAF
  module Streaming
    # One piece of an answer, as a block or a handler receives it.
    #
    # The hot part is native: {#type}, {#delta}, {#cumulative}, {#seq}, {#choice}, {#content?}. Text becomes a String
    # when it is asked for. What is here is for the few chunks that are not text, and for code that changes or prints
    # them.
    #
    # The types, and what matters in each:
    #
    # | type               | meaning                                      | read                                    |
    # |--------------------|----------------------------------------------|-----------------------------------------|
    # | `:content`         | a piece of the answer                        | delta, cumulative                       |
    # | `:reasoning`       | a piece of the model's thinking              | delta                                   |
    # | `:refusal`         | a piece of the words by which it refuses     | delta                                   |
    # | `:citation`        | a source                                     | citation                                |
    # | `:tool_call_delta` | a piece of a tool call's arguments           | tool_name, tool_id, tool_index, delta   |
    # | `:tool_call`       | a whole tool call                            | tool_name, tool_id, arguments           |
    # | `:tool_result`     | what a tool answered                         | tool_name, tool_id, result              |
    # | `:status`          | what is going on                             | status, retry_after, metadata           |
    # | `:raw`             | an event nobody knows, where asked for       | raw                                     |
    # | `:handoff`         | another agent goes on                        | handoff                                 |
    # | `:complete`        | the end of a whole answer                    | final_response, usage, finish_reason    |
    # | `:error`           | a failure; {#terminal?} unless a retry comes | error, exception, retry_after           |
    #
    # `delta` is a String in every type, and `cumulative` is the whole text of the answer so far in every type.
    #
    # A `:status` chunk has one of these as its {#status}:
    #
    # * `:retrying`: an attempt has failed, and another begins in {#retry_after} seconds. {#metadata} has attempt (the
    #   number of the retry, from 1), max_retries, delay (the same seconds), reason (such as "429", "connection refused"
    #   or the provider's name for its error) and http_status, where one came. Only before anything else.
    # * `:redirected`: the answer was stopped, and another follows (see {Stream#redirect}).
    # * `:reset`: the answer broke off and begins anew; whoever shows it starts over (see {ResilientRunner}).
    #
    # @example
    #   case chunk
    #   in {type: :content, delta:} then print delta
    #   in {type: :tool_call, tool_name:, arguments:} then puts "#{tool_name}(#{arguments})"
    #   in {type: :complete, usage:} then p usage
    #   in {type: :status, status: :retrying, retry_after:} then warn "again in #{retry_after} s"
    #   in {type: :error, error:, retry_after:} then warn error
    #   else nil
    #   end
    class Chunk
      # The types a chunk can have for an application.
      TYPES = %i[content reasoning refusal citation tool_call_delta tool_call tool_result status handoff raw
        complete error].freeze

      # What can be set from Ruby: by `Chunk.new(type:, …)` or a setter.
      ATTRIBUTES = %i[type delta cumulative seq choice metadata tool_name tool_id tool_index arguments raw_arguments
        result final_response usage finish_reason error exception retry_after session_id user_id
        terminal stream_id citation status handoff raw].freeze

      # The keys of {#to_h}, by type. Source for the first five: the streaming guide, "Stream Chunk Types".
      FIELDS = {
        content: %i[type delta cumulative],
        tool_call: %i[type tool_name tool_id arguments],
        tool_result: %i[type tool_id result],
        complete: %i[type final_response usage],
        error: %i[type error retry_after],
        reasoning: %i[type delta],
        refusal: %i[type delta],
        tool_call_delta: %i[type tool_name tool_id tool_index delta],
        citation: %i[type citation delta],
        status: %i[type status delta],
        handoff: %i[type handoff delta],
        raw: %i[type raw]
      }.each_value(&:freeze).freeze

      # What every chunk answers in pattern matching, and what some types answer besides {FIELDS}.
      COMMON_KEYS = %i[type delta cumulative seq choice metadata stream_id session_id user_id terminal].freeze
      EXTRA_KEYS = {
        tool_call: %i[tool_index raw_arguments],
        tool_result: %i[tool_name tool_index exception],
        complete: %i[finish_reason],
        status: %i[retry_after],
        error: %i[exception]
      }.each_value(&:freeze).freeze

      # Characters of text that {#inspect} shows.
      INSPECT_LENGTH = 40

      private_constant :FIELDS, :COMMON_KEYS, :EXTRA_KEYS, :INSPECT_LENGTH

      # The last chunk of a run that failed, or, with `terminal: false`, the notice of another attempt.
      #
      # @param message [String] for {#delta} and {#error}
      # @param attributes [Hash{Symbol=>Object}] any of {ATTRIBUTES}, such as :exception, :retry_after, :metadata
      # @return [Chunk]
      def self.error(message, **attributes)
        new(type: :error, delta: message, **attributes)
      end

      # @!method type
      #   @return [Symbol] one of {TYPES}
      # @!method delta
      #   @return [String] the new piece of text; "" where the type has none. Of an :error, its message
      # @!method cumulative
      #   @return [String] the whole text of the answer so far, this chunk's included
      # @!method seq
      #   @return [Integer, nil] 1, 2, 3 … within a run; nil for a chunk made by hand
      # @!method choice
      #   @return [Integer] which of several answers (`n` above 1); 0 for the first
      # @!method content?
      #   @return [Boolean] whether this is a piece of the answer's text

      # Every attribute has a setter. It raises FrozenError on a frozen chunk; {#dup} is never frozen.

      # @!method type=(type)
      #   @param type [Symbol] one of {TYPES}
      #   @raise [ArgumentError] for a type that is not known
      #   @return [void]
      # @!method delta=(text)
      #   @param text [String] the new piece of text
      #   @return [void]
      # @!method cumulative=(text)
      #   @param text [String] the text so far
      #   @return [void]
      # @!method seq=(number)
      #   @param number [Integer, nil] the number within the run
      #   @return [void]
      # @!method choice=(number)
      #   @param number [Integer] which of several answers
      #   @return [void]
      # @!method metadata=(hash)
      #   @param hash [Hash{Symbol=>Object}] what is added to stream_id, seq and tool_name, and wins over them
      #   @return [void]
      # @!method tool_name=(name)
      #   @param name [String, nil] the tool's name
      #   @return [void]
      # @!method tool_id=(id)
      #   @param id [String, nil] the provider's id of the call
      #   @return [void]
      # @!method tool_index=(index)
      #   @param index [Integer, nil] the call's place
      #   @return [void]
      # @!method arguments=(hash)
      #   @param hash [Hash{Symbol=>Object}] the call's arguments
      #   @return [void]
      # @!method raw_arguments=(json)
      #   @param json [String] the arguments as JSON
      #   @return [void]
      # @!method result=(result)
      #   @param result [Object] what the tool answered
      #   @return [void]
      # @!method final_response=(text)
      #   @param text [String] the whole answer
      #   @return [void]
      # @!method usage=(counts)
      #   @param counts [Hash{Symbol=>Object}] token counts
      #   @return [void]
      # @!method finish_reason=(reason)
      #   @param reason [String] why the answer ended
      #   @return [void]
      # @!method error=(message)
      #   @param message [String] what went wrong
      #   @return [void]
      # @!method exception=(error)
      #   @param error [Exception] the error as an object
      #   @return [void]
      # @!method retry_after=(seconds)
      #   @param seconds [Numeric, nil] seconds to wait
      #   @return [void]
      # @!method session_id=(id)
      #   @param id [String, nil] the application's session
      #   @return [void]
      # @!method user_id=(id)
      #   @param id [Object, nil] the application's user id
      #   @return [void]
      # @!method stream_id=(id)
      #   @param id [String, nil] which stream it is
      #   @return [void]
      # @!method terminal=(terminal)
      #   @param terminal [Boolean] false: an :error that announces another attempt
      #   @return [void]
      # @!method citation=(source)
      #   @param source [Object] the source
      #   @return [void]
      # @!method status=(status)
      #   @param status [Object] what is going on
      #   @return [void]
      # @!method raw=(event)
      #   @param event [Hash{Symbol=>String}] :event and :data
      #   @return [void]
      # @!method handoff=(agent)
      #   @param agent [Object] who goes on
      #   @return [void]
      ATTRIBUTES.each do |name|
        define_method(:"#{name}=") { |value| assign(name, value) } # steep:ignore NoMethod
      end

      # @!method tool_call?
      #   @return [Boolean] whether the type is :tool_call
      # @!method tool_result?
      #   @return [Boolean] whether the type is :tool_result
      # @!method complete?
      #   @return [Boolean] whether the type is :complete
      # @!method error?
      #   @return [Boolean] whether the type is :error
      # @!method reasoning?
      #   @return [Boolean] whether the type is :reasoning
      # @!method refusal?
      #   @return [Boolean] whether the type is :refusal
      # @!method citation?
      #   @return [Boolean] whether the type is :citation
      # @!method tool_call_delta?
      #   @return [Boolean] whether the type is :tool_call_delta
      # @!method status?
      #   @return [Boolean] whether the type is :status
      # @!method raw?
      #   @return [Boolean] whether the type is :raw
      # @!method handoff?
      #   @return [Boolean] whether the type is :handoff
      (TYPES - [:content]).each do |name|
        define_method(:"#{name}?") { type.equal?(name) } # steep:ignore NoMethod
      end

      # @return [Boolean] whether nothing follows: on :complete, and on an :error that announces no further attempt
      #   (one that does has `terminal` set to false)
      def terminal?
        complete? || (error? && attribute(:terminal) != false)
      end
      alias_method :terminal, :terminal?

      # @return [Hash{Symbol=>Object}] always a Hash, a new one each time: stream_id and seq where the chunk comes from
      #   a stream, tool_name where there is one, what is known about a retry, and whatever was set
      def metadata
        {stream_id: stream_id, seq: seq, tool_name: tool_name}.compact.merge(own_metadata || {})
      end

      # @return [String, nil] which stream the chunk comes from; nil for a chunk made by hand
      def stream_id
        attribute(:stream_id) || context&.stream_id
      end

      # @return [String, nil] the tool's name
      def tool_name
        attribute(:tool_name) || tool&.at(2)
      end

      # @return [String, nil] the provider's id of the call, such as "call_123"
      def tool_id
        attribute(:tool_id) || tool&.at(1)
      end

      # @return [Integer, nil] the call's place among those of one answer, as the provider counts; it may be any number
      def tool_index
        attribute(:tool_index) || tool&.at(0)
      end

      # @return [Hash{Symbol=>Object}] the arguments of a tool call, a new Hash each time; {} where there are none, or
      #   where they are no JSON object ({#raw_arguments} has what came). On :tool_call_delta, with the setting
      #   `partial_arguments`, the arguments so far: the same Hash in all chunks of the call, which grows
      def arguments
        attribute(:arguments) || parse_arguments
      end

      # @return [String, nil] the arguments as the model wrote them, which may be no JSON at all; nil on other types
      def raw_arguments
        attribute(:raw_arguments) || tool&.at(3) || written_arguments
      end

      # @return [Object, nil] what a tool answered, on :tool_result
      def result
        attribute(:result)
      end

      # @return [String, nil] the whole answer, on :complete
      def final_response
        attribute(:final_response) || (cumulative if complete?)
      end

      # @return [Hash{Symbol=>Object}, nil] token counts (prompt_tokens, completion_tokens, total_tokens, …), on
      #   :complete and where the provider sent them
      def usage
        attribute(:usage)
      end

      # @return [String, nil] why the answer ended ("stop", "length", "tool_calls", "content_filter"), on :complete
      def finish_reason
        attribute(:finish_reason)
      end

      # @return [Hash{Symbol=>Object}, Object, nil] the source, as the provider describes it, on :citation
      def citation
        attribute(:citation) || parse_citation
      end

      # @return [Hash{Symbol=>String}, nil] on :raw, the event as it came: its name under :event ("" where it has none)
      #   and its :data
      def raw
        attribute(:raw) || raw_event
      end

      # @return [Object, nil] what is going on, on :status: `:retrying`, `:redirected`, `:reset`
      def status
        attribute(:status) || (:retrying if notice)
      end

      # @return [Object, nil] who goes on, on :handoff
      def handoff
        attribute(:handoff)
      end

      # @return [String, nil] what went wrong, on :error
      def error
        attribute(:error) || (delta if error?)
      end

      # @return [Exception, nil] the error as an object, on :error
      def exception
        attribute(:exception)
      end

      # @return [Numeric, nil] seconds to wait before another attempt, on :error and where somebody knows; seconds until
      #   another attempt begins (Float), where the status is `:retrying`
      def retry_after
        attribute(:retry_after) || notice&.at(2) || (exception.retry_after if exception.respond_to?(:retry_after))
      end

      # @return [String, nil] the application's session
      def session_id
        attribute(:session_id) || context&.session_id
      end

      # @return [Object, nil] the application's user id
      def user_id
        attribute(:user_id) || context&.user_id
      end

      # @return [Hash{Symbol=>Object}] for the guide's five types exactly the Hash that the guide shows; the others
      #   alike
      def to_h
        fields = FIELDS.fetch(type, FIELDS[:content])
        fields += [:retry_after] if status? && retry_after
        fields.to_h { |name| [name, public_send(name)] }
      end

      # @return [Hash{String=>Object}] {#to_h} and the metadata
      def as_json(*)
        to_h.merge(metadata: metadata).transform_keys(&:to_s)
      end

      # @return [String] JSON of {#as_json}
      def to_json(*)
        JSON.generate(as_json)
      end

      # @return [Boolean] whether the other chunk says the same
      def ==(other)
        other.instance_of?(self.class) && other.snapshot == snapshot
      end
      alias_method :eql?, :==

      # @return [Integer]
      def hash
        [self.class, type, seq, delta].hash
      end

      # @param keys [Array<Symbol>, nil] the keys a pattern asks for; nil: all
      # @return [Hash{Symbol=>Object}] type, delta, cumulative, seq, choice, metadata, stream_id, session_id, user_id,
      #   terminal and those of the type: a pattern that asks for a tool's name does not match a piece of text
      def deconstruct_keys(keys)
        own = COMMON_KEYS | FIELDS.fetch(type, []) | EXTRA_KEYS.fetch(type, [])
        (keys ? own & keys : own).to_h { |name| [name, public_send(name)] }
      end

      # @return [Array(Symbol, String)] type and delta
      def deconstruct
        [type, delta]
      end

      # @return [String] short: type, number, the beginning of what it says
      def inspect
        number = " seq=#{seq}" if seq
        "#<#{self.class.name} #{type}#{number}#{inspected_tool}#{inspected_text}>"
      end

      # @return [Hash{Symbol=>Object}] plain values; a chunk that is read back has them all, and no stream
      def marshal_dump
        snapshot
      end

      # @param values [Hash{Symbol=>Object}]
      # @return [void]
      # @raise [FrozenError] on a frozen chunk, which stays as it is
      def marshal_load(values)
        raise FrozenError.new("can't modify frozen #{self.class.name}", receiver: self) if frozen?

        initialize(type: values[:type])
        values.each { |name, value| assign(name, value) unless name == :type }
      end

      protected

      # Every attribute that has a value. What follows from others is left out.
      def snapshot
        values = ATTRIBUTES.to_h { |name| [name, public_send(name)] }
        values[:metadata] = own_metadata
        values[:terminal] = attribute(:terminal)
        values.delete(attribute(:arguments) ? :raw_arguments : :arguments)
        values.compact
      end

      private

      def attribute(name)
        attributes&.[](name)
      end

      # The native part keeps other things in the same place on other types.
      def tool
        native_tool if tool_call? || tool_call_delta?
      end

      # What the native part says about another attempt: number, most, seconds, reason, HTTP status or nil.
      def notice
        native_retry if status?
      end

      # What does not follow from the rest of the chunk.
      def own_metadata
        number, most, seconds, reason, http_status = notice
        return attribute(:metadata) unless number

        {attempt: number, max_retries: most, delay: seconds, reason: reason, http_status: http_status}.compact
          .merge(attribute(:metadata) || {})
      end

      def parse_arguments
        text = raw_arguments
        return {} if text.nil? || text.empty?

        parsed = ForeignJSON.parse(text)
        parsed.is_a?(Hash) ? parsed : {}
      rescue JSON::ParserError
        {}
      end

      def parse_citation
        written = native_tool if citation?
        ForeignJSON.parse(written[3]) if written
      end

      def raw_event
        written = native_tool if raw?
        {event: written[2].to_s, data: written[3]} if written
      end

      # Of a tool call that was made in Ruby.
      def written_arguments
        given = attribute(:arguments)
        JSON.generate(given) if given
      end

      def inspected_tool
        " #{tool_name}(#{raw_arguments.to_s[0, INSPECT_LENGTH]})" if tool_name
      end

      def inspected_text
        text = delta
        return if text.empty? || tool_name

        " #{((text.length > INSPECT_LENGTH) ? "#{text[0, INSPECT_LENGTH]}…" : text).inspect}"
      end
    end
  end
end
