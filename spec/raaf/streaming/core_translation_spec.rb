# frozen_string_literal: true

require "net/http"

RSpec.describe RAAF::Streaming::CoreTranslation do
  def translate(exception, **details)
    described_class.translate(exception, **details)
  end

  {
    RAAF::AuthenticationError => :AuthenticationError, RAAF::RateLimitError => :RateLimitError,
    RAAF::ServerError => :ServerError, RAAF::ServiceUnavailableError => :OverloadedError,
    RAAF::APIError => :InvalidRequestError, RAAF::InvalidRequestError => :InvalidRequestError,
    RAAF::ProviderError => :ProviderError, RAAF::ToolError => :ToolError, RAAF::MaxTurnsError => :MaxTurnsError,
    RAAF::ConfigurationError => :ConfigurationError, RAAF::Models::AuthenticationError => :AuthenticationError,
    RAAF::Models::RateLimitError => :RateLimitError, RAAF::Models::ServerError => :ServerError,
    RAAF::Models::APIError => :InvalidRequestError
  }.each do |theirs, ours|
    it "makes #{ours} of #{theirs.name}, and of what inherits from it" do
      found = [theirs, Class.new(theirs)].map { |one| translate(one.new("no luck")).class }
      expect(found).to eq([RAAF::Errors.const_get(ours)] * 2)
    end
  end

  it "keeps the original as the cause, also when the error is raised later" do
    original = RAAF::ToolError.new("boom")
    error = translate(original)
    expect { raise error }.to raise_error(RAAF::Errors::ToolError) { |raised| expect(raised.cause).to equal(original) }
  end

  it "takes the circumstances that its class knows" do
    error = translate(RAAF::ToolError.new("boom"), tool_name: "weather", tool_id: "c1", provider: "p", model: "m")
    expect(error).to have_attributes(tool_name: "weather", tool_id: "c1", provider: "p", model: "m")
  end

  it "says who, what, and what to do next" do
    error = translate(RAAF::Models::AuthenticationError.new("Invalid API key for Cohere"), provider: "cohere",
      model: "c")
    expect(error.message).to eq("cohere (c): RAAF::Models::AuthenticationError: Invalid API key for Cohere. " \
                                "Check the API key given to the provider.")
  end

  {
    "API error from Gemini: 404 - {}" => [:NotFoundError, 404], "API error from X: 403 - no" => [:PermissionError, 403],
    "Perplexity API error (422): no" => [:InvalidRequestError, 422],
    "API error from X: 400 - maximum context length is 5" => [:ContextLengthError, 400],
    "Perplexity API error: bad" => [:InvalidRequestError, nil], "over 500 tokens" => [:InvalidRequestError, nil]
  }.each do |message, (ours, status)|
    it "finds the status in #{message.inspect}" do
      error = translate(RAAF::Models::APIError.new(message))
      expect([error.class, error.status]).to eq([RAAF::Errors.const_get(ours), status])
    end
  end

  it "takes the status that the original knows" do
    expect(translate(RAAF::APIError.new("x", status: 404))).to be_a(RAAF::Errors::NotFoundError)
      .and have_attributes(status: 404)
  end

  {"Groq rate limit exceeded. Retry after: 20" => 20, "… Retry after: 1.5s" => 1.5, "… Retry after: " => nil,
   "… Retry after: 1789000000000" => nil}.each do |message, seconds|
    it "finds #{seconds.inspect} s to wait in #{message.inspect}" do
      expect(translate(RAAF::Models::RateLimitError.new(message)).retry_after).to eq(seconds)
    end
  end

  it "is not for what is not raaf-core's" do
    expect(translate(KeyError.new("x"))).to be_nil
  end

  it "gives one of ours back" do
    error = RAAF::Errors::RateLimitError.new("x")
    expect(translate(error)).to equal(error)
  end

  it "cuts secrets out of the message, which is quoted in part only" do
    error = translate(RAAF::Models::APIError.new("key secret-key-1 #{"x" * 5000}"), secrets: ["secret-key-1"])
    expect(error.message).to include("key [FILTERED] xxx").and have_attributes(length: be < 600)
  end

  {
    Net::OpenTimeout => [:TimeoutError, :phase, :connect], Net::ReadTimeout => [:TimeoutError, :phase, :idle],
    SocketError => [:ConnectionError, :reason, :resolve], Errno::ECONNRESET => [:ConnectionError, :reason, :lost],
    OpenSSL::SSL::SSLError => [:ConnectionError, :reason, :tls], JSON::ParserError => [:ProtocolError, :status, nil],
    KeyError => [:ProviderError, :status, nil]
  }.each do |theirs, (ours, name, value)|
    it "makes #{ours} of #{theirs.name} that a provider's code raised" do
      error = described_class.of_provider(theirs.new("x"))
      expect([error.class, error.public_send(name)]).to eq([RAAF::Errors.const_get(ours), value])
    end
  end
end
