# frozen_string_literal: true

# Classes as raaf-core and raaf-providers have them: what they inherit from, and where they keep key and address.
RSpec.describe RAAF::Streaming::CoreProviders do
  # @param variables [Hash] instance variables, as its initialize sets them
  def core_provider(name, parent: nil, streams: true, **variables)
    interface = Class.new do
      if streams
        define_method(:stream_completion) { |messages:, model:, tools: nil, &block|
          block&.call({type: "done"})
        }
      end
    end
    stub_const("RAAF::Models::ModelInterface", interface)
    parent_class = parent ? stub_const("RAAF::Models::#{parent}", Class.new(interface)) : interface
    set_up(stub_const(name.include?("::") ? name : "RAAF::Models::#{name}", Class.new(parent_class)).new, variables)
  end

  def set_up(provider, variables)
    {api_key: "sk-test-key-1", api_base: "https://api.example.com/v1"}.merge(variables).each do |name, value|
      provider.instance_variable_set(:"@#{name}", value)
    end
    provider
  end

  def request(provider)
    RAAF::Models.adapt(provider).build_request(messages: [], model: "m")
  end

  # Ours for a dialect.
  def our_provider(name, default)
    stub_const("RAAF::Streaming::Providers::#{name}", Class.new(RAAF::Streaming::Providers::OpenAIChat))
      .const_set(:DEFAULT_BASE_URL, default)
  end

  def adapted(provider)
    made = RAAF::Models.adapt(provider)
    [made.class.name.split("::").last, made.base_url, made.name]
  end

  %w[OpenAIProvider GroqProvider HuggingFaceProvider MoonshotProvider TogetherProvider XAIProvider
    OpenRouterProvider].each do |name|
    it "makes #{name} stream with its own key and address" do
      expect(request(core_provider(name))).to include(
        url: "https://api.example.com/v1/chat/completions", dialect: :openai_chat,
        provider: name.delete_suffix("Provider").downcase,
        headers: include("Authorization" => "Bearer sk-test-key-1")
      )
    end
  end

  it "makes every OpenAI-compatible one stream" do
    expect(request(core_provider("NovelProvider", parent: "OpenAICompatibleProvider"))[:provider]).to eq("novel")
  end

  it "makes an application's own that inherits from one of them stream" do
    expect(request(core_provider("OwnProvider::OwnGroq", parent: "GroqProvider"))[:url]).to start_with("https://api.ex")
  end

  it "finds Perplexity's address in its client" do
    client = set_up(Object.new, {api_base: "https://api.perplexity.ai"})
    expect(request(core_provider("PerplexityProvider", api_base: nil, http_client: client))[:url])
      .to eq("https://api.perplexity.ai/chat/completions")
  end

  it "finds LiteLLM's, which needs no key and then gets none of the environment's" do
    with_env("OPENAI_API_KEY" => "sk-env-key-1") do
      sent = request(core_provider("LitellmProvider", api_key: nil, base_url: "http://localhost:8000"))
      expect(sent[:url]).to eq("http://localhost:8000/v1/chat/completions")
      expect(sent[:headers]).not_to have_key("Authorization")
    end
  end

  it "sends what OpenRouter's sends of the application" do
    headers = request(core_provider("OpenRouterProvider", site_url: "https://me.example", site_name: "Me"))[:headers]
    expect(headers).to include("HTTP-Referer" => "https://me.example", "X-Title" => "Me")
  end

  it "tells nobody else of the organization at OpenAI" do
    with_env("OPENAI_ORG_ID" => "org-1", "OPENAI_PROJECT_ID" => "proj-1") do
      sent = %w[OpenAIProvider GroqProvider].map { |name| request(core_provider(name))[:headers].keys.grep(/OpenAI-/) }
      expect(sent).to eq([%w[OpenAI-Organization OpenAI-Project], []])
    end
  end

  describe "where ours of the dialect is there" do
    {"ResponsesProvider" => ["OpenAIResponses", "https://x.example", "/responses"],
     "AnthropicProvider" => ["Anthropic", "https://x.example", "/v1/messages"],
     "GeminiProvider" => ["Gemini", "https://x.example/v1beta", "/v1beta/models/m:streamGenerateContent?alt=sse"]}
      .each do |theirs, (ours, base, path)|
      it "makes #{ours} of #{theirs}, with the end of the address where theirs leaves it to the request" do
        provider = core_provider(theirs, api_base: "https://x.example")
        expect(adapted(provider).first(2)).to eq([ours, base])
        expect(request(provider)[:url]).to eq("https://x.example#{path}")
      end
    end

    it "prefers one that has the name of theirs" do
      our_provider("Moonshot", "https://y.example")
      expect(adapted(core_provider("MoonshotProvider")).first).to eq("Moonshot")
    end

    it "makes Ollama of OllamaProvider, which has a host and no key" do
      provider = core_provider("OllamaProvider", api_key: nil, host: "http://me:11434")
      with_env("OLLAMA_API_KEY" => "env-key-1") do
        expect(adapted(provider)).to eq(["Ollama", "http://me:11434", "ollama"])
        expect(request(provider)[:url]).to eq("http://me:11434/api/chat")
        expect(request(provider)[:headers]).not_to have_key("Authorization")
      end
    end

    it "makes one of the server's own name of an OpenAI-compatible one" do
      our_provider("Novel", "https://y.example")
      expect(adapted(core_provider("NovelProvider", parent: "OpenAICompatibleProvider")).first).to eq("Novel")
    end
  end

  it "calls stream_completion of one that speaks a dialect of its own" do
    made = RAAF::Models.adapt(core_provider("CohereProvider"))
    expect([made.class, made.name]).to eq([RAAF::Streaming::CoreBridge, "cohere"])
  end

  %i[stream_completion perform_stream_completion].each do |method|
    it "calls it too where a class of the application's has #{method} of its own" do
      provider = core_provider("OwnProvider::OwnGroq", parent: "GroqProvider")
      provider.class.define_method(method) { |**| nil }
      expect(RAAF::Models.adapt(provider)).to be_a(RAAF::Streaming::CoreBridge)
    end
  end

  it "calls it too of any object that has it" do
    expect(RAAF::Models.adapt(Class.new { def stream_completion(**) = nil }.new)).to be_a(RAAF::Streaming::CoreBridge)
  end

  it "leaves alone what can stream by itself, and what nothing is known of" do
    ready = Class.new { def build_request(**) = nil }.new
    expect([RAAF::Models.adapt(ready), RAAF::Models.adapt("x")]).to eq([ready, "x"])
  end

  it "refuses one whose address is unknown, rather than send its key to OpenAI" do
    expect { RAAF::Models.adapt(core_provider("GroqProvider", api_base: nil)) }
      .to raise_error(RAAF::Errors::ConfigurationError, /no api_key or no address/)
  end

  it "refuses one whose key is unknown, rather than send it OpenAI's" do
    with_env("OPENAI_API_KEY" => "sk-env-key-1") do
      expect { RAAF::Models.adapt(core_provider("GroqProvider", api_key: nil)) }
        .to raise_error(RAAF::Errors::ConfigurationError, /no api_key or no address/)
    end
  end
end
