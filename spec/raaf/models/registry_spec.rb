# frozen_string_literal: true

RSpec.describe RAAF::Models do
  around { |example| with_env("OPENAI_BASE_URL" => nil) { example.run } }

  describe ".for_model" do
    %w[gpt-4o gpt-3.5-turbo o1 o3-mini o4-mini chatgpt-4o-latest].each do |model|
      it "is OpenAI's provider for #{model}" do
        expect(described_class.for_model(model)).to be_a(RAAF::Models::OpenAIProvider)
      end
    end

    %w[claude-sonnet-5 claude-3-haiku-20240307].each do |model|
      it "is Anthropic's provider for #{model}" do
        expect(described_class.for_model(model)).to be_a(RAAF::Streaming::Providers::Anthropic)
      end
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
