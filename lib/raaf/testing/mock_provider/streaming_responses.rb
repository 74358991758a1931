# frozen_string_literal: true

module RAAF
  module Testing
    class MockProvider
      # What makes a class a mock of a streaming provider. It keeps no state that needs an initializer, so it
      # can be included into a class that has one of its own. Every method may be called from any thread.
      module StreamingResponses
        # The answer when none was added, or none is left.
        DEFAULT_CHUNKS = ["This ", "is ", "a ", "mock ", "answer."].freeze

        # Guards the creation of each provider's own lock.
        CREATION = Mutex.new

        private_constant :CREATION

        # Adds an answer to the queue: each request takes the next one.
        #
        # @param chunks [Array<String, Hash>] a String is text; a Hash is {type: :reasoning or :refusal, delta:}
        #   or {type: :tool_call, tool_name:, tool_id:, arguments:} (a Hash or JSON text). Each is sent as one
        #   delta, exactly as it is
        # @param delay [Numeric] seconds before each chunk
        # @param usage [Hash, nil, false] tokens: {prompt_tokens:, completion_tokens:}; nil: counted; false: none
        # @param finish_reason [String, nil] nil: "stop", or "tool_calls" where there are some
        # @return [self]
        # @raise [ArgumentError] for a chunk that no model could send
        def add_streaming_response(chunks:, delay: 0.01, usage: nil, finish_reason: nil)
          add_answer(Answer.new(chunks: chunks, delay: delay, usage: usage, finish_reason: finish_reason))
        end

        # Adds an answer that ends in an error.
        #
        # @param error [Exception, Class] what the caller is to see
        # @param after [Array<String, Hash>] chunks that come before it, as for {#add_streaming_response}
        # @param delay [Numeric] seconds before each of these chunks
        # @return [self]
        # @raise [ArgumentError] where it is no exception
        def add_streaming_error(error, after: [], delay: 0.01)
          raise ArgumentError, "not an exception: #{error.inspect}" unless error.respond_to?(:exception)

          add_answer(Answer.new(chunks: after, delay: delay, error: error.exception))
        end

        # @return [Array<Hash>] what was asked so far, oldest first: {messages:, model:, tools:, settings:, stream:}
        def requests
          mock_state { |state| state[:requests].dup }
        end

        # @return [Integer] answers that no request has taken yet
        def responses_left
          mock_state { |state| state[:answers].size }
        end

        # @return [String] the provider's name in chunks and errors
        def name
          "mock"
        end

        # @return [Symbol] the wire format of the script's bytes
        def dialect
          :openai_chat
        end

        # Takes the next answer.
        #
        # @param messages [Array<Hash>] the conversation
        # @param model [String, nil]
        # @param settings [Hash]
        # @param tools [Array<Hash>]
        # @param stream [Boolean]
        # @return [Hash] `script`: an Array of [seconds to wait, bytes on the wire]; `error`: what to raise after
        #   the last of them, or nil; `provider`; `model`
        def build_request(messages:, model:, settings: {}, tools: [], stream: true)
          # The conversation goes on after this, so it is copied.
          asked = {messages: messages.map(&:dup), model: model, tools: tools.dup, stream: stream}
          asked[:settings] = settings.dup
          answer = next_answer(asked) || Answer.new(chunks: default_chunks)
          script = answer.script(OpenAIChatWire.new(model: model || name), messages)
          {script: script, error: answer.error, provider: name, model: model}
        end

        # Shows counts only; conversations may hold what does not belong in a log.
        # @return [String]
        def inspect
          "#<#{self.class.name} requests=#{requests.size} responses_left=#{responses_left}>"
        end

        private

        def add_answer(answer)
          mock_state { |state| state[:answers] << answer }
          self
        end

        def next_answer(asked)
          mock_state do |state|
            state[:requests] << asked.freeze
            state[:answers].shift
          end
        end

        # raaf-testing's provider has a default answer of its own; it is the better one there.
        def default_chunks
          text = respond_to?(:default_response) ? default_response : nil
          text.is_a?(String) ? text.scan(/\S+\s*|\A\s+/) : DEFAULT_CHUNKS
        end

        def mock_state
          lock = @streaming_lock || CREATION.synchronize { @streaming_lock ||= Mutex.new }
          lock.synchronize { yield(@streaming_state ||= {answers: [], requests: []}) }
        end
      end
    end
  end
end
