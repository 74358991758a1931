# frozen_string_literal: true

require "redis"

RSpec.describe RAAF::Streaming::Memberships::RedisStore do
  include LifecycleForks
  include LifecycleHelpers

  before(:context) { @server = RedisServer.new }
  after(:context) { @server.stop }

  def client
    Redis.new(url: @server.url, timeout: LifecycleHelpers::PATIENCE, reconnect_attempts: 0)
  end

  def make_memberships(**options)
    described_class.new(client, **options)
  end

  it_behaves_like "memberships"

  it "are the same in every process" do
    make_memberships.join("shared", 1)
    found = in_child { make_memberships.then { |child| [child.member?("shared", 1), child.join("shared", 2)] } }
    expect([found, make_memberships.members("shared")]).to eq([[true, true], %w[1 2]])
  end

  it "leave nothing in Redis when they are over" do
    make_memberships(ttl: 0.01).join("brief", 1)
    eventually("the end") { client.keys("raaf:members:{brief}").empty? }
    make_memberships.join("left", 1)
    make_memberships.leave("left", 1)
    expect(client.keys("raaf:members:{left}")).to eq([])
  end

  it "are kept beside the frames of streams" do
    store = RAAF::Streaming::ReplayStore::RedisStore.new(client)
    RAAF::Streaming.configure { |config| config.replay_store = store }
    RAAF::Streaming::Memberships.current.join("beside", 1)
    expect(make_memberships.member?("beside", 1)).to be(true)
  ensure
    RAAF::Streaming.reset_configuration!
  end

  it "are nobody's while Redis is away: every question fails" do
    other = RedisServer.new
    memberships = described_class.new(Redis.new(url: other.url, timeout: 1, reconnect_attempts: 0))
    memberships.join("a", 1)
    other.stop(:KILL)
    [-> { memberships.member?("a", 1) }, -> { memberships.join("a", 1) }, -> { memberships.leave("a", 1) },
      -> { memberships.members("a") }].each do |question|
      expect(&question).to raise_error(RAAF::Errors::StoreUnavailableError, /Redis failed/)
    end
  ensure
    other&.stop
  end
end
