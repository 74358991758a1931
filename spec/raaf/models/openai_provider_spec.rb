# frozen_string_literal: true

require "json"

RSpec.describe RAAF::Models::OpenAIProvider do
  around do |example|
    with_env("OPENAI_API_KEY" => nil, "OPENAI_BASE_URL" => nil, "OPENAI_ORG_ID" => nil, "OPENAI_PROJECT_ID" => nil) do
      example.run
    end
  end

  let(:messages) { [{role: "system", content: "Be brief."}, {role: "user", content: "Hello"}] }

  def request(provider = described_class.new(api_key: "sk-test-key-1"), **options)
    provider.build_request(messages: messages, model: "gpt-4o", **options)
  end

  def body(...)
    JSON.parse(request(...)[:body], symbolize_names: true)
  end

  describe "the request" do
    it "goes to OpenAI's chat completions" do
      expect(request).to include(url: "https://api.openai.com/v1/chat/completions", dialect: :openai_chat,
        provider: "openai", model: "gpt-4o")
    end

    it "has the headers that a stream needs, and no others" do
      expect(request[:headers]).to eq(
        "Authorization" => "Bearer sk-test-key-1", "Content-Type" => "application/json",
        "Accept" => "text/event-stream", "User-Agent" => "raaf-streaming/#{RAAF::Streaming::VERSION}"
      )
    end

    it "asks for a stream with usage, and for nothing that was not set" do
      expect(body).to eq(model: "gpt-4o", messages: messages, stream: true, stream_options: {include_usage: true})
    end

    it "lists the key among the secrets" do
      expect(request[:secrets]).to include("sk-test-key-1")
    end
  end

  describe "settings" do
    it "are fields of the body" do
      settings = {temperature: 0.2, top_p: 1, stop: ["x"], seed: 7, reasoning_effort: "low", user: "u1",
                  response_format: {type: "json_object"}, frequency_penalty: 0.1, presence_penalty: -0.1}
      expect(body(settings: settings)).to include(settings)
    end

    {"gpt-4o" => :max_tokens, "gpt-3.5-turbo" => :max_tokens, "o1" => :max_completion_tokens,
     "o3-mini" => :max_completion_tokens, "gpt-5" => :max_completion_tokens, "gpt-5-mini" => :max_completion_tokens,
     "openai/o4-mini" => :max_completion_tokens, "llama-3o1" => :max_tokens}.each do |model, field|
      it "limit tokens by #{field} for #{model}" do
        request = described_class.new(api_key: "sk-test-key-1")
          .build_request(messages: messages, model: model, settings: {max_tokens: 50})
        expect(JSON.parse(request[:body]).slice("max_tokens", "max_completion_tokens")).to eq(field.to_s => 50)
      end
    end

    it "with extra_body override, nil removes, and the stream stays a stream" do
      extra = {"stream_options" => nil, :top_k => 5, "temperature" => 1, :stream => false}
      expect(body(settings: {temperature: 0, extra_body: extra}))
        .to eq(model: "gpt-4o", messages: messages, stream: true, top_k: 5, temperature: 1)
    end

    it "with extra_headers override, whatever their case, and nil removes" do
      extra = {"user-agent" => "mine/1", "Accept" => nil, "X-Title" => "App"}
      headers = request(settings: {extra_headers: extra})[:headers]
      expect(headers.slice("User-Agent", "user-agent", "Accept", "X-Title"))
        .to eq("user-agent" => "mine/1", "X-Title" => "App")
    end
  end

  describe "tools" do
    let(:tools) { [{type: "function", function: {name: "weather", parameters: {type: "object"}}}] }

    it "are sent, with how to choose among them" do
      settings = {tool_choice: "required", parallel_tool_calls: false}
      expect(body(tools: tools, settings: settings)).to include(tools: tools, **settings)
    end

    it "can be chosen by name" do
      expect(body(tools: tools, settings: {tool_choice: "weather"})[:tool_choice])
        .to eq(type: "function", function: {name: "weather"})
    end

    it "are not mentioned where there are none, since that is an error" do
      expect(body(settings: {tool_choice: "auto", parallel_tool_calls: true}).keys)
        .to match_array(%i[model messages stream stream_options])
    end
  end

  describe "the environment" do
    it "is read at each request" do
      provider = described_class.new
      requests = %w[sk-first-key sk-second-key].map do |key|
        with_env("OPENAI_API_KEY" => key) { request(provider)[:headers]["Authorization"] }
      end
      expect(requests).to eq(["Bearer sk-first-key", "Bearer sk-second-key"])
    end

    it "names the server, the organization and the project" do
      with_env("OPENAI_API_KEY" => "sk-test-key-1", "OPENAI_BASE_URL" => "http://localhost:1234/v1/",
        "OPENAI_ORG_ID" => "org-1", "OPENAI_PROJECT_ID" => "proj-1") do
        expect(request(described_class.new)).to match(include(
          url: "http://localhost:1234/v1/chat/completions",
          headers: include("OpenAI-Organization" => "org-1", "OpenAI-Project" => "proj-1")
        ))
      end
    end

    it "gives way to what is given" do
      with_env("OPENAI_API_KEY" => "sk-env-key-1", "OPENAI_BASE_URL" => "http://env/v1", "OPENAI_ORG_ID" => "env") do
        provider = described_class.new(api_key: "sk-given-key", base_url: "https://given/v1", organization: "given")
        expect(request(provider)).to match(include(
          url: "https://given/v1/chat/completions",
          headers: include("Authorization" => "Bearer sk-given-key", "OpenAI-Organization" => "given")
        ))
      end
    end
  end

  it "needs no key where the headers authorize, and lists theirs among the secrets" do
    provider = described_class.new(headers: {"Authorization" => nil, "api-key" => "azure-key-1"})
    built = request(provider)
    expect([built[:headers].key?("Authorization"), built[:secrets]]).to eq([false, ["azure-key-1"]])
  end

  describe "base_url" do
    {
      "https://gateway/v1" => "https://gateway/v1/chat/completions",
      "https://gateway/v1/" => "https://gateway/v1/chat/completions",
      " https://gateway " => "https://gateway/chat/completions",
      "https://gateway/v1/chat/completions" => "https://gateway/v1/chat/completions",
      "https://gateway/v1?api-version=1" => "https://gateway/v1/chat/completions?api-version=1"
    }.each do |base, url|
      it "leads #{base.inspect} to #{url}" do
        expect(request(described_class.new(api_key: "sk-test-key-1", base_url: base))[:url]).to eq(url)
      end
    end

    ["ftp://gateway", "gateway/v1", "https://", "https://me:secret@gateway", "https://gateway/#x", "file:///etc/passwd",
      "", "https://a b", "https://gateway\r\nX: y"].each do |base|
      it "may not be #{base.inspect}" do
        expect { described_class.new(base_url: base) }
          .to raise_error(RAAF::Errors::ConfigurationError, /\A(?!.*secret)base_url must be/)
      end
    end
  end

  describe "before a byte is sent" do
    it "refuses what cannot be JSON" do
      expect { request(settings: {temperature: Float::NAN}) }.to raise_error(RAAF::Errors::InvalidRequestError)
      messages.last[:content] = "caf\xE9"
      expect { request }.to raise_error(RAAF::Errors::InvalidRequestError, /UTF-8/)
    end
  end

  it_behaves_like "a provider that demands a key", "OPENAI_API_KEY"
  it_behaves_like "a provider that refuses line breaks", "OPENAI_API_KEY"
  it_behaves_like "a provider that keeps its secrets", api_key: "sk-test-key-1", headers: {"X-Token" => "hidden-token"}
end
