# frozen_string_literal: true

require "raaf/testing"

RSpec.describe RAAF::Testing::ModelServer::DemoAnswer do
  let(:prompts) do
    ["", "Hi", "Tell me a story about the last lighthouse keeper on earth", "Give me five tips for learning Ruby",
      "Write a poem", "What is the meaning of #{"very " * 40}long prompts?", "\xff\xfe", "日本語で書いて",
      "50% of %<topic>s %s"]
  end

  it "is 60 to 120 words long for any prompt" do
    expect(prompts.map { |prompt| described_class.new(prompt).text.split.size }).to all(be_between(60, 120))
  end

  it "comes in pieces that are words or parts of words, and make up the text" do
    prompts.each do |prompt|
      answer = described_class.new(prompt)
      expect(answer.tokens.join).to eq(answer.text)
      expect(answer.tokens).to all(match(/\A\s*\S+\z/))
    end
  end

  it "has a style for stories, poems and lists" do
    styles = ["a story", "a poem", "some tips", "what is a monad?"].map { |prompt| described_class.new(prompt).text }

    expect(styles.map { |text| [text.include?("\n"), text.include?("\n- ")] })
      .to eq([[false, false], [true, false], [true, true], [false, false]])
  end

  it "never repeats control characters" do
    expect(described_class.new("a story about \e[31mred").text).not_to include("\e")
  end

  it "makes up any number of pieces" do
    expect([1, 10, 1000].map { |count| described_class.new("Hi").tokens(count).size }).to eq([1, 10, 1000])
  end
end
