# frozen_string_literal: true

RSpec.describe RAAF::Streaming::Memberships::MemoryStore do
  def make_memberships(**options)
    described_class.new(**options)
  end

  it_behaves_like "memberships"

  it "forgets the sessions in which nothing has happened for longest where there are too many" do
    memberships = make_memberships(max_sessions: 2)
    %w[a b].each { |session| memberships.join(session, 1) }
    memberships.join("a", 2)
    memberships.join("c", 1)
    expect(%w[a b c].map { |session| memberships.member?(session, 1) }).to eq([true, false, true])
    expect(memberships.size).to eq(2)
  end

  it "keeps nothing of a session that all have left" do
    memberships = make_memberships
    memberships.join("a", 1)
    memberships.leave("a", 1)
    memberships.leave("b", 1)
    expect(memberships.size).to eq(0)
  end

  it "holds a membership for its time after the last joining" do
    now = 100.0
    memberships = make_memberships(ttl: 10, clock: -> { now })
    memberships.join("a", 1)
    now = 109.0
    memberships.join("a", 1)
    now = 118.9
    expect(memberships.member?("a", 1)).to be(true)
    now = 119.0
    expect(memberships.member?("a", 1)).to be(false)
  end
end
