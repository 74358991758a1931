# frozen_string_literal: true

require "json"

RSpec.describe RAAF::Streaming::ErrorFactory do
  def build(outcome, **options)
    described_class.build(outcome, provider: "openai", model: "gpt-4o", **options)
  end

  def response(status, error = nil, **outcome)
    build({code: :http_status, http_status: status, body: error && JSON.generate(error: error), **outcome})
  end

  def report(**fields)
    build({code: :provider_error, http_status: 200, error_message: "no", **fields})
  end

  describe "the class, for a response with an error status" do
    {
      400 => :InvalidRequestError, 401 => :AuthenticationError, 402 => :InvalidRequestError, 403 => :PermissionError,
      404 => :NotFoundError, 408 => :InvalidRequestError, 409 => :InvalidRequestError, 413 => :InvalidRequestError,
      418 => :InvalidRequestError, 422 => :InvalidRequestError, 429 => :RateLimitError, 500 => :ServerError,
      498 => :OverloadedError,
      502 => :ServerError, 503 => :ServerError, 504 => :ServerError, 529 => :OverloadedError, 599 => :ServerError,
      302 => :ProtocolError, 204 => :ProtocolError
    }.each do |status, name|
      it "is #{name} for #{status}" do
        expect(response(status).class).to equal(RAAF::Errors.const_get(name))
      end
    end

    it "is OverloadedError for a 503 that says so" do
      expect(response(503, {message: "The model is overloaded."})).to be_a(RAAF::Errors::OverloadedError)
    end

    it "is ContextLengthError by OpenAI's code" do
      error = response(400, {message: "x", type: "invalid_request_error", code: "context_length_exceeded"})
      expect(error).to be_a(RAAF::Errors::ContextLengthError)
    end

    ["This model's maximum context length is 8192 tokens.", "prompt is too long: 200001 tokens > 200000 maximum",
      "The input token count (1200000) exceeds the maximum"].each do |words|
      it "is ContextLengthError by the words #{words.inspect}" do
        expect(response(400, {message: words})).to be_a(RAAF::Errors::ContextLengthError)
      end
    end

    it "is AuthenticationError for a wrong key that is answered with 400" do
      expect(response(400, {message: "API key not valid."})).to be_a(RAAF::Errors::AuthenticationError)
    end
  end

  describe "the class, for an error inside a stream" do
    {
      {error_type: "rate_limit_error"} => :RateLimitError, {error_code: "rate_limit_exceeded"} => :RateLimitError,
      {error_type: "insufficient_quota"} => :RateLimitError, {error_type: "overloaded_error"} => :OverloadedError,
      {error_type: "server_error"} => :ServerError, {error_type: "api_error"} => :ServerError,
      {error_type: "invalid_request_error", error_code: "context_length_exceeded"} => :ContextLengthError,
      {error_type: "invalid_request_error"} => :InvalidRequestError,
      {error_type: "invalid_request_error", error_code: "tool_use_failed"} => :InvalidRequestError,
      {error_type: "authentication_error"} => :AuthenticationError, {error_type: "not_found_error"} => :NotFoundError,
      {error_type: "permission_error"} => :PermissionError, {error_code: "429"} => :RateLimitError,
      {error_code: "401"} => :AuthenticationError, {error_code: "502"} => :ServerError,
      {error_code: "418"} => :InvalidRequestError, {error_code: "529"} => :OverloadedError,
      {error_code: "498"} => :OverloadedError,
      {error_code: "402", error_type: "payment_required"} => :InvalidRequestError,
      {error_code: "502", error_type: "provider_overloaded"} => :OverloadedError,
      {error_code: "502", error_type: "provider_unavailable"} => :OverloadedError,
      {error_code: "500", error_type: "invalid_request"} => :ServerError,
      {error_code: "400", error_type: "context_length_exceeded"} => :ContextLengthError,
      {error_code: "400", error_type: "invalid_message"} => :InvalidRequestError,
      {error_type: "server"} => :ServerError, {error_type: "timeout"} => :ServerError,
      {error_type: "content_policy_violation"} => :InvalidRequestError,
      {error_code: "content_filter"} => :InvalidRequestError,
      {error_type: "BadRequestError", error_code: ""} => :InvalidRequestError,
      {error_type: "NotFoundError"} => :NotFoundError, {error_type: "payload_too_large"} => :InvalidRequestError,
      {error_code: "7", error_type: ""} => :ProviderError, {error_type: "novel_error"} => :ProviderError,
      {} => :ProviderError
    }.each do |fields, name|
      it "is #{name} for #{fields}" do
        expect(report(**fields).class).to equal(RAAF::Errors.const_get(name))
      end
    end
  end

  describe "the class, for everything else" do
    {
      truncated: [:TruncatedStreamError, {}], resolve_failed: [:ConnectionError, {reason: :resolve}],
      connect_failed: [:ConnectionError, {reason: :connect}], tls_failed: [:ConnectionError, {reason: :tls}],
      connection_lost: [:ConnectionError, {reason: :lost}], connect_timeout: [:TimeoutError, {phase: :connect}],
      first_token_timeout: [:TimeoutError, {phase: :first_token}], idle_timeout: [:TimeoutError, {phase: :idle}],
      total_timeout: [:TimeoutError, {phase: :total}], cancelled: [:CancelledError, {reason: :cancelled}],
      shutdown: [:CancelledError, {reason: :shutdown}], not_event_stream: [:ProtocolError, {}],
      invalid_json: [:ProtocolError, {}], invalid_event: [:ProtocolError, {}], whole_message: [:ProtocolError, {}],
      line_too_long: [:ProtocolError, {}], event_too_large: [:ProtocolError, {}],
      headers_too_large: [:ProtocolError, {}],
      body_too_large: [:ProtocolError, {}], too_deep: [:ProtocolError, {}], http_protocol: [:ProtocolError, {}],
      text_too_large: [:StreamLimitError, {limit: :max_text_bytes}], invalid_request: [:InvalidRequestError, {}],
      scripted: [:ProviderError, {}], no_memory: [:Error, {}], system: [:Error, {}], unheard_of: [:Error, {}]
    }.each do |code, (name, own)|
      it "is #{name} for #{code}" do
        error = build({code: code, text: "it went wrong"})
        expect(error.class).to equal(RAAF::Errors.const_get(name))
        expect(error.to_h).to include(own)
      end
    end

    it "knows every outcome that the native part has" do
      table = File.read(File.expand_path("../../../ext/raaf_streaming/core/result_code.h", __dir__))
      codes = table.scan(/X\(RAAF_([A-Z_]+), -\d+/).flatten.map { |name| name.downcase.to_sym }
      special = %i[http_status provider_error no_memory system]
      expect(codes - special).to match_array(described_class::OUTCOMES.keys)
    end

    it "refuses to make an error of a success" do
      expect { build({code: :ok}) }.to raise_error(ArgumentError)
    end
  end

  describe "the message" do
    it "says who, what, the status, the provider's words and what to do" do
      expect(response(404, {message: "The model `gpt-9` does not exist"}).message)
        .to eq("openai (gpt-4o): the provider knows no such model or address (HTTP 404): The model `gpt-9` does not " \
               "exist. The model gpt-4o does not exist or is not open to this account, or base_url is wrong.")
    end

    it "names the environment variable of a key" do
      expect(response(401,
        {message: "No"}).message).to end_with("Set OPENAI_API_KEY, or give api_key: to the provider.")
    end

    it "says when to try again" do
      expect(response(429, nil, retry_after_ms: 1500).message).to end_with("Retry after 1.5 s.")
    end

    it "says how many attempts were made, where there was more than one" do
      expect(response(500, nil,
        attempts: 3)).to have_attributes(attempts: 3, message: /\(HTTP 500\), after 3 attempts\./)
      expect(response(500, nil, attempts: 1)).to have_attributes(attempts: 1, message: /\(HTTP 500\)\./)
      expect(response(500).attempts).to be_nil
    end

    it "does not advise to wait for a quota" do
      message = response(429, {message: "quota", type: "insufficient_quota"}, retry_after_ms: 1000).message
      expect(message).to end_with("Add credit to the account, or raise its limits; waiting does not help.")
    end

    it "names the setting of a timeout" do
      expect(build({code: :idle_timeout, text: "no byte within the idle timeout"}).message)
        .to eq("openai (gpt-4o): no byte within the idle timeout. Try again, or raise idle_timeout.")
    end

    it "has libcurl's words" do
      expect(build({code: :connect_failed, text: "the connection could not be made",
detail: "Connection refused"}).message)
        .to include("the connection could not be made: Connection refused.")
    end

    it "says where a redirect must be followed" do
      expect(response(301).message).to end_with("Redirects are not followed; set base_url to the final address.")
    end

    it "does without provider and model" do
      expect(described_class.build({code: :truncated, text: "it broke off"}).message)
        .to eq("it broke off. The answer may lack its end: ask again.")
    end

    it "uses only settings that exist" do
      advice = RAAF::Streaming::ErrorAdvice::OUTCOMES.values.join(" ")
      settings = advice.scan(/\b[a-z]+(?:_[a-z]+)+\b/).map(&:to_sym) - [:base_url]
      expect(settings - RAAF::Streaming::Configuration.keys).to eq([])
    end
  end

  describe "the circumstances" do
    it "has the wait in seconds" do
      expect([response(429, nil, retry_after_ms: 60_000), response(429, nil, retry_after_ms: 250), response(429)]
        .map(&:retry_after)).to eq([60, 0.25, nil])
    end

    {"x-request-id" => "req_a", "request-id" => "req_b", "x-generation-id" => "gen", "apim-request-id" => "az"}
      .each do |header, id|
      it "finds the request's id in #{header}" do
        expect(response(500, nil, headers: {header => id, "content-type" => "text/html"}).request_id).to eq(id)
      end
    end

    it "has what the provider said, apart" do
      error = response(400, {message: "x", type: "t", code: "c", param: "p"})
      expect(error.to_h).to include(type: "t", code: "c", param: "p", status: 400, provider: "openai", model: "gpt-4o")
    end

    it "has what had been delivered" do
      expect(build({code: :truncated}, partial_text: "Once upon").partial_text).to eq("Once upon")
    end
  end

  describe "secrets" do
    subject(:error) do
      described_class.build({code: :http_status, http_status: 401,
                             body: %({"error":{"message":"bad topsecret1","code":"topsecret1"}})},
        secrets: ["topsecret1"])
    end

    it "appear nowhere" do
      shown = [error.message, error.inspect, error.to_h.to_s, error.full_message, Marshal.dump(error)].join
      expect(shown).not_to include("topsecret1")
    end

    # Wherever something is cut, nothing of the key shall stay in front of the cut.
    describe "that were cut with the text around them" do
      let(:secret) { "key=#{"Zq7" * 20}" }

      def shown(outcome)
        error = described_class.build(outcome, secrets: [secret])
        [error.message, error.inspect, error.to_h.to_s].join
      end

      it "go as far as they are there at the end of a body" do
        (4...secret.length).each do |length|
          body = %({"error":{"message":"bad key","code":"#{secret[0, length]})
          expect(shown({code: :http_status, http_status: 401, body: body})).not_to include("key=")
        end
      end

      it "go where a quotation ends" do
        (330..400).each do |length|
          words = "#{"x" * length} #{secret} #{"y" * 100}"
          page = "<html><body>#{"x" * (length - 200)} #{secret} #{"y" * 100}"
          [{code: :http_status, http_status: 401, body: JSON.generate({error: words})},
            {code: :http_status, http_status: 401, body: words}, {code: :http_status, http_status: 502, body: page},
            {code: :provider_error, error_message: words}].each { |o| expect(shown(o)).not_to include("key=") }
        end
      end

      it "go where only the first characters of a text are looked at" do
        (4040..4100).each do |length|
          words = "#{" " * length}#{secret}"
          [{code: :provider_error, error_message: words}, {code: :http_status, http_status: 500, body: words}]
            .each { |outcome| expect(shown(outcome)).not_to include("key=") }
        end
      end
    end
  end
end
