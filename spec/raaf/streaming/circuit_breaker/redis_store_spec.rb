# frozen_string_literal: true

require "connection_pool"
require "redis"
require "redis-client"

RSpec.describe RAAF::Streaming::CircuitBreaker::RedisStore do
  include CircuitBreakers
  include LifecycleForks
  include LifecycleHelpers

  # One for all examples, but for those that end it.
  before(:context) { @shared_server = RedisServer.new }
  after(:context) { @shared_server.stop }

  let(:server) { @shared_server }
  let(:name) { "model #{rand(1_000_000_000)}" } # of this example
  let(:store) { store_at(server) }
  let(:open_error) { RAAF::Errors::CircuitOpenError }

  def client(server, **options)
    Redis.new(url: server.url, timeout: LifecycleHelpers::PATIENCE, reconnect_attempts: 0, **options)
  end

  # Asked at every call, and waited for.
  def store_at(server, refresh: 0, patience: CircuitBreakers::PATIENCE, **options)
    described_class.new(client(server), refresh: refresh, patience: patience, **options)
  end

  def breaker(store: store_at(server), **settings)
    RAAF::Streaming::CircuitBreaker.new(name: name, store: store, **settings)
  end

  describe "as a store" do
    it "knows nothing at first" do
      expect(store.read(name)).to be_nil
    end

    it "knows what was written last" do
      expect(store.write_open(name, id: "1", seconds: 60.0)).to have_attributes(id: "1", state: :open)
      expect(store.read(name).seconds).to be_between(1, 60)
      expect(store.write_closed(name, id: "2", after: nil)).to have_attributes(id: "2", state: :closed)
      expect(store.read(name)).to have_attributes(id: "2", state: :closed)
    end

    it "closes what it is told to close, and nothing else" do
      store.write_open(name, id: "1", seconds: 60)
      expect(store.write_closed(name, id: "2", after: "0")).to have_attributes(id: "1", state: :open)
      expect(store.write_closed(name, id: "2", after: "")).to have_attributes(id: "1", state: :open)
      expect(store.write_closed(name, id: "2", after: "1")).to have_attributes(id: "2", state: :closed)
    end

    it "closes where nothing is known" do
      expect(store.write_closed(name, id: "2", after: "1")).to have_attributes(id: "2", state: :closed)
    end

    it "says how long a probe has been due" do
      store.write_open(name, id: "1", seconds: 0.001)
      eventually("the end") { store.read(name).seconds <= 0 }
      expect(store.read(name).state).to eq(:open)
    end

    it "gives one owner the right to probe, as often as it asks" do
      store.write_open(name, id: "1", seconds: 60)
      ask = ->(owner, known: "1") { store.claim_probe(name, known: known, owner: owner, seconds: 60) }
      expect(ask["a"]).to match([true, have_attributes(id: "1")])
      expect(ask["b"]).to match([false, have_attributes(id: "1")])
      expect(ask["a"].first).to be(true)
      store.write_open(name, id: "2", seconds: 60)
      expect(ask["b", known: "2"].first).to be(true)
      store.write_closed(name, id: "3", after: nil)
      expect(ask["a", known: "3"].first).to be(true)
    end

    it "gives no right to probe to one that does not know the last change" do
      store.write_open(name, id: "2", seconds: 60)
      ask = -> { store.claim_probe(name, known: "1", owner: "a", seconds: 60).first }
      expect(ask.call).to be(false)
      store.write_open(name, id: "2", seconds: 0.001)
      eventually("a probe that is due") { ask.call }
      store.write_closed(name, id: "3", after: nil)
      expect(ask.call).to be(false)
    end

    it "gives the right to probe where nothing is known" do
      expect(store.claim_probe(name, known: "1", owner: "a", seconds: 60)).to eq([true, nil])
    end

    it "ends the right to probe after its time" do
      store.claim_probe(name, known: "", owner: "a", seconds: 0.01)
      eventually("the end of the right") { store.claim_probe(name, known: "", owner: "b", seconds: 60).first }
    end

    it "forgets after an hour in which nobody has probed" do
      redis = client(server)
      store.write_open(name, id: "1", seconds: 60)
      store.claim_probe(name, known: "1", owner: "a", seconds: 60)
      keys = redis.keys("raaf:circuit:{#{name}}*")
      expect(keys.size).to eq(2)
      expect(keys.map { |key| redis.pttl(key) }).to contain_exactly(be_between(3_600_000, 3_660_000),
        be_between(1, 60_000))
      store.write_closed(name, id: "2", after: nil)
      expect(redis.keys("raaf:circuit:{#{name}}*").map { |key| redis.pttl(key) })
        .to contain_exactly(be_between(3_000_000, 3_600_000))
    end

    it "has keys with the prefix that it is given" do
      store_at(server, prefix: "app:").write_open(name, id: "1", seconds: 60)
      expect(client(server).exists?("app:{#{name}}")).to be(true)
    end

    it "shows neither client nor address" do
      expect(store.inspect).to eq("#<RAAF::Streaming::CircuitBreaker::RedisStore raaf:circuit:>")
    end
  end

  clients = {
    "a Redis" => ->(url) { Redis.new(url: url) },
    "a RedisClient" => ->(url) { RedisClient.config(url: url).new_client },
    "a pool of RedisClient's own" => ->(url) { RedisClient.config(url: url).new_pool(size: 2) },
    "a ConnectionPool of Redis" => ->(url) { ConnectionPool.new(size: 2) { Redis.new(url: url) } },
    "a ConnectionPool of RedisClients" => lambda do |url|
      ConnectionPool.new(size: 2) { RedisClient.config(url: url).new_client }
    end
  }

  clients.each do |kind, make|
    it "takes #{kind}" do
      any = described_class.new(make.call(server.url))
      any.write_open(name, id: "1", seconds: 60)
      expect(any.read(name)).to have_attributes(id: "1", state: :open)
      expect(any.claim_probe(name, known: "1", owner: "a", seconds: 1).first).to be(true)
      expect(any.write_closed(name, id: "2", after: "1").state).to eq(:closed)
    end
  end

  it "takes nothing else" do
    expect { described_class.new("redis://127.0.0.1") }.to raise_error(ArgumentError, /Redis/)
  end

  describe "and two processes" do
    it "share a tripped breaker" do
      mine = breaker(timeout: 60)
      expect(mine.call { 1 }).to eq(1)
      in_child { breaker(failure_threshold: 3, timeout: 60).tap { |one| fail_in(one, 3) }.state }
      expect(refusal_of(mine).retry_after).to be_between(1, 61)
      expect(in_child { breaker.call { 1 } }).to eq(open_error)
    end

    it "share one that was made before the fork, each over a connection of its own" do
      mine = breaker(failure_threshold: 2, timeout: 60)
      expect(mine.state).to eq(:closed)
      expect(in_child { mine.tap { |one| fail_in(one, 2) }.state }).to eq(:open)
      expect(mine.state).to eq(:open)
      expect(in_child { mine.reset.state }).to eq(:closed)
      expect(mine.state).to eq(:closed)
    end

    it "probe one at a time, and close together" do
      mine = breaker
      mine.trip(0)
      child = LifecycleForks::Child.new do |here|
        own = breaker
        own.call { here.wait_for_release && own.state }
      end
      eventually("the probe") { client(server).exists?("raaf:circuit:{#{name}}:probe") }
      expect(refusal_of(mine)).to be_a(open_error)
      expect(child.release.value).to eq(:half_open)
      expect(mine.call { mine.state }).to eq(:closed)
    end
  end

  describe "when Redis goes away" do
    let(:server) { RedisServer.new }

    after { server.stop }

    it "never breaks a call, whoever is in the middle of it" do
      without_log do |log|
        shared = breaker(failure_threshold: 1_000_000)
        calls = Queue.new
        stop = false
        threads = Array.new(4) { Thread.new { calls << shared.call { 1 } until stop } }
        100.times { calls.pop }
        server.stop(:KILL)
        eventually("a line of the log") { log.string.include?("failed") }
        more = calls.size + 2000
        eventually("more calls") { calls.size > more }
        stop = true
        expect(threads.each(&:join)).to all(have_attributes(status: false))
        expect(log.string.scan(name).size).to eq(1)
      end
    end

    it "goes on with what it knows, opens and closes" do
      without_log do
        shared = breaker(failure_threshold: 2, timeout: 0)
        shared.trip(60)
        server.stop(:KILL)
        expect(refusal_of(shared)).to be_a(open_error)
        shared.reset
        fail_in(shared, 2)
        expect(shared.state).to eq(:open)
        expect(shared.call { shared.state }).to eq(:half_open)
        expect(shared.state).to eq(:closed)
      end
    end

    it "shares again when it is back, also what has happened meanwhile" do
      without_log do
        mine, others = breaker, breaker
        expect([mine.state, others.state]).to eq(%i[closed closed])
        server.stop(:KILL)
        mine.trip(3600)
        others.state
        server.start
        eventually("the news") { mine.state == :open && others.state == :open }
        others.reset
        eventually("the reset") { mine.state == :closed }
      end
    end

    it "tells a Redis that has lost everything what is open" do
      without_log do
        mine = breaker
        mine.trip(3600)
        server.stop(:KILL)
        server.start
        eventually("the reminder") { mine.state && breaker.state == :open }
      end
    end

    # A Redis that is stopped accepts connections and answers nothing. Each call would wait for its patience: the
    # watchdog would end the example.
    it "holds up one call where it hangs, and no other" do
      slow = breaker(store: store_at(server, patience: 0.05), failure_threshold: 1_000_000)
      slow.state
      Process.kill(:STOP, server.pid)
      20_000.times { slow.call { nil } }
      fail_in(slow, 10)
      expect(slow.state).to eq(:closed)
      slow.trip(3600)
      Process.kill(:CONT, server.pid)
      eventually("the news") { slow.state && breaker.state == :open }
    end

    it "is not needed to make a breaker" do
      without_log do
        server.stop(:KILL)
        expect(breaker.call { 1 }).to eq(1)
      end
    end
  end
end
