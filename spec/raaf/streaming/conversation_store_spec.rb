# frozen_string_literal: true

RSpec.describe RAAF::Streaming::ConversationStore do
  subject(:store) { described_class.new(max_messages: 4, max_sessions: 2) }

  def said(role, content)
    {role: role, content: content}
  end

  it "keeps what was said in each session apart" do
    store.append("a", [said("user", "1")])
    store.append("b", [said("user", "2")])
    store.append("a", [said("assistant", "3")])
    expect(store.messages("a").map { |message| message[:content] }).to eq(%w[1 3])
    expect(store.messages("b").map { |message| message[:content] }).to eq(%w[2])
    expect(store.messages("c")).to eq([])
  end

  it "hands out copies" do
    store.append("a", [said("user", "1")])
    store.messages("a").first[:content] = "changed"
    store.messages("a").clear
    expect(store.messages("a")).to eq([said("user", "1")])
  end

  it "forgets the oldest exchanges, and begins with a user's message" do
    messages = [said("user", "1"), said("assistant", "2"), said("tool", "3"), said("user", "4"), said("assistant", "5")]
    store.append("a", messages)
    expect(store.messages("a").map { |message| message[:content] }).to eq(%w[4 5])
  end

  it "forgets the session that was left alone longest" do
    store.append("a", [said("user", "1")])
    store.append("b", [said("user", "2")])
    store.messages("a")
    store.append("c", [said("user", "3")])
    expect(%w[a b c].map { |id| store.messages(id).size }).to eq([1, 0, 1])
    store.clear("a")
    expect(store.size).to eq(1)
  end

  it "is safe to use from several threads" do
    store = described_class.new(max_messages: 10_000)
    Array.new(8) { |i| Thread.new { 100.times { |n| store.append("a", [said("user", "#{i} #{n}")]) } } }.each(&:join)
    expect(store.messages("a").size).to eq(800)
  end

  it "refuses limits that make no sense, and shows nobody's words" do
    expect { described_class.new(max_messages: 0) }.to raise_error(ArgumentError)
    store.append("a", [said("user", "secret")])
    expect(store.inspect).not_to include("secret")
  end
end
