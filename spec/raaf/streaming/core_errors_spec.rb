# frozen_string_literal: true

# raaf-core is absent here: the names are our stand-ins', and those of its HTTP client are made for the example. What
# holds with the gem itself is in core_contract_spec.rb.
RSpec.describe RAAF::Streaming::CoreErrors do
  include MadeUpCore

  def rescued?(theirs, error)
    raise error
  rescue theirs
    true
  rescue Exception # rubocop:disable Lint/RescueException
    false
  end

  def error(name, **details)
    RAAF::Errors.const_get(name).new("x", **details)
  end

  it "lets the root of raaf-core's errors rescue every one of ours" do
    tree = RAAF::Errors.constants.map { |name| RAAF::Errors.const_get(name) }
    expect(tree.select { |ours| ours <= RAAF::Errors::Error }).to all(be < RAAF::Error)
  end

  {
    "AuthenticationError" => %w[AuthenticationError], "RateLimitError" => %w[RateLimitError],
    "ServerError" => %w[ServerError OverloadedError], "ServiceUnavailableError" => %w[OverloadedError],
    "APIError" => %w[InvalidRequestError ContextLengthError PermissionError NotFoundError],
    "InvalidRequestError" => %w[InvalidRequestError ContextLengthError],
    "ProviderError" => %w[ProviderError ServerError ConnectionError TimeoutError], "ToolError" => %w[ToolError],
    "MaxTurnsError" => %w[MaxTurnsError], "ConfigurationError" => %w[ConfigurationError],
    "Models::AuthenticationError" => %w[AuthenticationError], "Models::RateLimitError" => %w[RateLimitError],
    "Models::ServerError" => %w[ServerError OverloadedError],
    "Models::APIError" => %w[InvalidRequestError NotFoundError]
  }.each do |theirs, ours|
    it "lets RAAF::#{theirs} rescue #{ours.join(", ")}" do
      expect(ours.map { |name| rescued?(RAAF.const_get(theirs), error(name)) }).to all(be(true))
    end
  end

  {
    "RateLimitError" => "AuthenticationError", "AuthenticationError" => "PermissionError",
    "Models::RateLimitError" => "ServerError", "Models::APIError" => "RateLimitError", "ToolError" => "ProviderError",
    "ProviderError" => "RateLimitError"
  }.each do |theirs, ours|
    it "does not let RAAF::#{theirs} rescue #{ours}" do
      expect(rescued?(RAAF.const_get(theirs), error(ours))).to be(false)
    end
  end

  it "changes nothing for their own errors, or anybody else's" do
    expect(rescued?(RAAF::RateLimitError, RAAF::RateLimitError.new("x"))).to be(true)
    expect(rescued?(RAAF::RateLimitError, RAAF::ServerError.new("x"))).to be(false)
    expect(rescued?(RAAF::RateLimitError, KeyError.new("x"))).to be(false)
  end

  it "changes nothing for what an application has made of them" do
    own = Class.new(RAAF::RateLimitError)
    expect([rescued?(own, error(:RateLimitError)), rescued?(own, own.new("x"))]).to eq([false, true])
  end

  it "can be asked in any Ractor" do
    script = "Warning[:experimental] = false\nthere = Ractor.new { begin; raise RAAF::Errors::RateLimitError; " \
             "rescue RAAF::Models::RateLimitError => e; e.message; end }\nputs JSON.generate([there.take])"
    expect(run_ruby(script, load_path: [File.join(MadeUpCore::ROOT, "lib")], requires: ["json", "raaf-streaming"]))
      .to eq(["rate limited"])
  end

  it "leaves is_a? as it is" do
    expect(error(:RateLimitError)).not_to be_a(RAAF::RateLimitError)
  end

  describe "with the errors of raaf-core's HTTP client" do
    before do
      client = stub_const("RAAF::HTTPClient", Class.new)
      root = stub_const("RAAF::HTTPClient::Error", Class.new(StandardError))
      api = stub_const("RAAF::HTTPClient::APIError", Class.new(root))
      %w[BadRequestError AuthenticationError NotFoundError RateLimitError InternalServerError BadGatewayError
        ServiceUnavailableError APIConnectionError APITimeoutError].each { |name|
        client.const_set(name,
          Class.new(api))
      }
      described_class.install
    end

    {
      "BadRequestError" => [:InvalidRequestError, 400], "AuthenticationError" => [:AuthenticationError, 401],
      "NotFoundError" => [:NotFoundError, 404], "RateLimitError" => [:RateLimitError, 429],
      "InternalServerError" => [:ServerError, 500], "BadGatewayError" => [:ServerError, 502],
      "ServiceUnavailableError" => [:ServerError, 503], "APIConnectionError" => [:ConnectionError, nil],
      "APITimeoutError" => [:TimeoutError, nil]
    }.each do |theirs, (ours, status)|
      it "lets #{theirs} rescue #{ours} #{status}, and so its parents" do
        classes = [theirs, "APIError", "Error"].map { |name| RAAF::HTTPClient.const_get(name) }
        expect(classes.map { |one| rescued?(one, error(ours, status: status)) }).to eq([true, true, true])
      end
    end

    it "tells statuses apart" do
      classes = %w[InternalServerError BadGatewayError ServiceUnavailableError].map { |n| RAAF::HTTPClient.const_get(n) }
      expect(classes.map { |one| rescued?(one, error(:ServerError, status: 502)) }).to eq([false, true, false])
    end

    it "does not let the client rescue what is no matter of a request" do
      expect(rescued?(RAAF::HTTPClient::Error, error(:ConfigurationError))).to be(false)
    end
  end

  describe "the stand-ins" do
    it "are made as raaf-core's are" do
      expect(RAAF::RateLimitError.new("x", status: 429).status).to eq(429)
      expect(RAAF::Models::RateLimitError.new("x").message).to eq("x")
      expect([RAAF::ToolError, RAAF::HandoffError, RAAF::Models::APIError]).to all(be < RAAF::Error)
    end
  end
end
