# frozen_string_literal: true

require "raaf/testing"

RSpec.describe RAAF::Models do
  around { |example| with_env("OPENAI_BASE_URL" => nil) { example.run } }

  describe ".for_model" do
    %w[gpt-4o gpt-3.5-turbo o1 o3-mini o4-mini chatgpt-4o-latest].each do |model|
      it "is OpenAI's provider for #{model}" do
        expect(described_class.for_model(model)).to be_a(RAAF::Models::OpenAIProvider)
      end
    end

    {"grok-4" => :XAI, "deepseek-chat" => :DeepSeek, "mistral-large-latest" => :Mistral,
     "codestral-latest" => :Mistral, "ministral-8b-latest" => :Mistral, "magistral-medium-2509" => :Mistral,
     "pixtral-12b" => :Mistral, "sonar" => :Perplexity, "sonar-pro" => :Perplexity,
     "claude-sonnet-4-5" => :Anthropic, "gemini-2.5-pro" => :Gemini}.each do |model, name|
      it "is #{name} for #{model}" do
        expect(described_class.for_model(model)).to be_a(RAAF::Streaming::Providers.const_get(name))
      end
    end

    described_class::PREFIXES.each do |prefix, name|
      it "is #{name} for #{prefix}/…" do
        expect(described_class.for_model("#{prefix}/some/model-1")).to be_a(RAAF::Streaming::Providers.const_get(name))
      end
    end

    it "takes nothing for a name that only looks alike" do
      ["sonarqube", "my-gpt-4", "groq", "unknown/gpt-4o", "Groq/llama", "/gpt-4o", ""].each do |model|
        expect { described_class.for_model(model) }.to raise_error(RAAF::Errors::ConfigurationError)
      end
    end

    it "gives the classes that stand beside it" do
      expect(described_class.for_model("groq/x")).to be_a(RAAF::Models::GroqProvider)
      expect(described_class.for_model("openai/x")).to be_a(RAAF::Models::OpenAIProvider)
    end

    it "says how to give a provider for a model that nobody knows" do
      expect { described_class.for_model("llama-3") }
        .to raise_error(RAAF::Errors::ConfigurationError,
          /"llama-3": give provider: .* RAAF\.provider.*OPENAI_BASE_URL/)
    end

    it "takes any model for one of a server of its own" do
      with_env("OPENAI_BASE_URL" => "http://localhost:11434/v1") do
        expect(described_class.for_model("llama-3").base_url).to eq("http://localhost:11434/v1")
      end
    end
  end

  describe ".model_name" do
    {"openrouter/anthropic/claude-sonnet-4.5" => "anthropic/claude-sonnet-4.5", "groq/llama-3" => "llama-3",
     "gpt-4o" => "gpt-4o", "meta-llama/Llama-3" => "meta-llama/Llama-3", "openai/" => ""}.each do |model, name|
      it "is #{name.inspect} for #{model.inspect}" do
        expect(described_class.model_name(model)).to eq(name)
      end
    end
  end

  describe "in a run" do
    around do |example|
      RAAF::Testing::ModelServer.start do |server|
        @server = server
        with_env("OPENROUTER_BASE_URL" => server.base_url, "OPENROUTER_API_KEY" => "key") { example.run }
      end
    end

    def sent(**options)
      @server.script(deltas: ["Hi"])
      agent = RAAF::Agent.new(name: "A", model: options.delete(:model))
      result = RAAF::Streaming::AsyncRunner.new(agent: agent, **options).run_and_stream("Hello")
      [@server.requests.last.json[:model], result.model, result.provider]
    end

    it "what stands before the first slash is not sent" do
      expect(sent(model: "openrouter/anthropic/claude-sonnet-4.5"))
        .to eq(["anthropic/claude-sonnet-4.5", "anthropic/claude-sonnet-4.5", "openrouter"])
    end

    it "neither is it to the agent that a run is handed over to" do
      @server.script(tool_calls: [{name: "transfer_to_other", id: "call_1", arguments: {}}]).script(deltas: ["Hi"])
      other = RAAF::Agent.new(name: "Other", model: "openrouter/meta/llama")
      agent = RAAF::Agent.new(name: "A", model: "openrouter/openai/gpt-4o", handoffs: [other])

      expect(agent.run("Hello").model).to eq("meta/llama")
      expect(@server.requests.map { |request| request.json[:model] }).to eq(%w[openai/gpt-4o meta/llama])
    end

    it "a name goes whole to a provider that is given" do
      provider = RAAF::Models::OpenRouterProvider.new
      expect(sent(model: "openrouter/auto",
        provider: provider)).to eq(["openrouter/auto", "openrouter/auto", "openrouter"])
    end
  end

  describe ".register" do
    around do |example|
      before = described_class.instance_variable_get(:@registry)
      example.run
      described_class.instance_variable_set(:@registry, before)
    end

    it "teaches further names, the latest first" do
      described_class.register(/\Agpt-local/) { :local }
      expect([described_class.for_model("gpt-local-1"),
        described_class.for_model("gpt-4o").name]).to eq([:local, "openai"])
    end

    it "wins over what is known, and leaves its names whole" do
      described_class.register(%r{\Agroq/}) { :mine }
      expect([described_class.for_model("groq/x"), described_class.model_name("groq/x")]).to eq([:mine, "groq/x"])
    end

    it "needs a block" do
      expect { described_class.register(/x/) }.to raise_error(ArgumentError, /block/)
    end
  end

  describe ".adapt" do
    it "leaves what can build a request, and what is none of raaf-core's" do
      others = [RAAF::Models::OpenAIProvider.new, Object.new]
      expect(others.map { |provider| described_class.adapt(provider) }).to eq(others)
    end
  end
end
