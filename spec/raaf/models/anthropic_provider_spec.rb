# frozen_string_literal: true

require "json"

RSpec.describe RAAF::Models::AnthropicProvider do
  around do |example|
    with_env("ANTHROPIC_API_KEY" => nil, "ANTHROPIC_AUTH_TOKEN" => nil, "ANTHROPIC_BASE_URL" => nil) { example.run }
  end

  let(:messages) { [{role: "system", content: "Be brief."}, {role: "user", content: "Hello"}] }
  let(:tools) do
    [{type: "function", function: {name: "weather", description: "Tells it", parameters: {type: "object"}}}]
  end

  def request(provider = described_class.new(api_key: "sk-ant-test-key"), model: "claude-sonnet-4-5", **options)
    provider.build_request(messages: messages, model: model, **options)
  end

  def body(...)
    JSON.parse(request(...)[:body], symbolize_names: true)
  end

  def turns(*list)
    provider = described_class.new(api_key: "sk-ant-test-key")
    built = provider.build_request(messages: list, model: "claude-sonnet-4-5")
    JSON.parse(built[:body], symbolize_names: true)[:messages]
  end

  def user_blocks(*parts)
    turns({role: "user", content: parts}).first[:content]
  end

  describe "the request" do
    it "goes to Anthropic's Messages" do
      expect(request).to include(url: "https://api.anthropic.com/v1/messages", dialect: :anthropic,
        provider: "anthropic", model: "claude-sonnet-4-5")
    end

    it "has the headers that the API asks for, and no others" do
      expect(request[:headers]).to eq(
        "x-api-key" => "sk-ant-test-key", "anthropic-version" => "2023-06-01", "Content-Type" => "application/json",
        "Accept" => "text/event-stream", "User-Agent" => "raaf-streaming/#{RAAF::Streaming::VERSION}"
      )
    end

    it "names the version and the beta features that were asked for" do
      headers = request(described_class.new(api_key: "k", version: "2099-01-01", beta: %w[a-1 b-2]))[:headers]
      expect(headers).to include("anthropic-version" => "2099-01-01", "anthropic-beta" => "a-1,b-2")
      expect(request(described_class.new(api_key: "k", beta: "a-1"))[:headers]).to include("anthropic-beta" => "a-1")
    end

    it "asks for a stream, with the system's words apart, and for nothing that was not set" do
      expect(body).to eq(model: "claude-sonnet-4-5", max_tokens: 64_000, system: "Be brief.", stream: true,
        messages: [{role: "user", content: "Hello"}])
    end

    it "lists the key among the secrets" do
      expect(request[:secrets]).to eq(["sk-ant-test-key"])
    end
  end

  describe "settings" do
    it "are sent under Anthropic's names" do
      settings = {max_tokens: 100, temperature: 0.2, stop: "END", user: 7}
      expect(body(settings: settings)).to include(max_tokens: 100, temperature: 0.2, stop_sequences: ["END"],
        metadata: {user_id: "7"})
    end

    it "for which there is no field are left out" do
      settings = {frequency_penalty: 1, presence_penalty: 1, seed: 7}
      expect(body(settings: settings).keys).to match_array(%i[model max_tokens system stream messages])
    end

    it "have several stop sequences" do
      expect(body(settings: {stop: %w[a b]})[:stop_sequences]).to eq(%w[a b])
    end

    it "with extra_body override, nil removes, and the stream stays a stream" do
      extra = {"top_k" => 5, "system" => nil, "max_tokens" => 9, "stream" => false, "thinking" => {type: "disabled"}}
      expect(body(settings: {extra_body: extra, reasoning_effort: "high"}))
        .to include(top_k: 5, max_tokens: 9, stream: true, thinking: {type: "disabled"}).and not_include(:system)
    end

    it "with extra_headers override" do
      headers = request(settings: {extra_headers: {"Anthropic-Version" => "x"}})[:headers]
      expect(headers.select { |name, _| name.casecmp?("anthropic-version") }).to eq("Anthropic-Version" => "x")
    end

    {"claude-3-haiku-20240307" => 4096, "claude-3-5-sonnet-20241022" => 8192, "claude-3-5-haiku-latest" => 8192,
     "claude-3-7-sonnet-20250219" => 64_000, "claude-opus-4-20250514" => 32_000, "claude-opus-4-0" => 32_000,
     "claude-opus-4-1-20250805" => 32_000, "claude-4-opus-20250514" => 32_000, "claude-sonnet-4-20250514" => 64_000,
     "claude-opus-4-5-20251101" => 64_000, "claude-haiku-4-5" => 64_000, "claude-sonnet-5" => 64_000,
     "claude-mythos-preview" => 64_000, "anthropic/claude-2.1" => 4096, "kimi-k2" => 8192}.each do |model, limit|
      it "limit an answer of #{model} to #{limit} tokens where nobody did" do
        expect(body(model: model)[:max_tokens]).to eq(limit)
      end
    end

    %w[claude-3-opus-20240229 claude-sonnet-4-5 claude-opus-4-6 kimi-k2].each do |model|
      it "tell #{model} a temperature" do
        expect(body(model: model, settings: {temperature: 0})[:temperature]).to eq(0)
      end
    end

    %w[claude-opus-4-7 claude-sonnet-5 claude-fable-5-1 claude-mythos-preview].each do |model|
      it "tell #{model} no temperature, which it would refuse" do
        expect(body(model: model, settings: {temperature: 0.5, top_p: 0.9}).keys & %i[temperature top_p]).to be_empty
      end
    end

    it "tell top_p only where there is no temperature, since the API refuses both" do
      expect(body(settings: {top_p: 0.5})[:top_p]).to eq(0.5)
      expect(body(settings: {top_p: 0.5, temperature: 1}).slice(:top_p, :temperature)).to eq(temperature: 1)
    end
  end

  describe "reasoning_effort" do
    def fields(model, effort, **settings)
      built = body(model: model, settings: {reasoning_effort: effort, **settings}, tools: tools)
      built.slice(:thinking, :output_config, :max_tokens, :temperature)
    end

    it "is a budget up to Claude 4.5, below the answer's limit" do
      {"minimal" => 1024, "low" => 4096, "medium" => 8192, "high" => 16_384, "xhigh" => 24_576,
       "max" => 24_576, "enormous" => 16_384}.each do |effort, budget|
        expect(fields("claude-sonnet-4-5", effort))
          .to eq(thinking: {type: "enabled", budget_tokens: budget}, max_tokens: 64_000)
      end
    end

    it "raises a limit that leaves no room for the budget, as far as the model goes" do
      expect(fields("claude-sonnet-4-5", "low", max_tokens: 5000)[:max_tokens]).to eq(5000)
      expect(fields("claude-sonnet-4-5", "low", max_tokens: 4096)[:max_tokens]).to eq(8192)
      expect(fields("claude-opus-4-1", "high", max_tokens: 16_000)[:max_tokens]).to eq(32_000)
      expect(fields("kimi-k2", "high")[:max_tokens]).to eq(24_576)
    end

    %w[claude-opus-4-6 claude-sonnet-4-6 claude-sonnet-5 claude-fable-5].each do |model|
      it "is an effort for #{model}, whose thinking is asked for as a summary" do
        expect(fields(model, "medium")).to eq(thinking: {type: "adaptive", display: "summarized"},
          output_config: {effort: "medium"}, max_tokens: 64_000)
        expect(fields(model, :minimal)[:output_config]).to eq(effort: "low")
      end
    end

    it "is nothing to models that do not think" do
      expect(fields("claude-3-5-haiku-latest", "high", temperature: 0.5)).to eq(max_tokens: 8192, temperature: 0.5)
    end

    it "of none turns off what thinks by itself, where it lets itself be turned off" do
      expect(fields("claude-sonnet-5", "none")[:thinking]).to eq(type: "disabled")
      expect(fields("claude-fable-5", "none")).to eq(max_tokens: 64_000)
      expect(fields("claude-sonnet-4-5", "none", temperature: 0.5)).to eq(max_tokens: 64_000, temperature: 0.5)
    end

    it "sends no temperature, which the API refuses beside thinking" do
      expect(fields("claude-sonnet-4-5", "low", temperature: 0.5)).not_to include(:temperature)
      expect(fields("claude-opus-4-6", "low", temperature: 0.5)).not_to include(:temperature)
    end

    it "is no thinking where a tool is forced, which the API refuses" do
      expect(fields("claude-sonnet-4-5", "high", tool_choice: "required", temperature: 1))
        .to eq(max_tokens: 64_000, temperature: 1)
      expect(fields("claude-sonnet-5", "high", tool_choice: "weather"))
        .to eq(output_config: {effort: "high"}, max_tokens: 64_000)
    end
  end

  describe "response_format" do
    schema = {type: "object", properties: {city: {type: "string"}}, required: ["city"], additionalProperties: false}

    it "is an output format with the schema alone" do
      format = {type: "json_schema", json_schema: {name: "place", strict: true, schema: schema}}
      expect(body(settings: {response_format: format})[:output_config])
        .to eq(format: {type: "json_schema", schema: schema})
    end

    it "may be written as Anthropic does, with String keys, and beside an effort" do
      format = {"type" => "json_schema", "schema" => schema}
      settings = {response_format: format, reasoning_effort: "low"}
      expect(body(model: "claude-sonnet-5", settings: settings)[:output_config])
        .to eq(effort: "low", format: {type: "json_schema", schema: schema})
    end

    it "of text is none" do
      expect(body(settings: {response_format: {type: "text"}})).to not_include(:output_config)
    end

    [{type: "json_object"}, {type: "json_schema"}, {type: "json_schema", json_schema: {name: "x"}}].each do |format|
      it "of #{format} is refused, since there is no such thing without a schema" do
        expect { request(settings: {response_format: format}) }
          .to raise_error(RAAF::Errors::InvalidRequestError, /by a schema only/)
      end
    end
  end

  describe "tools" do
    it "are sent in Anthropic's form" do
      expect(body(tools: tools)[:tools])
        .to eq([{name: "weather", description: "Tells it", input_schema: {type: "object"}}])
    end

    it "may have nothing but a name, be strict, be cached, or have String keys" do
      given = [{type: "function", function: {name: "now"}}, {type: "function", function: {name: "f", strict: true}},
        {"type" => "function", "cache_control" => {type: "ephemeral"},
         "function" => {"name" => "g", "strict" => false}}]
      none = {type: "object", properties: {}}
      expect(body(tools: given)[:tools]).to eq(
        [{name: "now", input_schema: none}, {name: "f", input_schema: none, strict: true},
          {name: "g", input_schema: none, cache_control: {type: "ephemeral"}}]
      )
    end

    it "of Anthropic's own go as they are" do
      search = {type: "web_search_20250305", name: "web_search", max_uses: 2}
      expect(body(tools: [search])[:tools]).to eq([search])
    end

    {
      "auto" => {type: "auto"}, :required => {type: "any"}, "any" => {type: "any"}, "none" => {type: "none"},
      "weather" => {type: "tool", name: "weather"},
      {type: "function", function: {name: "weather"}} => {type: "tool", name: "weather"},
      {"type" => "function", "function" => {"name" => "weather"}} => {type: "tool", name: "weather"},
      {type: "tool", name: "weather"} => {type: "tool", name: "weather"}
    }.each do |choice, sent|
      it "are chosen with #{choice.inspect}" do
        expect(body(tools: tools, settings: {tool_choice: choice})[:tool_choice]).to eq(sent)
      end
    end

    it "are called one at a time where parallel calls are switched off" do
      [[nil, "auto"], ["required", "any"]].each do |choice, type|
        expect(body(tools: tools, settings: {tool_choice: choice, parallel_tool_calls: false})[:tool_choice])
          .to eq(type: type, disable_parallel_tool_use: true)
      end
      expect(body(tools: tools, settings: {tool_choice: "none", parallel_tool_calls: false})[:tool_choice])
        .to eq(type: "none")
      expect(body(tools: tools, settings: {parallel_tool_calls: true})).to not_include(:tool_choice)
    end

    it "are not mentioned where there are none" do
      expect(body(settings: {tool_choice: "auto", parallel_tool_calls: false}).keys & %i[tools tool_choice]).to be_empty
    end
  end

  describe "the system's messages" do
    it "are one text, wherever they stand" do
      messages.push({role: "developer", content: [{type: "text", text: "Be "}, {type: "text", text: "kind."}]})
      expect(body).to include(system: "Be brief.\n\nBe kind.", messages: [{role: "user", content: "Hello"}])
    end

    it "are blocks where one has more than text" do
      cached = {type: "text", text: "Long.", cache_control: {type: "ephemeral"}}
      messages.push({role: "system", content: [cached]})
      expect(body[:system]).to eq([{type: "text", text: "Be brief."}, cached])
    end

    it "are left out where they say nothing" do
      messages.first[:content] = " "
      expect(body).to not_include(:system)
    end
  end

  describe "messages" do
    it "of one side that follow one another become one turn" do
      expect(turns({role: "user", content: "a"}, {role: "user", content: "b"}, {role: "assistant", content: "c"}))
        .to eq([{role: "user", content: [{type: "text", text: "a"}, {type: "text", text: "b"}]},
          {role: "assistant", content: "c"}])
    end

    it "without any text are left out, which the API would refuse" do
      expect(turns({role: "user", content: "a"}, {role: "assistant", content: "\n\n"}, {role: "user", content: ""},
        {role: "user", content: [{type: "text", text: " "}]}, {role: "user", content: nil}))
        .to eq([{role: "user", content: "a"}])
    end

    it "lose what the API has no field for" do
      expect(turns({role: "user", content: "a", name: "Ann"})).to eq([{role: "user", content: "a"}])
    end

    it "keep cache_control of a text" do
      part = {type: "text", text: "a", cache_control: {type: "ephemeral"}}
      expect(user_blocks(part)).to eq([part])
    end

    it "keep parts of Anthropic's own" do
      part = {type: "search_result", source: "s", title: "t", content: [{type: "text", text: "x"}]}
      expect(user_blocks({type: "text", text: "a"}, part)).to eq([{type: "text", text: "a"}, part])
    end
  end

  describe "images and files" do
    it "are images by address, by value and by id" do
      expect(user_blocks({type: "image_url", image_url: {url: "https://x/y.png", detail: "low"}},
        {type: "image_url", image_url: {url: "data:image/png;base64,AAAA"}, cache_control: {type: "ephemeral"}},
        {type: "file", file: {file_data: "data:image/webp;base64,BBBB"}}))
        .to eq([{type: "image", source: {type: "url", url: "https://x/y.png"}},
          {type: "image", source: {type: "base64", media_type: "image/png", data: "AAAA"},
           cache_control: {type: "ephemeral"}},
          {type: "image", source: {type: "base64", media_type: "image/webp", data: "BBBB"}}])
    end

    it "are documents by address, by value and by id" do
      expect(user_blocks({type: "file", file: {file_data: "data:application/pdf;base64,AAAA", filename: "a.pdf"}},
        {type: "file", file: {file_data: "https://x/y.pdf"}}, {type: "file", file: {file_id: "file_1"},
                                                               citations: {enabled: true}, title: "T", context: "C"}))
        .to eq([{type: "document", source: {type: "base64", media_type: "application/pdf", data: "AAAA"},
                 title: "a.pdf"},
          {type: "document", source: {type: "url", url: "https://x/y.pdf"}},
          {type: "document", source: {type: "file", file_id: "file_1"}, citations: {enabled: true}, title: "T",
           context: "C"}])
    end

    it "are texts where they are files of text" do
      data = ["Größe\n"].pack("m0")
      expect(user_blocks({type: "file", file: {file_data: "data:text/csv;base64,#{data}"}}))
        .to eq([{type: "document", source: {type: "text", media_type: "text/plain", data: "Größe\n"}}])
    end

    it "are refused where Claude cannot take them" do
      [{type: "input_audio", input_audio: {data: "AAAA", format: "wav"}},
        {type: "file", file: {file_data: "data:application/zip;base64,AAAA"}}].each do |part|
        expect { user_blocks(part) }
          .to raise_error(RAAF::Errors::InvalidRequestError, /\AClaude takes texts, images and PDFs, not (sound|files)/)
      end
    end
  end

  describe "tool calls and their results" do
    calls = [{id: "toolu_1", type: "function", function: {name: "weather", arguments: "{\"city\":\"Rome\"}"}},
      {id: "toolu_2", type: "function", function: {name: "now", arguments: ""}}]
    uses = [{type: "tool_use", id: "toolu_1", name: "weather", input: {city: "Rome"}},
      {type: "tool_use", id: "toolu_2", name: "now", input: {}}]

    it "are blocks of the assistant, behind its text" do
      expect(turns({role: "assistant", content: "I look.", tool_calls: calls}).first)
        .to eq(role: "assistant", content: [{type: "text", text: "I look."}, *uses])
      expect(turns({role: "assistant", content: nil, tool_calls: calls}).first[:content]).to eq(uses)
    end

    it "are all results of a turn in one message of the user, before what the user says" do
      expect(turns({role: "assistant", content: "", tool_calls: calls},
        {role: "tool", tool_call_id: "toolu_1", name: "weather", content: "Sunny"},
        {role: "user", content: "Hurry"}, {role: "tool", tool_call_id: "toolu_2", content: ""}).last)
        .to eq(role: "user", content: [{type: "tool_result", tool_use_id: "toolu_1", content: "Sunny"},
          {type: "tool_result", tool_use_id: "toolu_2"}, {type: "text", text: "Hurry"}])
    end

    it "may hold images" do
      image = {type: "image_url", image_url: {url: "https://x/y.png"}}
      expect(turns({role: "tool", tool_call_id: "a", content: [{type: "text", text: "See"}, image]}).first[:content])
        .to eq([{type: "tool_result", tool_use_id: "a", content: [{type: "text", text: "See"},
          {type: "image", source: {type: "url", url: "https://x/y.png"}}]}])
    end
  end

  describe "what an answer had besides text" do
    thinking = {type: "thinking", thinking: "Hm", signature: "S"}

    def answer(content, *items, provider: "anthropic", **message)
      parts = {provider: provider, items: items.map { |at, part| {at: at, part: part} }}
      turns({role: "assistant", content: content, parts: parts, **message}).first[:content]
    end

    it "goes back where it stood" do
      search = {type: "server_tool_use", id: "srvtoolu_1", name: "web_search", input: {query: "x"}}
      result = {type: "web_search_tool_result", tool_use_id: "srvtoolu_1", content: []}
      call = {id: "toolu_1", function: {name: "f", arguments: "{}"}}
      expect(answer("I seé. So.", [0, thinking], [7, search], [7, result], tool_calls: [call])).to eq(
        [thinking, {type: "text", text: "I seé."}, search, result, {type: "text", text: " So."},
          {type: "tool_use", id: "toolu_1", name: "f", input: {}}]
      )
    end

    it "goes back only to who said it" do
      expect(answer("Hi", [0, thinking], provider: "gemini")).to eq("Hi")
    end

    it "goes back without thinking that has no signature, which the API would refuse" do
      expect(answer("Hi", [0, {type: "thinking", thinking: "Hm", signature: ""}])).to eq("Hi")
    end

    it "has a text's citations in the text's place" do
      cited = [{type: "text", text: "A.", citations: [{url: "u"}]}, {type: "text", text: "B.", citations: [{url: "v"}]}]
      expect(answer("So: A.B. End", [6, cited[0]], [8, cited[1]]))
        .to eq([{type: "text", text: "So: "}, *cited, {type: "text", text: " End"}])
      expect(answer("A.", [2, cited[0]])).to eq(cited.first(1))
    end

    it "loses citations of a text that somebody has changed" do
      cited = [{type: "text", text: "A.", citations: [{url: "u"}]}, {type: "text", text: "A.", citations: [{url: "v"}]}]
      expect(answer("Other", [2, cited[0]])).to eq([{type: "text", text: "Ot"}, {type: "text", text: "her"}])
      expect(answer("A.", [2, cited[0]], [4, cited[1]])).to eq(cited.first(1))
    end

    it "has a call with its caller once, and not where the call is gone" do
      part = {type: "tool_use", id: "toolu_1", name: "f", input: {}, caller: {type: "code", tool_id: "s"}}
      call = {id: "toolu_1", function: {name: "f", arguments: "{}"}}
      expect(answer("", [0, part], tool_calls: [call])).to eq([part])
      expect(answer("Hi", [0, part])).to eq("Hi")
    end
  end

  describe "the environment" do
    it "is read at each request" do
      provider = described_class.new
      keys = %w[sk-ant-first sk-ant-second].map do |key|
        with_env("ANTHROPIC_API_KEY" => key) { request(provider)[:headers]["x-api-key"] }
      end
      expect(keys).to eq(%w[sk-ant-first sk-ant-second])
    end

    it "may hold a bearer token and the address" do
      with_env("ANTHROPIC_AUTH_TOKEN" => "token-from-env", "ANTHROPIC_BASE_URL" => "http://localhost:1234") do
        built = request(described_class.new)
        expect(built[:url]).to eq("http://localhost:1234/v1/messages")
        expect(built[:headers]).to include("Authorization" => "Bearer token-from-env").and not_include("x-api-key")
        expect(built[:secrets]).to include("token-from-env")
      end
    end

    it "gives way to what is given, a key before a token" do
      with_env("ANTHROPIC_API_KEY" => "sk-ant-env", "ANTHROPIC_AUTH_TOKEN" => "token-from-env") do
        expect(request(described_class.new)[:headers]).to include("x-api-key" => "sk-ant-env")
        expect(request(described_class.new(auth_token: "given"))[:headers])
          .to include("Authorization" => "Bearer given").and not_include("x-api-key")
        expect(request(described_class.new(auth_token: "given", api_key: "sk-ant-given"))[:headers])
          .to include("x-api-key" => "sk-ant-given").and not_include("Authorization")
      end
    end

    it "counts an empty token as missing" do
      with_env("ANTHROPIC_API_KEY" => "", "ANTHROPIC_AUTH_TOKEN" => "") do
        expect { request(described_class.new) }.to raise_error(RAAF::Errors::ConfigurationError)
        expect { request(described_class.new(auth_token: "")) }.to raise_error(RAAF::Errors::ConfigurationError)
      end
    end
  end

  it "needs no key where the headers authorize" do
    provider = described_class.new(headers: {"X-Api-Key" => nil, "Authorization" => "Bearer gateway-key"})
    expect(request(provider)).to include(secrets: ["Bearer gateway-key", "gateway-key"])
  end

  describe "base_url" do
    {
      "https://gateway" => "https://gateway/v1/messages",
      "https://gateway/" => "https://gateway/v1/messages",
      "https://gateway/v1" => "https://gateway/v1/messages",
      "https://gateway/v1/" => "https://gateway/v1/messages",
      "https://gateway/v1/messages" => "https://gateway/v1/messages",
      "https://gateway/anthropic" => "https://gateway/anthropic/v1/messages",
      "https://gateway/v1?a=1" => "https://gateway/v1/messages?a=1"
    }.each do |base, url|
      it "leads #{base.inspect} to #{url}" do
        expect(request(described_class.new(api_key: "k", base_url: base))[:url]).to eq(url)
      end
    end
  end

  describe "before a byte is sent" do
    it "refuses a line break in a token, whose value it does not say" do
      expect { described_class.new(auth_token: "tok\nX: y") }.to raise_error(ArgumentError, /\Aauth_token holds a line/)
      with_env("ANTHROPIC_AUTH_TOKEN" => "tok\n") do
        expect { request(described_class.new) }.to raise_error(ArgumentError, /\AANTHROPIC_AUTH_TOKEN holds a line/)
      end
    end
  end

  it_behaves_like "a provider that demands a key", "ANTHROPIC_API_KEY"
  it_behaves_like "a provider that refuses line breaks", "ANTHROPIC_API_KEY"
  it_behaves_like "a provider that keeps its secrets", api_key: "sk-ant-test-key", auth_token: "hidden-token"

  it "writes on from a message of its own up to Claude 4.5, as long as it does not think" do
    provider = described_class.new(api_key: "key")
    expect(%w[claude-3-5-haiku-latest claude-opus-4-5 claude-sonnet-4-5].map { |model| provider.writes_on?(model) })
      .to all(be(true))
    expect(%w[claude-opus-4-6 claude-sonnet-5 kimi-k2].map { |model| provider.writes_on?(model) }).to all(be(false))
    expect(provider.writes_on?("claude-sonnet-4-5", {reasoning_effort: "low"})).to be(false)
    expect(provider.writes_on?("claude-sonnet-4-5", {reasoning_effort: "none"})).to be(true)
    thinking = {thinking: {type: "enabled", budget_tokens: 2000}}
    expect(provider.writes_on?("claude-sonnet-4-5", {extra_body: thinking})).to be(false)
    expect(described_class.new(api_key: "key", extra_body: thinking).writes_on?("claude-sonnet-4-5")).to be(false)
    expect(RAAF::Streaming::Providers::OpenAIChat.new(api_key: "key").writes_on?("gpt-4o")).to be(false)
  end
end
