# frozen_string_literal: true

require "connection_pool"
require "redis"
require "redis-client"

RSpec.describe RAAF::Streaming::ReplayStore::RedisStore do
  include LifecycleForks
  include LifecycleHelpers
  include ReplayStores

  # One for all examples, but for those that end it.
  before(:context) { @shared_server = RedisServer.new }
  after(:context) { @shared_server.stop }

  let(:server) { @shared_server }
  let!(:id) { "stream-#{rand(1_000_000_000)}" } # of this example, and of its children

  def client(server, **options)
    Redis.new(url: server.url, timeout: LifecycleHelpers::PATIENCE, reconnect_attempts: 0, **options)
  end

  # The lease lasts for the example: streams that are never finished are not to be heard of after it.
  def make_store(poll: 0.005, at: server, lease_seconds: 600, lease_interval: 300, **options)
    described_class.new(client(at), poll: poll, lease_seconds: lease_seconds, lease_interval: lease_interval, **options)
  end

  def calls_of(command)
    client(server).info("commandstats").dig(command, "calls").to_i
  end

  # Seconds until each key of the stream is forgotten.
  def times_to_live(id)
    redis = client(server)
    prefix = "raaf:replay:{#{id}}"
    redis.keys("#{prefix}*").to_h { |key| [key.delete_prefix(prefix), redis.pttl(key) / 1000.0] }
  end

  it_behaves_like "a replay store"

  clients = {
    "a Redis" => ->(url) { Redis.new(url: url) },
    "a RedisClient" => ->(url) { RedisClient.config(url: url).new_client },
    "a RedisClient that speaks RESP2" => ->(url) { RedisClient.config(url: url, protocol: 2).new_client },
    "a pool of RedisClient's own" => ->(url) { RedisClient.config(url: url).new_pool(size: 2) },
    "a ConnectionPool of Redis" => ->(url) { ConnectionPool.new(size: 2) { Redis.new(url: url) } },
    "a ConnectionPool of RedisClients" => lambda do |url|
      ConnectionPool.new(size: 2) { RedisClient.config(url: url).new_client }
    end
  }

  clients.each do |kind, make|
    it "takes #{kind}, also one that knows none of the scripts" do
      client(server).call("SCRIPT", "FLUSH")
      store = described_class.new(make.call(server.url))
      append_to(store, id, 1, 2)
      expect(read_of(store, id, after: 1).frames).to eq([frame(2)])
      expect(store.checkpoint(id, place: "a").text).to eq("1 2 ")
      expect([store.begin(id, keys: [id]), store.streams_of(id), store.cancel(id)]).to eq([2, [id], true])
    end
  end

  describe "the lease of a process" do
    let(:store) { make_store(**times) }
    let(:times) { {lease_seconds: 1, lease_interval: 0.05, prefix: "lease#{id}:"} }

    after { 3.times { |number| store.finish((number > 1) ? "#{id}-#{number}" : id, attempt: 2) } }

    def until_it_is(state)
      eventually { store.state_of(id) == state }
    end

    it "ends when the process crashes, and what it ran is abandoned" do
      reader, writer = IO.pipe
      child = fork do
        make_store(**times).begin(id)
        writer.write("begun")
        sleep
      end
      reader.read(5)
      expect(store.state_of(id)).to eq(:running)
      Process.kill(:KILL, child)
      Process.wait(child)
      until_it_is(:abandoned)
      expect(store.begin(id)).to eq(2)
      expect(store.state_of(id)).to eq(:running)
    end

    it "is renewed while a stream runs, in a child by itself" do
      store.begin(id)
      before = calls_of("set")
      eventually { calls_of("set") > before + 3 }
      expect(store.state_of(id)).to eq(:running)
      expect(in_child { store.begin("#{id}-2") && store.state_of(id) }).to eq(:running)
      finish(store, id)
      eventually { store.state_of("#{id}-2") == :abandoned } # its process is gone
    end

    it "is renewed while a later run goes on whose older one has come to its end" do
      store.begin(id)
      expect(store.begin(id)).to eq(2)
      finish(store, id, attempt: 1)
      before = calls_of("set")
      eventually { calls_of("set") > before + 3 }
      expect(store.state_of(id)).to eq(:running)
      finish(store, id, attempt: 2)
    end

    it "is not renewed by a process that runs nothing" do
      store.begin(id)
      append_to(store, id, 1)
      store.await(id, attempt: 1)
      redis = client(server)
      eventually { redis.keys("lease#{id}:lease:*").empty? }
      expect(store.state_of(id)).to eq(:waiting)
    end

    it "is told again where Redis was away" do
      other = RedisServer.new
      store = make_store(at: other, **times)
      without_log do
        store.begin(id)
        other.stop(:KILL)
        append_to_nobody(store)
        other.start
        store.append(id, frame(2))
        eventually { store.state_of(id) == :running }
        store.finish(id)
        store.flush(LifecycleHelpers::PATIENCE)
      end
    ensure
      other&.stop
    end

    def append_to_nobody(store)
      store.append(id, frame(1))
      expect(store.flush(0.01)).to be(false)
    end
  end

  it "takes nothing else" do
    expect { described_class.new("redis://127.0.0.1") }.to raise_error(ArgumentError, /Redis/)
    expect { make_store(poll: 0) }.to raise_error(ArgumentError, /poll/)
  end

  it "has one RedisClient used by one thread at a time" do
    store = described_class.new(RedisClient.config(url: server.url).new_client, poll: 0.001)
    told = Queue.new
    store.watch("#{id}-end") { told << :told }
    threads = Array.new(4) do |number|
      Thread.new do
        50.times { |seq| store.append("#{id}-#{number}", frame(seq + 1)) && store.finished?("#{id}-#{number}") }
      end
    end
    threads.each(&:join)
    expect(store.flush(LifecycleHelpers::PATIENCE)).to be(true)
    expect(Array.new(4) { |number| read_of(store, "#{id}-#{number}").last }).to all(eq(50))
    store.cancel("#{id}-end")
    expect(told.pop).to eq(:told)
  end

  it "keeps a stream for an hour after its last frame, and for ten minutes after its end" do
    store = make_store
    store.begin(id)
    expect(times_to_live(id)).to match("" => be_between(3000, 3600))
    append_to(store, id, 1)
    append_to(store, id, 1, place: "b")
    expect(times_to_live(id).keys).to contain_exactly("", ":frames:a", ":frames:b", ":text:a", ":text:b")
    expect(times_to_live(id).values).to all(be_between(3000, 3600))
    finish(store, id)
    expect(times_to_live(id).size).to eq(5)
    expect(times_to_live(id).values).to all(be_between(1, 600))
  end

  it "keeps what was cancelled before it began for as long" do
    make_store(live_ttl: 50).cancel(id)
    expect(times_to_live(id)).to match("" => be_between(1, 50))
  end

  it "forgets a stream" do
    store = make_store(finished_ttl: 0.001)
    append_to(store, id, 1)
    finish(store, id)
    eventually("the end") { read_of(store, id).nil? }
    expect([store.finished?(id), store.checkpoint(id, place: "a"), times_to_live(id)]).to eq([false, nil, {}])
  end

  ["", ":frames:a", ":text:a"].each do |part|
    it "says what is missing where Redis has evicted #{part.empty? ? "the stream's hash" : part}" do
      store = make_store
      append_to(store, id, 1, 2)
      client(server).del("raaf:replay:{#{id}}#{part}")
      append_to(store, id, 3)
      reading = read_of(store, id)
      expect(reading.frames.map(&:seq)).to eq((part == ":text:a") ? [1, 2, 3] : [3])
      expect(reading.gap?).to be(part != ":text:a")
      expect(store.checkpoint(id, place: "a")&.text).to eq((part == ":frames:a") ? "1 2 3 " : nil)
    end
  end

  it "finds the last hundred streams of a key" do
    store = make_store
    103.times { |number| store.begin("#{id}-#{number}", keys: [id]) }
    expect(store.streams_of(id)).to eq((3..102).map { |number| "#{id}-#{number}" })
  end

  it "shows neither client nor address" do
    expect(make_store.inspect).to eq("#<RAAF::Streaming::ReplayStore::RedisStore raaf:replay:>")
  end

  it "starts no thread and asks nothing until it is used" do
    calls = calls_of("get")
    threads = Thread.list.size
    make_store
    expect(Thread.list.size).to eq(threads)
    expect(calls_of("get")).to eq(calls)
  end

  describe "and two processes" do
    it "share what was sent, and stop each other's streams" do
      child = LifecycleForks::Child.new do |here|
        store = make_store
        stopped = Queue.new
        attempt = store.begin(id, keys: ["session #{id}"])
        store.watch(id, attempt: attempt) { |reason| stopped << reason }
        append_to(store, id, 1, 2)
        reason = stopped.pop
        append_to(store, id, 3)
        finish(store, id)
        here.wait_for_release
        reason
      end
      store = make_store
      eventually("two frames") { read_of(store, id)&.last == 2 }
      expect(store.streams_of("session #{id}")).to eq([id])
      expect(store.cancel(id)).to be(true)
      eventually("the end") { store.finished?(id) }
      expect(read_of(store, id, after: 1)).to have_attributes(frames: [frame(2), frame(3)], finished?: true)
      expect(child.release.value).to eq(:cancelled)
    end

    it "use one that was made and used before the fork, each for itself" do
      store = make_store
      told = Queue.new
      store.watch(id) { |reason| told << [Process.pid, reason] }
      append_to(store, id, 1)
      found = in_child do
        own = Queue.new
        before = read_of(store, id).last
        store.watch("#{id}-child") { |reason| own << reason }
        append_to(store, id, 2)
        store.cancel(id)
        store.cancel("#{id}-child")
        [before, own.pop, told.size]
      end
      expect(found).to eq([1, :cancelled, 0])
      expect(told.pop).to eq([Process.pid, :cancelled])
      append_to(store, id, 3)
      expect(read_of(store, id).frames.map(&:seq)).to eq([1, 2, 3])
    end

    it "have a run told that another one has begun, and refuse what it still sends" do
      store = make_store
      told = Queue.new
      expect(store.begin(id)).to eq(1)
      store.watch(id, attempt: 1) { |reason| told << reason }
      expect(in_child { make_store.begin(id) }).to eq(2)
      expect(told.pop).to eq(:superseded)
      append_to(store, id, 1)
      expect(read_of(store, id)).to have_attributes(attempt: 2, frames: [])
    end
  end

  it "asks Redis by one command a look, however many streams are watched" do
    store = make_store
    watches = Array.new(50) { |number| store.watch("#{id}-#{number}") {} }
    looks = -> { calls_of("get") }
    flags = -> { calls_of("hmget") }
    before = looks.call
    eventually("the first look") { looks.call > before + 1 }
    asked, before = flags.call, looks.call
    eventually("ten looks") { looks.call > before + 10 }
    expect(flags.call).to eq(asked)
    watches.each { |watch| store.unwatch(watch) }
  end

  describe "when Redis goes away" do
    let!(:server) { RedisServer.new }

    after { server.stop }

    def client(server, **options)
      super(server, timeout: 1, **options)
    end

    it "keeps what is sent meanwhile, and writes it in order when it is back" do
      without_log do |log|
        store = make_store
        store.begin(id)
        append_to(store, id, *1..50)
        server.stop(:KILL)
        (51..300).each { |seq| store.append(id, frame(seq)) }
        eventually("a line of the log") { log.string.include?("the replay store failed") }
        store.finish(id)
        server.start
        expect(store.flush(LifecycleHelpers::PATIENCE)).to be(true)
        expect(read_of(store, id, after: 50)).to have_attributes(finished?: true, gap?: false,
          frames: (51..300).map { |seq| frame(seq) })
        expect(read_of(store, id, after: 10).gap?).to be(true)
        expect(store.checkpoint(id, place: "a")).to be_nil
        expect(log.string.scan("the replay store failed").size).to eq(1)
      end
    end

    it "loses the oldest where there is more than it may keep, and counts it" do
      without_log do
        store = make_store(max_queued: 10)
        server.stop(:KILL)
        (1..500).each { |seq| store.append(id, frame(seq)) }
        expect(store.stats.values_at(:lost, :queued).sum).to eq(500)
        expect(store.stats[:queued]).to be <= 10 + RAAF::Streaming::ReplayStore::Writer::BATCH
        server.start
        expect(store.flush(LifecycleHelpers::PATIENCE)).to be(true)
        expect(read_of(store, id)).to have_attributes(last: 500, gap?: true)
        expect(store.stats).to include(appended: 500 - store.stats[:lost], queued: 0)
      end
    end

    it "says so to who asks, and to who wants to stop a stream of another process" do
      store = make_store
      server.stop(:KILL)
      questions = [-> { read_of(store, id) }, -> { store.checkpoint(id, place: "a") }, -> { store.finished?(id) },
        -> { store.cancelled?(id) }, -> { store.streams_of("a") }, -> { store.cancel(id) }]
      questions.each do |question|
        expect(&question).to raise_error(RAAF::Errors::StoreUnavailableError, /Redis failed/)
      end
    end

    it "stops a stream of this process all the same" do
      without_log do
        store = make_store
        server.stop(:KILL)
        told = Queue.new
        store.watch(id) { |reason| told << reason }
        expect(store.cancel(id)).to be(true)
        expect(told.pop).to eq(:cancelled)
      end
    end

    it "lets a stream begin, with the number that is known to be high enough" do
      without_log do |log|
        store = make_store
        server.stop(:KILL)
        expect(store.begin(id, at_least: 3, keys: ["a"])).to eq(3)
        expect(log.string).to include("goes on as attempt 3")
      end
    end

    it "does not stop a stream whose attempt it could not make sure of" do
      without_log do
        make_store.begin(id)
        make_store.begin(id)
        gate = Struct.new(:redis, :open) { def with = open ? yield(redis) : raise(IOError, "away") }
        link = gate.new(client(server), false)
        store = described_class.new(link, poll: 0.005)
        told = Queue.new
        expect(store.begin(id)).to eq(1)
        link.open = true
        store.watch(id) { |reason| told << reason }
        append_to(store, id, 1)
        expect(store.stats).to include(refused: 1)
        before = calls_of("get")
        eventually("two looks") { calls_of("get") > before + 1 }
        in_child { make_store.cancel(id) }
        expect(told.pop).to eq(:cancelled)
      end
    end

    it "goes on telling who watches when it is back" do
      without_log do |log|
        store = make_store
        told = Queue.new
        store.watch(id) { |reason| told << reason }
        server.stop(:KILL)
        eventually("a line of the log") { log.string.include?("does not say which streams are to stop") }
        server.start
        in_child { make_store.cancel(id) }
        expect(told.pop).to eq(:cancelled)
      end
    end
  end

  it "is written to when streaming is shut down" do
    RAAF::Streaming.configure { |config| config.replay_store = make_store }
    store = RAAF::Streaming.configuration.replay_store
    50.times { |seq| store.append(id, frame(seq + 1)) }
    RAAF::Streaming.shutdown(timeout: LifecycleHelpers::PATIENCE)
    expect(read_of(make_store, id).last).to eq(50)
  ensure
    RAAF::Streaming.reset_configuration!
  end
end
