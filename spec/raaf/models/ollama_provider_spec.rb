# frozen_string_literal: true

require "json"

RSpec.describe RAAF::Models::OllamaProvider do
  around { |example| with_env("OLLAMA_HOST" => nil, "OLLAMA_API_KEY" => nil) { example.run } }

  let(:messages) { [{role: "system", content: "Be brief."}, {role: "user", content: "Hello"}] }

  def request(provider = described_class.new, messages: self.messages, model: "llama3.2", **options)
    provider.build_request(messages: messages, model: model, **options)
  end

  def body(...)
    JSON.parse(request(...)[:body], symbolize_names: true)
  end

  describe "the request" do
    it "goes to this machine without a key" do
      expect(request).to include(url: "http://127.0.0.1:11434/api/chat", dialect: :ollama, provider: "ollama",
        secrets: [])
      expect(request[:headers]).to eq("Content-Type" => "application/json", "Accept" => "application/x-ndjson",
        "User-Agent" => "raaf-streaming/#{RAAF::Streaming::VERSION}")
    end

    it "asks for a stream, and for nothing that was not set" do
      expect(body).to eq(model: "llama3.2", messages: messages, stream: true)
    end

    it "does not send the prefix by which a model's provider is found" do
      provider = RAAF::Models.for_model("ollama/hf.co/org/model:latest")
      expect(provider).to be_a(RAAF::Streaming::Providers::Ollama)
      expect(body(provider, model: "ollama/hf.co/org/model:latest")[:model]).to eq("hf.co/org/model:latest")
    end

    it "carries a key where there is one, and lists it among the secrets" do
      with_env("OLLAMA_API_KEY" => "oll-env-key") do
        expect(request[:headers]["Authorization"]).to eq("Bearer oll-env-key")
        given = request(described_class.new(api_key: "oll-given-key"))
        expect(given[:headers]["Authorization"]).to eq("Bearer oll-given-key")
        expect(given[:secrets]).to include("oll-given-key")
      end
    end
  end

  describe "the address" do
    {
      "example.com" => "http://example.com:11434", "example.com:8080" => "http://example.com:8080",
      ":8080" => "http://127.0.0.1:8080", " 10.0.0.1 " => "http://10.0.0.1:11434",
      "0.0.0.0" => "http://127.0.0.1:11434", "0.0.0.0:81" => "http://127.0.0.1:81",
      "[::1]:8080" => "http://[::1]:8080", "::1" => "http://[::1]:11434", "[::]" => "http://[::1]:11434",
      "http://example.com" => "http://example.com", "https://example.com/" => "https://example.com",
      "https://example.com:1/a/b/" => "https://example.com:1/a/b", "ollama.com" => "https://ollama.com"
    }.each do |host, url|
      it "is #{url} for OLLAMA_HOST=#{host.inspect}" do
        with_env("OLLAMA_HOST" => host) { expect(described_class.new.base_url).to eq(url) }
      end
    end

    it "must be one" do
      with_env("OLLAMA_HOST" => "ftp://example.com") do
        expect { described_class.new.base_url }.to raise_error(RAAF::Errors::ConfigurationError)
      end
    end

    it "that is given counts, with or without what other APIs end with" do
      with_env("OLLAMA_HOST" => "elsewhere:1") do
        urls = %w[http://a:1 http://a:1/ http://a:1/v1 https://ollama.com/api http://a/p/api/chat].map do |base|
          request(described_class.new(base_url: base))[:url]
        end
        expect(urls).to eq(%w[http://a:1/api/chat http://a:1/api/chat http://a:1/api/chat https://ollama.com/api/chat
          http://a/p/api/chat])
      end
    end
  end

  describe "settings" do
    it "are options" do
      settings = {temperature: 0.2, top_p: 0.9, max_tokens: 50, seed: 7, stop: "END", frequency_penalty: 0.1,
                  presence_penalty: -0.1}
      expect(body(settings: settings)[:options]).to eq(temperature: 0.2, top_p: 0.9, num_predict: 50, seed: 7,
        stop: ["END"], frequency_penalty: 0.1, presence_penalty: -0.1)
    end

    it "without a field in the API are left out" do
      expect(body(settings: {user: "u1", parallel_tool_calls: false, response_format: {type: "text"}}).keys)
        .to eq(%i[model messages stream])
    end

    it "ask for JSON, with a schema or without" do
      schema = {type: "object", properties: {a: {type: "string"}}}
      formats = [{type: "json_object"}, {type: "json_schema", json_schema: {name: "x", schema: schema}}]
      expect(formats.map { |format| body(settings: {response_format: format})[:format] }).to eq(["json", schema])
    end

    {"none" => false, "minimal" => "low", :low => "low", "high" => "high", "xhigh" => "max", true => true}
      .each do |effort, think|
      it "make think: #{think.inspect} of reasoning_effort #{effort.inspect}" do
        expect(body(settings: {reasoning_effort: effort})[:think]).to eq(think)
      end
    end

    it "with extra_body add to the options, and replace everything else; the stream stays one" do
      extra = {options: {"num_ctx" => 8192}, keep_alive: "10m", stream: false}
      expect(body(settings: {temperature: 0, extra_body: extra}))
        .to include(options: {temperature: 0, num_ctx: 8192}, keep_alive: "10m", stream: true)
    end
  end

  describe "tools" do
    let(:tools) { [{type: "function", function: {name: "weather", parameters: {type: "object"}}}] }

    it "are sent as they are" do
      expect(body(tools: tools)[:tools]).to eq(tools)
      expect(body(tools: tools, settings: {tool_choice: "auto"})[:tools]).to eq(tools)
    end

    it "are not sent where none shall be called" do
      expect(body(tools: tools, settings: {tool_choice: :none})).not_to include(:tools)
    end

    it "cannot be demanded" do
      ["required", "weather", {type: "function", function: {name: "weather"}}].each do |choice|
        expect { request(tools: tools, settings: {tool_choice: choice}) }
          .to raise_error(RAAF::Errors::InvalidRequestError, /cannot be told to call a tool/)
      end
    end
  end

  it_behaves_like "a provider that refuses line breaks", "OLLAMA_API_KEY"
  it_behaves_like "a provider that keeps its secrets", api_key: "oll-given-key", headers: {"X-Token" => "hidden-token"}
end
