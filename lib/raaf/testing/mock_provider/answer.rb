# frozen_string_literal: true

module RAAF
  module Testing
    class MockProvider
      # One answer of a mock provider: chunks, the time between them, and how it ends.
      class Answer
        # The kinds of chunk a model can send.
        TYPES = %i[content reasoning refusal tool_call].freeze

        # @return [Exception, nil] raised after the last chunk
        attr_reader :error

        # @param chunks [Array<String, Hash>]
        # @param delay [Numeric] seconds before each chunk
        # @param usage [Hash, nil, false] nil: counted; false: none is sent
        # @param finish_reason [String, nil] nil: "stop", or "tool_calls" where there are some
        # @param error [Exception, nil]
        # @raise [ArgumentError] for a chunk that no model could send
        def initialize(chunks:, delay: 0.01, usage: nil, finish_reason: nil, error: nil)
          raise ArgumentError, "delay must be seconds, 0 or more, not #{delay.inspect}" unless valid_delay?(delay)

          @chunks = Array(chunks).map { |chunk| normalize(chunk) }.freeze
          @delay = delay
          @usage = usage
          @finish_reason = finish_reason
          @error = error
        end

        # @param wire [OpenAIChatWire]
        # @param messages [Array<Hash>] what was asked, to count the prompt's tokens
        # @return [Array<Array(Numeric, String)>] seconds to wait and the bytes that come then; one entry a
        #   chunk, and three for the end unless there is an error
        def script(wire, messages)
          calls = -1
          events = @chunks.map do |chunk|
            calls += 1 if tool_call?(chunk)
            [@delay, event(wire, chunk, calls)]
          end
          @error ? events : events + closing(wire, messages).map { |bytes| [0, bytes] }
        end

        private

        def valid_delay?(delay)
          delay.is_a?(Numeric) && !delay.negative?
        end

        def normalize(chunk)
          hash = chunk.is_a?(Hash) ? chunk.transform_keys(&:to_sym) : {delta: chunk}
          type = hash.fetch(:type, :content).to_sym
          return hash.merge(type: type).freeze if complete?(type, hash)

          raise ArgumentError, "a chunk is a String, {type: :content, :reasoning or :refusal, delta: String} or " \
            "{type: :tool_call, tool_name:, tool_id:, arguments:}, not #{chunk.inspect}"
        end

        def complete?(type, hash)
          return !hash[:tool_name].nil? if type == :tool_call

          TYPES.include?(type) && hash[:delta].is_a?(String)
        end

        def tool_call?(chunk)
          chunk[:type] == :tool_call
        end

        def calls_tool?
          @chunks.any? { |chunk| tool_call?(chunk) }
        end

        def event(wire, chunk, index)
          return wire.public_send(chunk[:type], chunk[:delta]) unless tool_call?(chunk)

          wire.tool_call(name: chunk[:tool_name], id: chunk[:tool_id], arguments: chunk.fetch(:arguments, {}),
            index: index, whole: true).join
        end

        def closing(wire, messages)
          usage = (@usage == false) ? [] : [wire.usage(@usage || counted_usage(messages))]
          [wire.finish(@finish_reason || default_finish_reason), *usage, wire.done]
        end

        def default_finish_reason
          calls_tool? ? "tool_calls" : "stop"
        end

        # About four characters a token for what was asked, a token a chunk for the answer.
        def counted_usage(messages)
          characters = messages.sum { |message| (message[:content] || message["content"]).to_s.length }
          {prompt_tokens: (characters / 4.0).ceil, completion_tokens: @chunks.size}
        end
      end
    end
  end
end
