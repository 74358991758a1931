# frozen_string_literal: true

RSpec.describe RAAF::Streaming::Continuation do
  it "asks in words for what comes next, and lets nothing of what was said come again" do
    continuation = described_class.new("One two ")

    expect(continuation.messages(false)).to eq([{role: "assistant", content: "One two "},
      {role: "user", content: described_class::DEMAND}])
    expect(continuation.repeatable(false)).to eq("One two ")
  end

  it "gives a model that writes on the beginning without its last blanks, which may come again" do
    continuation = described_class.new("One two \n")

    expect(continuation.messages(true)).to eq([{role: "assistant", content: "One two"}])
    expect(continuation.repeatable(true)).to eq(" \n")
    expect(described_class.new("One").repeatable(true)).to be_nil
  end

  it "asks from the beginning where only blanks were said" do
    continuation = described_class.new("\n\n")

    expect([true, false].map { |written_on| continuation.messages(written_on) }).to eq([[], []])
    expect([true, false].map { |written_on| continuation.repeatable(written_on) }).to eq(["\n\n", "\n\n"])
    expect(described_class::NONE.messages(false)).to eq([])
    expect(described_class::NONE.repeatable(false)).to be_nil
  end

  it "puts the parts of the rest behind what was said, in bytes; what leads stays in front" do
    parts = {provider: "x", items: [{at: 0, part: {a: 1}}, {at: 3, part: {b: 2}}]}

    expect(described_class.new("é").place(parts))
      .to eq(provider: "x", items: [{at: 0, part: {a: 1}}, {at: 5, part: {b: 2}}])
    expect(described_class::NONE.place(parts)).to equal(parts)
    expect(described_class.new("é").place(nil)).to be_nil
  end

  it "shows no word" do
    expect(described_class.new("private").inspect).not_to include("private")
  end
end
