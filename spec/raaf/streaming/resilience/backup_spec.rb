# frozen_string_literal: true

RSpec.describe RAAF::Streaming::Resilience::Backup do
  def models(given, models = {})
    described_class.list(given, models).map { |backup| [backup.provider.name, backup.model("gpt-4o")] }
  end

  let(:openai) { RAAF::Models::OpenAIProvider.new(api_key: "key") }

  it "is a provider, its class, or a pair of one of these and a model" do
    expect(models([openai, RAAF::Models::GroqProvider, [openai, "a"], [RAAF::Models::GroqProvider, "b"]]))
      .to eq([%w[openai gpt-4o], ["groq", "openai/gpt-oss-120b"], %w[openai a], %w[groq b]])
  end

  it "may be one alone" do
    expect(models(openai)).to eq([%w[openai gpt-4o]])
  end

  it "has a model by its provider's name where it was given without" do
    expect(models([openai, [openai, "mine"], RAAF::Models::AnthropicProvider], :openai => "a", "anthropic" => "b"))
      .to eq([%w[openai a], %w[openai mine], %w[anthropic b]])
  end

  it "may be any object that raaf-core's runner could ask" do
    mine = Class.new { def stream_completion(messages:, model:) = yield(nil) }.new
    expect(described_class.list([mine]).first.provider).to respond_to(:build_request)
  end

  it "is made only when it is needed, and once" do
    made = []
    type = Class.new(RAAF::Models::OpenAIProvider) do
      define_method(:initialize) { made << self && super(api_key: "key") }
    end
    backup = described_class.list([type]).first

    expect(made).to be_empty
    expect(backup.provider).to equal(backup.provider)
    expect(made.size).to eq(1)
  end

  it "is refused as anything else, and shows no key" do
    [["gpt"], [nil], [[openai, 5]], [Object.new]].each do |given|
      expect { described_class.list(given) }.to raise_error(ArgumentError, /backup_providers/)
    end
    expect { described_class.list([openai], ["a"]) }.to raise_error(ArgumentError, /backup_models/)
    expect(described_class.list([openai]).first.inspect).not_to include("key")
  end
end
