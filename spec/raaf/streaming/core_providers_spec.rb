# frozen_string_literal: true

# Classes as raaf-core and raaf-providers have them: what they inherit from, and where they keep key and address.
RSpec.describe RAAF::Streaming::CoreProviders do
  def core_provider(name, parent: nil, base: "https://api.example.com/v1", key: "sk-test-key-1")
    interface = Class.new
    stub_const("RAAF::Models::ModelInterface", interface)
    parent_class = parent ? stub_const("RAAF::Models::#{parent}", Class.new(interface)) : interface
    provider_class = stub_const("RAAF::Models::#{name}", Class.new(parent_class))
    provider_class.new.tap do |provider|
      provider.instance_variable_set(:@api_key, key)
      provider.instance_variable_set(:@api_base, base)
    end
  end

  def request(provider)
    RAAF::Models.adapt(provider).build_request(messages: [], model: "m")
  end

  {"ResponsesProvider" => "openai", "GroqProvider" => "groq",
   "OpenRouterProvider" => "openrouter"}.each do |name, known_as|
    it "makes #{name} stream with its own key and address" do
      expect(request(core_provider(name))).to include(
        url: "https://api.example.com/v1/chat/completions", provider: known_as,
        headers: include("Authorization" => "Bearer sk-test-key-1")
      )
    end
  end

  it "makes every OpenAI-compatible one stream" do
    expect(request(core_provider("NovelProvider", parent: "OpenAICompatibleProvider"))[:provider]).to eq("novel")
  end

  it "refuses one that speaks another dialect" do
    expect { RAAF::Models.adapt(core_provider("AnthropicProvider")) }
      .to raise_error(RAAF::Errors::ConfigurationError, /AnthropicProvider cannot stream in this version/)
  end

  it "refuses one whose address is unknown, rather than send its key to OpenAI" do
    expect { RAAF::Models.adapt(core_provider("GroqProvider", base: nil)) }
      .to raise_error(RAAF::Errors::ConfigurationError, /no api_key or no api_base/)
  end

  it "refuses one whose key is unknown, rather than send it OpenAI's" do
    with_env("OPENAI_API_KEY" => "sk-env-key-1") do
      expect { RAAF::Models.adapt(core_provider("GroqProvider", key: nil)) }
        .to raise_error(RAAF::Errors::ConfigurationError, /no api_key or no api_base/)
    end
  end
end
