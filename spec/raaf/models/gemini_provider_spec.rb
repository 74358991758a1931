# frozen_string_literal: true

require "json"

RSpec.describe RAAF::Models::GeminiProvider do
  around { |example| with_env("GEMINI_API_KEY" => nil, "GOOGLE_API_KEY" => nil) { example.run } }

  let(:messages) { [{role: "system", content: "Be brief."}, {role: "user", content: "Hello"}] }

  def request(provider = described_class.new(api_key: "goog-test-key"), messages: self.messages,
    model: "gemini-2.5-flash", **options)
    provider.build_request(messages: messages, model: model, **options)
  end

  def body(...)
    JSON.parse(request(...)[:body], symbolize_names: true)
  end

  def config(**options)
    body(**options)[:generationConfig]
  end

  describe "the request" do
    it "goes to the model's stream of events" do
      expect(request).to include(
        url: "https://generativelanguage.googleapis.com/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse",
        dialect: :gemini, provider: "gemini", model: "gemini-2.5-flash"
      )
    end

    it "has the key in Google's header, and lists it among the secrets" do
      expect(request[:headers]).to eq(
        "x-goog-api-key" => "goog-test-key", "Content-Type" => "application/json", "Accept" => "text/event-stream",
        "User-Agent" => "raaf-streaming/#{RAAF::Streaming::VERSION}"
      )
      expect(request[:secrets]).to include("goog-test-key")
    end

    it "says nothing that was not set" do
      expect(body).to eq(systemInstruction: {parts: [{text: "Be brief."}]},
        contents: [{role: "user", parts: [{text: "Hello"}]}])
    end

    it "takes a model's name with where it is" do
      urls = ["models/gemini-2.5-pro", "tunedModels/mine 1", "a?b#c"].map { |model| request(model: model)[:url] }
      expect(urls.map { |url| url.delete_prefix("https://generativelanguage.googleapis.com/v1beta/") }).to eq(
        %w[models/gemini-2.5-pro tunedModels/mine+1 models/a%3Fb%23c]
          .map { |path| "#{path}:streamGenerateContent?alt=sse" }
      )
    end

    it "goes to Vertex AI with a token in place of the key" do
      base = "https://aiplatform.googleapis.com/v1/projects/p/locations/global/publishers/google"
      provider = described_class.new(base_url: "#{base}?x=1",
        headers: {"Authorization" => "Bearer ya29-token", "x-goog-api-key" => nil})
      built = request(provider)
      expect(built[:url]).to eq("#{base}/models/gemini-2.5-flash:streamGenerateContent?x=1&alt=sse")
      expect(built[:headers].keys.grep(/goog/)).to be_empty
      expect(built[:secrets]).to include("ya29-token")
    end
  end

  describe "settings" do
    it "are fields of generationConfig" do
      settings = {temperature: 0.2, top_p: 0.9, max_tokens: 50, seed: 7, stop: "END", frequency_penalty: 0.1,
                  presence_penalty: -0.1}
      expect(config(settings: settings)).to eq(temperature: 0.2, topP: 0.9, maxOutputTokens: 50, seed: 7,
        stopSequences: ["END"], frequencyPenalty: 0.1, presencePenalty: -0.1)
    end

    it "without a field in the API are left out" do
      expect(body(settings: {user: "u1", parallel_tool_calls: false}).keys).to eq(%i[systemInstruction contents])
    end

    it "ask for JSON, with a schema or without" do
      schema = {type: "object", properties: {a: {type: "string"}}}
      formats = [{type: "json_object"}, {type: "json_schema", json_schema: {name: "x", strict: true, schema: schema}},
        {"type" => "json_schema", "json_schema" => {"schema" => schema}}]
      expect(formats.map { |format| config(settings: {response_format: format}) }).to eq(
        [{responseMimeType: "application/json"}] + ([{responseMimeType: "application/json",
                                                      responseJsonSchema: schema}] * 2)
      )
      expect(config(settings: {response_format: {type: "text"}})).to be_nil
    end

    {
      ["gemini-2.5-flash", "low"] => {thinkingBudget: 1024, includeThoughts: true},
      ["models/gemini-2.5-pro", "high"] => {thinkingBudget: 24_576, includeThoughts: true},
      ["gemini-2.5-flash", "none"] => {thinkingBudget: 0},
      ["gemini-3-pro-preview", "medium"] => {thinkingLevel: "MEDIUM", includeThoughts: true},
      ["gemini-3-flash-preview", :minimal] => {thinkingLevel: "MINIMAL", includeThoughts: true},
      ["gemini-3-flash-preview", "none"] => {thinkingLevel: "MINIMAL"}
    }.each do |(model, effort), expected|
      it "make #{expected} of reasoning_effort #{effort.inspect} for #{model}" do
        expect(config(model: model, settings: {reasoning_effort: effort})).to eq(thinkingConfig: expected)
      end
    end

    it "refuse an effort that stands for no budget" do
      expect { request(settings: {reasoning_effort: "extreme"}) }
        .to raise_error(RAAF::Errors::InvalidRequestError, /none, minimal, low, medium, high, not "extreme"/)
    end

    it "with extra_body add to generationConfig, and replace everything else" do
      provider = described_class.new(api_key: "goog-test-key", extra_body: {generationConfig: {topK: 5}})
      extra = {"generationConfig" => {"candidateCount" => 2, "temperature" => nil}, :tools => [{googleSearch: {}}]}
      built = body(provider, settings: {temperature: 0, max_tokens: 5, extra_body: extra},
        tools: [{type: "function", function: {name: "f"}}])
      expect(built).to include(generationConfig: {maxOutputTokens: 5, topK: 5, candidateCount: 2},
        tools: [{googleSearch: {}}])
    end
  end

  describe "tools" do
    let(:parameters) { {type: "object", properties: {city: {type: "string"}}, required: ["city"]} }
    let(:tools) do
      [{type: "function", function: {name: "weather", description: "Tells it", parameters: parameters, strict: true}},
        {type: "function", function: {name: "time", parameters: {type: "object", properties: {}}}}]
    end

    it "are declared with their JSON schemas; without parameters there is none" do
      expect(body(tools: tools)).to include(
        tools: [{functionDeclarations: [{name: "weather", description: "Tells it", parametersJsonSchema: parameters},
          {name: "time"}]}]
      )
      expect(body(tools: tools)).not_to include(:toolConfig)
    end

    {
      "auto" => {mode: "AUTO"}, :none => {mode: "NONE"}, "required" => {mode: "ANY"},
      "weather" => {mode: "ANY", allowedFunctionNames: ["weather"]},
      {type: "function", function: {name: "weather"}} => {mode: "ANY", allowedFunctionNames: ["weather"]},
      {"type" => "function", "function" => {"name" => "weather"}} => {mode: "ANY", allowedFunctionNames: ["weather"]}
    }.each do |choice, expected|
      it "are chosen among by #{choice.inspect}" do
        expect(body(tools: tools, settings: {tool_choice: choice})[:toolConfig]).to eq(functionCallingConfig: expected)
      end
    end

    it "are not chosen among where there are none" do
      expect(body(settings: {tool_choice: "auto"})).not_to include(:toolConfig, :tools)
    end
  end

  describe "the key" do
    it "is read from the environment at each request, from Google's names" do
      keys = [{"GEMINI_API_KEY" => "gem-key-1"}, {"GOOGLE_API_KEY" => "goog-key-2", "GEMINI_API_KEY" => "gem-key-1"}]
        .map { |env| with_env(env) { request(described_class.new)[:headers]["x-goog-api-key"] } }
      expect(keys).to eq(%w[gem-key-1 goog-key-2])
    end
  end

  it_behaves_like "a provider that demands a key", "GOOGLE_API_KEY", "GEMINI_API_KEY"
  it_behaves_like "a provider that refuses line breaks", "GOOGLE_API_KEY", "GEMINI_API_KEY"
  it_behaves_like "a provider that keeps its secrets", api_key: "goog-test-key", headers: {"X-Token" => "hidden-token"}

  it "is asked for Google's models" do
    %w[gemini-2.5-flash gemini-3-pro-preview gemma-3-27b-it].each do |model|
      expect(RAAF::Models.for_model(model)).to be_a(RAAF::Streaming::Providers::Gemini)
    end
  end
end
