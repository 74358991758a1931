# frozen_string_literal: true

RSpec.describe RAAF::Errors do
  # Every class of the tree, with those that `rescue` reaches it by, up to Error.
  tree = {
    ConfigurationError: [], RactorError: [:ConfigurationError],
    AuthenticationError: [], PermissionError: [], NotFoundError: [],
    InvalidRequestError: [], ContextLengthError: [:InvalidRequestError],
    GuardrailError: [], InputGuardrailError: [:GuardrailError], OutputGuardrailError: [:GuardrailError],
    RateLimitError: [],
    ProviderError: [], ServerError: [:ProviderError], OverloadedError: [:ProviderError],
    ConnectionError: [:ProviderError], TimeoutError: [:ProviderError], TruncatedStreamError: [:ProviderError],
    ProtocolError: [:ProviderError], CircuitOpenError: [:ProviderError],
    CancelledError: [], StreamLimitError: [], SlowConsumerError: [], ForkedError: [], ToolError: [], MaxTurnsError: []
  }

  tree.each do |name, parents|
    describe name.to_s do
      let(:error_class) { described_class.const_get(name) }

      it "stands in the tree where it is documented" do
        between = error_class.ancestors.take_while { |ancestor| ancestor != RAAF::Errors::Error }.drop(1)
        expect(between.map { |ancestor| ancestor.name.split("::").last.to_sym }).to eq(parents)
      end

      it "can be made with a message alone" do
        expect(error_class.new("Rate limited").message).to eq("Rate limited")
      end

      it "has a sentence of its own when it is made with nothing" do
        expect(error_class.new.message).to match(/\A[a-z].{10,}/)
      end

      it "takes every circumstance" do
        details = {provider: "openai", model: "gpt-4o", status: 500, request_id: "req_1", body: "{}", retry_after: 2,
                   partial_text: "Hel", code: "c", type: "t", param: "p", attempts: 3}
        expect(error_class.new("x", **details).to_h).to include(details)
      end

      it "survives Marshal" do
        copy = Marshal.load(Marshal.dump(error_class.new("x", status: 500)))
        expect([copy.class, copy.message, copy.status]).to eq([error_class, "x", 500])
      end
    end
  end

  it "can be rescued by the name in the streaming module" do
    expect(RAAF::Streaming::Error).to equal(described_class::Error)
  end

  it "keeps rate limits apart from what a backup provider would help with" do
    expect(described_class::RateLimitError).not_to be <= described_class::ProviderError
  end

  describe "what an error shows" do
    subject(:error) do
      described_class::AuthenticationError.new("refused sk-abcdefghijkl", provider: :openai, status: 401,
        body: %({"key": "sk-abcdefghijkl"}), partial_text: "the user's words")
    end

    it "has no key in its message" do
      expect(error.message).to eq("refused [FILTERED]")
    end

    it "has no key in its body" do
      expect(error.body).to eq(%({"key": "[FILTERED]"}))
    end

    it "is short and private in inspect" do
      expect(error.inspect)
        .to eq('#<RAAF::Errors::AuthenticationError: refused [FILTERED] provider="openai" status=401>')
    end

    it "is complete in to_h, without what is unknown" do
      expect(error.to_h.keys).to eq(%i[error message provider status body partial_text])
    end

    it "says whether text had been delivered" do
      expect([error.delivered?, described_class::Error.new("x", partial_text: "").delivered?]).to eq([true, false])
    end

    it "has the delivered text under both names" do
      expect(error.delivered).to eq("the user's words")
    end
  end

  describe "#retryable?" do
    {
      "a rate limit" => [:RateLimitError, {}, true],
      "a used-up quota" => [:RateLimitError, {code: "insufficient_quota"}, false],
      "a used-up quota named in the type" => [:RateLimitError, {type: "insufficient_quota"}, false],
      "a server error" => [:ServerError, {}, true],
      "an overload" => [:OverloadedError, {}, true],
      "a broken connection" => [:ConnectionError, {reason: :lost}, true],
      "a certificate that is not trusted" => [:ConnectionError, {reason: :tls}, false],
      "a first token that did not come" => [:TimeoutError, {phase: :first_token}, true],
      "a total time that is used up" => [:TimeoutError, {phase: :total}, false],
      "a truncated stream" => [:TruncatedStreamError, {}, true],
      "an answer nobody understands" => [:ProtocolError, {}, false],
      "an open circuit" => [:CircuitOpenError, {}, true],
      "a wrong key" => [:AuthenticationError, {}, false],
      "a bad request" => [:InvalidRequestError, {status: 400}, false],
      "a request that came too slowly" => [:InvalidRequestError, {status: 408}, true],
      "a conflict" => [:InvalidRequestError, {status: 409}, true],
      "a conversation that is too long" => [:ContextLengthError, {status: 400}, false],
      "a cancelled stream" => [:CancelledError, {reason: :cancelled}, false],
      "a stream ended by a shutdown" => [:CancelledError, {reason: :shutdown}, true],
      "too many streams" => [:StreamLimitError, {limit: :max_concurrent_streams}, true],
      "an answer that is too large" => [:StreamLimitError, {limit: :max_text_bytes}, false],
      "a wrong configuration" => [:ConfigurationError, {}, false]
    }.each do |what, (name, details, expected)|
      it "is #{expected} for #{what}" do
        expect(described_class.const_get(name).new("x", **details).retryable?).to be(expected)
      end
    end
  end

  it "shows the circumstances that only one class has" do
    error = described_class::ToolError.new("x", tool_name: :weather, tool_id: "call_1")
    expect(error.to_h).to include(tool_name: "weather", tool_id: "call_1")
  end

  it "can be raised with a cause, a class and a message" do
    expect { raise described_class::CircuitOpenError, "Circuit breaker is open" }
      .to raise_error(described_class::ProviderError, "Circuit breaker is open")
  end
end
