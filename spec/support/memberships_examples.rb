# frozen_string_literal: true

# What holds for every version of the memberships. The host says how to make one: `make_memberships(**options)`.
RSpec.shared_examples "memberships" do
  let(:memberships) { make_memberships }
  let(:session) { "session-#{rand(1_000_000_000)} {\u00e4}" } # of this example

  it "know nobody at first" do
    expect(memberships.member?(session, 1)).to be(false)
    expect(memberships.members(session)).to eq([])
    expect(memberships.leave(session, 1)).to be(false)
  end

  it "hold from joining until leaving, each in its session" do
    expect(memberships.join(session, 1)).to be(true)
    expect(memberships.join(session, "2 \u00fc")).to be(true)
    expect(memberships.member?(session, "1")).to be(true)
    expect(memberships.member?("#{session}-2", 1)).to be(false)
    expect(memberships.leave(session, 1)).to be(true)
    expect(memberships.member?(session, 1)).to be(false)
    expect(memberships.members(session)).to eq(["2 \u00fc"])
  end

  it "are listed in the order in which they began, also for those who join again" do
    [3, 1, 2, 1, 3].each { |user| memberships.join(session, user) }
    expect(memberships.members(session)).to eq(%w[3 1 2])
    memberships.leave(session, 3)
    memberships.join(session, 3)
    expect(memberships.members(session)).to eq(%w[1 2 3])
  end

  it "tell ids apart that are nearly the same" do
    ["a", "A", "a ", " a", "\u00e4"].each { |user| memberships.join(session, user) }
    expect(memberships.members(session)).to eq(["a", "A", "a ", " a", "\u00e4"])
    expect(memberships.member?(session.upcase, "a")).to be(false)
  end

  it "are refused where a session is full, until somebody leaves" do
    small = make_memberships(max_members: 2)
    expect(%w[1 2 3 1].map { |user| small.join(session, user) }).to eq([true, true, false, true])
    expect(small.member?(session, 3)).to be(false)
    small.leave(session, 1)
    expect(small.join(session, 3)).to be(true)
  end

  it "do not get beyond the limit where many join at once" do
    small = make_memberships(max_members: 3)
    joined = Array.new(8) { |user| Thread.new { small.join(session, user) } }.map(&:value)
    expect(joined.count(true)).to eq(3)
    expect(small.members(session).size).to eq(3)
  end

  it "are over after their time, and make room then" do
    brief = make_memberships(max_members: 1, ttl: 0.01)
    brief.join(session, 1)
    deadline = Process.clock_gettime(Process::CLOCK_MONOTONIC) + LifecycleHelpers::PATIENCE
    Thread.pass while brief.member?(session, 1) && Process.clock_gettime(Process::CLOCK_MONOTONIC) < deadline
    expect(brief.member?(session, 1)).to be(false)
    expect(brief.members(session)).to eq([])
    expect(brief.join(session, 2)).to be(true)
  end

  it "are nobody's who has no id, or one that can be none" do
    long = "x" * (RAAF::Streaming::ReplayStore::MAX_NAME_BYTES + 1)
    expect([memberships.member?(session, nil), memberships.member?(long, 1), memberships.member?("", "")])
      .to eq([false, false, false])
    expect([memberships.members(long), memberships.leave(session, nil)]).to eq([[], false])
    expect { memberships.join(session, nil) }.to raise_error(ArgumentError, /user_id/)
    expect { memberships.join(long, 1) }.to raise_error(ArgumentError, /session_id/)
    expect { make_memberships(max_members: 0) }.to raise_error(ArgumentError, /max_members/)
    expect { make_memberships(ttl: nil) }.to raise_error(ArgumentError, /ttl/)
  end
end
