# frozen_string_literal: true

require "raaf/testing"

RSpec.shared_examples "conversations in a database" do
  include LifecycleForks
  include LifecycleHelpers

  let(:store) { described_class.new(base: base, max_messages: 4) }
  let!(:session) { "session #{rand(1_000_000_000)}" }

  def said(role, content)
    {role: role, content: content}
  end

  def contents(session, of = store)
    of.messages(session).map { |message| message[:content] }
  end

  it "keeps what was said in each session apart, for all processes" do
    store.append(session, [said("user", "1 \u{1F600}\u0000")])
    store.append("#{session} 2", [said("user", "2")])
    in_child { store.append(session, [said("assistant", "3")]) }
    expect(store.messages(session)).to eq([said("user", "1 \u{1F600}\u0000"), said("assistant", "3")])
    expect([contents("#{session} 2"), contents("#{session} 3")]).to eq([["2"], []])
  end

  it "gives back calls of tools and parts as they were" do
    messages = [said("user", [{type: "text", text: "Hi"}]),
      {role: "assistant", content: "", tool_calls: [{id: "1", name: "weather", arguments: {city: "Oslo"}}]},
      {role: "tool", tool_call_id: "1", content: "4 C"}]
    store.append(session, messages)
    expect(store.messages(session)).to eq(messages)
  end

  it "forgets the oldest exchanges, and begins with a user's message" do
    store.append(session, [said("user", "1"), said("assistant", "2"), said("tool", "3"), said("user", "4")])
    store.append(session, [said("assistant", "5")])
    expect(contents(session)).to eq(%w[4 5])
    store.append(session, Array.new(5) { |number| said("tool", number.to_s) })
    expect(contents(session)).to eq([])
  end

  it "forgets a conversation with which nobody has gone on, and its rows" do
    brief = described_class.new(base: base, ttl: 0.001)
    brief.append(session, [said("user", "1")])
    eventually("the end") { contents(session, brief).empty? }
    store.append("#{session} 2", [said("user", "2")])
    store.append(session, [said("user", "3")])
    expect(contents(session)).to eq(["3"])
    expect(RAAF::Streaming::Database.new(base).table(:conversations).where("expires_at < 1000").count).to eq(0)
  end

  it "forgets what it is told to forget" do
    store.append(session, [said("user", "1")])
    before = store.size
    store.clear(session)
    expect([store.messages(session), store.size]).to eq([[], before - 1])
  end

  it "loses nothing that several threads say" do
    large = described_class.new(base: base, max_messages: 1000)
    Array.new(4) { |i| Thread.new { 10.times { |n| large.append(session, [said("user", "#{i} #{n}")]) } } }.each(&:join)
    expect(large.messages(session).size).to eq(40)
  end

  it "has a run go on from what was said before" do
    RAAF::Testing::ModelServer.start do |server|
      2.times { server.script(deltas: ["Ann."]) }
      runner = runner_for(server.base_url, conversation_store: store)
      runner.run_and_stream("I am Ann.", session_id: session)
      runner.run_and_stream("Who am I?", session_id: session)
      expect(server.requests.last.json[:messages].map { |message| message[:content] })
        .to eq(["Be brief.", "I am Ann.", "Ann.", "Who am I?"])
    end
  end

  it "says so where there are no tables, and refuses limits that make no sense" do
    expect(described_class.usable?(base: base)).to be(true)
    ActiveRecordDatabases.migrate(base, :down)
    expect(described_class.usable?(base: base)).to be(false)
    expect { store.messages(session) }.to raise_error(RAAF::Errors::StoreUnavailableError, /database failed/)
    expect { store.append(session, [said("user", "1")]) }.to raise_error(RAAF::Errors::StoreUnavailableError)
    expect { described_class.new(max_messages: 0) }.to raise_error(ArgumentError)
    expect { described_class.new(ttl: nil) }.to raise_error(ArgumentError)
  ensure
    ActiveRecordDatabases.migrate(base)
  end
end

RSpec.describe RAAF::Streaming::ConversationStore::ActiveRecordStore do
  describe "with SQLite" do
    include_context "with SQLite"
    it_behaves_like "conversations in a database"
  end

  describe "with PostgreSQL" do
    include_context "with PostgreSQL"
    it_behaves_like "conversations in a database"
  end
end
