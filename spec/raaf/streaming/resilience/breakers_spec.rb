# frozen_string_literal: true

RSpec.describe RAAF::Streaming::Resilience::Breakers do
  before { described_class.clear }

  after { described_class.clear }

  let(:provider) { Object.new }

  def request(provider: "openai", model: "gpt-4o", url: "https://api.example.com/v1/chat/completions")
    {provider: provider, model: model, url: url}
  end

  def breaker(settings = {}, **request)
    described_class.for(settings).acquire(request(**request), provider).breaker
  end

  it "has one for each provider, address, model and settings" do
    one = breaker
    expect(breaker).to equal(one)
    expect(breaker(nil)).to equal(one)
    expect(breaker(true, url: "https://api.example.com/another/path")).to equal(one)
    others = [breaker(model: "o3"), breaker(provider: "groq"), breaker(url: "https://other.example.com/v1"),
      breaker(url: "http://api.example.com/v1"), breaker({failure_threshold: 2})]
    expect([one, *others].uniq.size).to eq(6)
    expect(one.name).to eq("openai/gpt-4o")
  end

  it "has one for each mock, which has no address" do
    one = breaker(url: nil)
    expect(breaker(url: nil)).to equal(one)
    expect(described_class.for({}).acquire(request(url: nil), Object.new).breaker).not_to equal(one)
  end

  it "has a name for each in a store, which knows no more of it" do
    settings = {store: CircuitBreakers::MemoryStore.new, failure_threshold: 1}
    one = breaker(settings)
    other = breaker(settings, url: "https://other.example.com/v1")
    same = described_class.new(settings.merge(failure_threshold: 2)).acquire(request, provider).breaker
    one.trip
    other.reset

    expect([one.name, other.name])
      .to eq(["openai/gpt-4o at https://api.example.com:443", "openai/gpt-4o at https://other.example.com:443"])
    expect([one, same, other].map(&:state)).to eq(%i[open open closed])
  end

  it "keeps a thousand, and forgets the one that was not asked for the longest time" do
    first = breaker(model: "m0")
    second = breaker(model: "m1")
    (2...described_class::MOST).each { |i| breaker(model: "m#{i}") }
    breaker(model: "m0")
    breaker(model: "one more")

    expect(described_class.all.size).to eq(described_class::MOST)
    expect(breaker(model: "m0")).to equal(first)
    expect(described_class.all).not_to include(second)
  end

  it "has none where there shall be none" do
    expect(described_class.for(false).acquire(request, provider)).to be_nil
    expect(described_class.for(->(*) {}).acquire(request, provider)).to be_nil
    expect(described_class.all).to be_empty
  end

  it "says at once what is wrong" do
    expect { described_class.for({failure_threshold: 0}) }.to raise_error(ArgumentError)
    expect { described_class.for({thresholds: 1}) }.to raise_error(ArgumentError)
    expect { described_class.for(42) }.to raise_error(ArgumentError, /circuit_breaker must be/)
  end

  it "has one for many threads that ask at once" do
    threads = Array.new(8) { Thread.new { Array.new(50) { breaker } } }
    expect(threads.flat_map(&:value).uniq.size).to eq(1)
  end
end
