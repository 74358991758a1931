# frozen_string_literal: true

require "json"

# What each server of the OpenAI family is asked, in its own words.
RSpec.describe RAAF::Streaming::Providers do
  conversation = [{role: "developer", content: "Be brief."}, {role: "user", content: "Hello", name: "ann"}].freeze
  tools = [{type: "function", function: {name: "weather", parameters: {type: "object"}}}].freeze
  schema = {type: "json_schema", json_schema: {name: "city", schema: {type: "object"}, strict: true}}.freeze
  all = {temperature: 0.5, top_p: 0.9, max_tokens: 50, stop: ["x"], response_format: {type: "json_object"},
         parallel_tool_calls: false, frequency_penalty: 0.1, presence_penalty: 0.2, seed: 7, reasoning_effort: "low",
         user: "u1", tool_choice: "required"}.freeze

  around do |example|
    names = ENV.keys.grep(/_API_KEY\z|_BASE_URL\z|\AOPENAI_|\AAZURE_|\AOPENROUTER_/)
    with_env(names.to_h { |name| [name, nil] }) { example.run }
  end

  def request(provider, messages: [{role: "user", content: "Hello"}], model: "some-model", **options)
    provider.build_request(messages: messages, model: model, **options)
  end

  def body(...)
    JSON.parse(request(...)[:body], symbolize_names: true)
  end

  # What every setting becomes, and what else is in a request that has them all.
  {
    Groq: {
      url: "https://api.groq.com/openai/v1/chat/completions", sent: {max_completion_tokens: 50, user: "u1", seed: 7},
      left_out: %i[max_tokens], usage: {stream_options: {include_usage: true}}, role: "system", name: nil
    },
    OpenRouter: {
      url: "https://openrouter.ai/api/v1/chat/completions", sent: {max_tokens: 50, user: "u1", seed: 7},
      left_out: %i[stream_options], usage: {usage: {include: true}}, role: "developer", name: "ann"
    },
    DeepSeek: {
      url: "https://api.deepseek.com/chat/completions", sent: {max_tokens: 50, user_id: "u1"},
      left_out: %i[seed user parallel_tool_calls], usage: {stream_options: {include_usage: true}}, role: "system",
      name: "ann"
    },
    Mistral: {
      url: "https://api.mistral.ai/v1/chat/completions",
      sent: {max_tokens: 50, random_seed: 7, tool_choice: "any", parallel_tool_calls: false},
      left_out: %i[seed user stream_options], usage: {}, role: "system", name: nil
    },
    XAI: {
      url: "https://api.x.ai/v1/chat/completions", sent: {max_completion_tokens: 50, seed: 7, user: "u1", stop: ["x"]},
      left_out: %i[max_tokens frequency_penalty presence_penalty], usage: {stream_options: {include_usage: true}},
      role: "system", name: "ann"
    },
    Perplexity: {
      url: "https://api.perplexity.ai/chat/completions", sent: {max_tokens: 50, reasoning_effort: "low"},
      left_out: %i[seed user stream_options], usage: {}, role: "system", name: "ann"
    },
    Together: {
      url: "https://api.together.xyz/v1/chat/completions", sent: {max_tokens: 50, seed: 7},
      left_out: %i[user parallel_tool_calls stream_options], usage: {}, role: "system", name: "ann"
    }
  }.each do |name, expected|
    describe "#{name}, asked with every setting" do
      let(:provider) { described_class.const_get(name).new(api_key: "a-test-key") }
      let(:sent) { body(provider, messages: conversation, settings: all, tools: tools) }

      it "is asked at its address, with its key" do
        expect(request(provider)).to include(url: expected[:url], dialect: :openai_chat, provider: provider.name)
        expect(request(provider)[:headers]).to include("Authorization" => "Bearer a-test-key")
      end

      it "gets what it takes, under its names, and nothing that it refuses" do
        expect(sent).to include(model: "some-model", stream: true, temperature: 0.5, top_p: 0.9, tools: tools,
          **expected[:sent], **expected[:usage])
        expect(sent.keys & expected[:left_out]).to be_empty
        expect(sent.keys).not_to include(:extra_body, :extra_headers, :parts)
      end

      it "gets the system's message and the author's name as it knows them" do
        expect(sent[:messages].first).to eq(role: expected[:role], content: "Be brief.")
        expect(sent[:messages].last).to eq({role: "user", content: "Hello", name: expected[:name]}.compact)
      end

      it "gets a tool's name, and no word of tools where there are none" do
        chosen = body(provider, settings: {tool_choice: "weather"}, tools: tools)[:tool_choice]

        expect(chosen).to eq(type: "function", function: {name: "weather"})
        expect(body(provider, settings: {tool_choice: "auto", parallel_tool_calls: true}).keys)
          .to match_array(%i[model messages stream] + expected[:usage].keys)
      end

      it "gets fields of extra_body, which win, and shows no key" do
        sent = body(provider, settings: {temperature: 1, extra_body: {top_k: 3, temperature: nil}})

        expect(sent).to include(top_k: 3)
        expect(sent).not_to include(:temperature)
        expect([provider.inspect, provider.to_json].join).not_to include("a-test-key")
      end
    end
  end

  %i[Groq OpenRouter Mistral XAI Perplexity Together].each do |name|
    it "asks #{name} for structured output as OpenAI is asked" do
      provider = described_class.const_get(name).new(api_key: "a-test-key")
      expect(body(provider, settings: {response_format: schema})[:response_format]).to eq(schema)
    end
  end

  describe "OpenRouter" do
    it "is told whose application asks" do
      provider = described_class::OpenRouter.new(api_key: "a-test-key", app_url: "https://example.com", app_name: "Ex")
      expect(request(provider)[:headers]).to include("HTTP-Referer" => "https://example.com", "X-Title" => "Ex")
    end

    it "is told so by the environment, or not at all" do
      provider = described_class::OpenRouter.new(api_key: "a-test-key")
      named = with_env("OPENROUTER_HTTP_REFERER" => "https://e.com", "OPENROUTER_APP_TITLE" => "E") { request(provider) }

      expect(named[:headers]).to include("HTTP-Referer" => "https://e.com", "X-Title" => "E")
      expect(request(provider)[:headers].keys).not_to include("HTTP-Referer", "X-Title")
    end

    it "limits tokens by the field that OpenAI's reasoning models want" do
      provider = described_class::OpenRouter.new(api_key: "a-test-key")
      expect(body(provider, model: "openai/o3", settings: {max_tokens: 5})).to include(max_completion_tokens: 5)
      expect(body(provider, model: "openai/gpt-4o", settings: {max_tokens: 5})).to include(max_tokens: 5)
    end
  end

  describe "DeepSeek" do
    let(:provider) { described_class::DeepSeek.new(api_key: "a-test-key") }

    it "is told of a schema in words, and asked for JSON" do
      sent = body(provider, messages: conversation, settings: {response_format: schema})

      expect(sent[:response_format]).to eq(type: "json_object")
      expect(sent[:messages].first).to match(role: "system", content: /JSON schema:\n\{"type":"object"\}\z/)
      expect(sent[:messages].map { |message| message[:role] }).to eq(%w[system system user])
    end

    it "is not told that it may choose among tools, which it refuses while it thinks" do
      expect(body(provider, settings: {tool_choice: "auto"}, tools: tools)).not_to include(:tool_choice)
      expect(body(provider, settings: {tool_choice: "none"}, tools: tools)).to include(tool_choice: "none")
    end
  end

  describe "Mistral" do
    let(:provider) { described_class::Mistral.new(api_key: "a-test-key") }

    def sent(*messages)
      body(provider, messages: messages)[:messages]
    end

    it "gets ids of tool calls that it takes, the same ones for call and result" do
      call = {id: "call_abc", type: "function", function: {name: "weather", arguments: "{}"}}
      asked, answered = sent({role: "assistant", content: "", tool_calls: [call, call.merge(id: "A1b2C3d4E")]},
        {role: "tool", tool_call_id: "call_abc", name: "weather", content: "rain"})

      expect(asked[:tool_calls].map { |one| one[:id] }).to match([/\A\h{9}\z/, "A1b2C3d4E"])
      expect(answered).to eq(role: "tool", tool_call_id: asked[:tool_calls].first[:id], name: "weather",
        content: "rain")
    end

    it "gets files, sounds and images in its own form" do
      content = [{type: "text", text: "Look"}, {type: "image_url", image_url: {url: "https://a/b.png"}},
        {type: "file", file: {file_data: "data:application/pdf;base64,QUJD", filename: "a.pdf"}},
        {type: "file", file: {file_id: "f1"}}, {type: "input_audio", input_audio: {data: "UklG", format: "wav"}}]

      expect(sent({role: "user", content: content}).first[:content]).to eq([
        {type: "text", text: "Look"}, {type: "image_url", image_url: {url: "https://a/b.png"}},
        {type: "document_url", document_url: "data:application/pdf;base64,QUJD", document_name: "a.pdf"},
        {type: "file", file_id: "f1"}, {type: "input_audio", input_audio: "UklG"}
      ])
    end

    it "takes any for a word, not for a tool's name" do
      expect(body(provider, settings: {tool_choice: "any"}, tools: tools)[:tool_choice]).to eq("any")
    end
  end

  describe "XAI" do
    let(:provider) { described_class::XAI.new(api_key: "a-test-key") }

    {"grok-4" => [], "grok-4-0709" => [], "grok-4-1-fast-reasoning" => [], "grok-code-fast-1" => [],
     "grok-3-mini" => %i[reasoning_effort], "grok-4.3" => %i[reasoning_effort],
     "grok-4.20-multi-agent-0309" => %i[reasoning_effort], "grok-4.20-0309-reasoning" => [],
     "grok-3" => %i[frequency_penalty presence_penalty], "grok-2-1212" => %i[frequency_penalty presence_penalty],
     "grok-4-1-fast-non-reasoning" => %i[frequency_penalty presence_penalty]}.each do |model, taken|
      it "gives #{model} of effort and penalties #{taken.empty? ? "nothing" : taken.join(" and ")}" do
        sent = body(provider, model: model,
          settings: all.slice(:reasoning_effort, :frequency_penalty, :presence_penalty))
        expect(sent.keys & %i[reasoning_effort frequency_penalty presence_penalty]).to match_array(taken)
      end
    end
  end

  describe "Perplexity" do
    let(:provider) { described_class::Perplexity.new(api_key: "a-test-key") }

    it "gets messages of the user that follow each other as one, because they must take turns" do
      image = {type: "image_url", image_url: {url: "https://a/b.png"}}
      sent = body(provider, messages: [{role: "user", content: "One"}, {role: "user", content: "Two"},
        {role: "assistant", content: "Three"}, {role: "user", content: "Four"}, {role: "user", content: [image]}])

      expect(sent[:messages]).to eq([{role: "user", content: "One\n\nTwo"}, {role: "assistant", content: "Three"},
        {role: "user", content: [{type: "text", text: "Four"}, image]}])
    end

    it "gets files by address or as Base64 alone" do
      content = [{type: "file", file: {file_data: "data:application/pdf;base64,QUJD", filename: "a.pdf"}},
        {type: "file", file: {file_data: "https://a/b.pdf"}}]

      expect(body(provider, messages: [{role: "user", content: content}])[:messages].first[:content]).to eq([
        {type: "file_url", file_url: {url: "QUJD"}, file_name: "a.pdf"},
        {type: "file_url", file_url: {url: "https://a/b.pdf"}}
      ])
    end
  end

  describe "AzureOpenAI" do
    def azure(**options)
      described_class::AzureOpenAI.new(api_key: "a-test-key", **options)
    end

    it "is asked at the deployment's address, with the API's version and the key in a header of its own" do
      built = request(azure(endpoint: "https://mine.openai.azure.com/", deployment: "a b", api_version: "2024-10-21"))

      expect(built).to include(provider: "azure", url: "https://mine.openai.azure.com/openai/deployments/a%20b/chat/" \
                                                       "completions?api-version=2024-10-21")
      expect(built[:headers]).to include("api-key" => "a-test-key")
      expect(built[:headers]).not_to include("Authorization")
      expect(built[:secrets]).to eq(["a-test-key"])
    end

    it "takes the model's name for the deployment's, and the rest from the environment" do
      with_env("AZURE_OPENAI_ENDPOINT" => "https://env.openai.azure.com", "OPENAI_API_VERSION" => "v9",
        "AZURE_OPENAI_API_KEY" => "an-env-key") do
        built = request(described_class::AzureOpenAI.new, model: "gpt-4o")
        expect(built).to match(include(headers: include("api-key" => "an-env-key"), url:
          "https://env.openai.azure.com/openai/deployments/gpt-4o/chat/completions?api-version=v9"))
      end
    end

    it "is asked at the v1 address without a version" do
      built = request(azure(base_url: "https://mine.openai.azure.com/openai/v1", deployment: "ignored"))
      expect(built[:url]).to eq("https://mine.openai.azure.com/openai/v1/chat/completions")
    end

    it "says what is missing before anything is sent" do
      expect {
        request(azure)
      }.to raise_error(RAAF::Errors::ConfigurationError, /address for azure: set AZURE_OPENAI_EN/)
      expect { request(azure(endpoint: "https://mine")) }
        .to raise_error(RAAF::Errors::ConfigurationError, /API version for azure: set OPENAI_API_VERSION/)
      expect { azure(endpoint: "mine") }.to raise_error(RAAF::Errors::ConfigurationError)
    end

    it "takes a token in place of a key" do
      provider = described_class::AzureOpenAI.new(base_url: "https://mine/openai/v1",
        headers: {"Authorization" => "Bearer entra", "api-key" => nil})
      expect(request(provider)[:headers]).to include("Authorization" => "Bearer entra")
    end

    it "gets everything that OpenAI takes" do
      sent = body(azure(base_url: "https://mine/openai/v1"), messages: conversation, settings: all, tools: tools)
      expect(sent).to include(all.except(:tool_choice), tool_choice: "required", stream_options: {include_usage: true})
      expect(sent[:messages]).to eq(conversation)
    end
  end

  describe "OpenAICompatible" do
    it "must know where it answers, and needs no key" do
      built = request(described_class::OpenAICompatible.new(base_url: "http://localhost:8000/v1", name: "vllm"))

      expect(built).to include(url: "http://localhost:8000/v1/chat/completions", provider: "vllm", secrets: [])
      expect(built[:headers]).not_to include("Authorization")
      expect { described_class::OpenAICompatible.new }.to raise_error(ArgumentError, /base_url/)
      expect { described_class::OpenAICompatible.new(base_url: nil) }.to raise_error(ArgumentError, /base_url/)
    end

    it "sends a key that is given, and reads none from the environment" do
      with_env("OPENAI_API_KEY" => "sk-not-yours", "OPENAI_ORG_ID" => "org") do
        headers = ["mine", nil].map do |key|
          request(described_class::OpenAICompatible.new(base_url: "http://localhost/v1", api_key: key))[:headers]
        end

        expect(headers.first).to include("Authorization" => "Bearer mine")
        expect(headers.join).not_to match(/sk-not-yours|org/)
      end
    end

    it "sends everything as it is given" do
      provider = described_class::OpenAICompatible.new(base_url: "http://localhost/v1")
      sent = body(provider, messages: conversation, settings: all, tools: tools)

      expect(sent).to include(**all, messages: conversation, stream_options: {include_usage: true})
    end
  end

  it "tells no server of the family OpenAI's organization and project" do
    with_env("OPENAI_ORG_ID" => "org", "OPENAI_PROJECT_ID" => "proj", "OPENAI_BASE_URL" => "http://mine/v1") do
      built = %i[Groq OpenRouter DeepSeek Mistral XAI Perplexity Together].map do |name|
        request(described_class.const_get(name).new(api_key: "a-test-key"))
      end

      expect(built.map { |one| one[:headers].keys }.flatten.grep(/openai/i)).to be_empty
      expect(built.map { |one| one[:url] }.grep(/mine/)).to be_empty
    end
  end

  {OpenRouter: "OPENROUTER_BASE_URL", Perplexity: "PERPLEXITY_BASE_URL", Together: "TOGETHER_BASE_URL"}
    .each do |name, variable|
    it "finds #{name} where #{variable} says" do
      with_env(variable => "http://localhost:9/x") do
        expect(request(described_class.const_get(name).new(api_key: "k"))[:url])
          .to eq("http://localhost:9/x/chat/completions")
      end
    end
  end
end
