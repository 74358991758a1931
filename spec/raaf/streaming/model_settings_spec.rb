# frozen_string_literal: true

RSpec.describe RAAF::Streaming::ModelSettings do
  # As raaf-core's class: its to_h mixes extra_body into the rest, and leaves the headers out.
  let(:core_settings) do
    Struct.new(:temperature, :max_tokens, :reasoning, :top_k, :stream, :extra_body, :extra_args, :extra_headers,
      keyword_init: true) do
      def to_h = {temperature: temperature, **extra_body}
    end
  end

  it "reads what is set, and knows extras from settings" do
    given = core_settings.new(temperature: 0.1, extra_body: {seed: 1}, extra_headers: {"X-A" => "b"}, stream: false)
    expect(described_class.read(given))
      .to eq(temperature: 0.1, extra_body: {seed: 1}, extra_headers: {"X-A" => "b"})
  end

  it "puts what only some servers know into the body, where extra_body has the last word" do
    given = core_settings.new(top_k: 4, extra_args: {a: 1, b: 1}, extra_body: {"b" => 2})
    expect(described_class.read(given)).to eq(extra_body: {top_k: 4, a: 1, b: 2})
  end

  it "knows the effort of reasoning" do
    expect(described_class.read(core_settings.new(reasoning: {effort: "low"}))).to eq(reasoning_effort: "low")
  end

  it "reads a Hash with Symbols or Strings" do
    expect(described_class.read("temperature" => 0.1, :max_tokens => 5)).to eq(temperature: 0.1, max_tokens: 5)
  end

  it "is empty for nothing" do
    expect([described_class.read(nil), described_class.read({})]).to eq([{}, {}])
  end
end
