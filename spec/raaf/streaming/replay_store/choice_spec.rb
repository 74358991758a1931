# frozen_string_literal: true

RSpec.describe RAAF::Streaming::ReplayStore::Choice do
  include LifecycleHelpers

  store = RAAF::Streaming::ReplayStore

  def choose(config)
    RAAF::Streaming::ReplayStore.for_cable(config)
  end

  [nil, {}, {"adapter" => "async"}, {"adapter" => "inline"}, {adapter: "test"}].each do |config|
    it "is memory for #{config.inspect}" do
      expect(choose(config)).to be_a(store::MemoryStore)
    end
  end

  it "is the same Redis, below the same prefix" do
    server = RedisServer.new
    chosen = choose("adapter" => "redis", "url" => server.url, "channel_prefix" => "app_test")
    expect(chosen).to be_a(store::RedisStore)
    expect(chosen.inspect).to include("app_test:raaf:replay:")
    chosen.begin("s", keys: ["user:1"])
    expect(chosen.state_of("s")).to eq(:running)
    expect(Redis.new(url: server.url).keys).to all(start_with("app_test:raaf:replay:"))
    chosen.finish("s")
    chosen.flush(LifecycleHelpers::PATIENCE)
  ensure
    server&.stop
  end

  it "asks nobody before it is used: Redis may be away" do
    expect(choose("adapter" => "redis", "url" => "redis://127.0.0.1:1")).to be_a(store::RedisStore)
  end

  it "is memory for another adapter where there is no table, which is said" do
    without_log do |log|
      expect(choose("adapter" => "solid_cable")).to be_a(store::MemoryStore)
      expect(log.string).to include("memory of this process only").and include("solid_cable").or include("cannot load")
    end
  end

  describe "for the setting" do
    after do
      RAAF::Streaming::ReplayStore.choose
      RAAF::Streaming.reset_configuration!
    end

    it "is made at first use, once, and not where another one is set" do
      made = 0
      RAAF::Streaming::ReplayStore.choose { (made += 1) && store::MemoryStore.new }
      RAAF::Streaming.configure { |config| config.chunk_buffer_size = 5 }
      RAAF::Streaming::ReplayStore.flush_used(0)
      expect(made).to eq(0)
      found = Array.new(4) { Thread.new { RAAF::Streaming.configuration.replay_store } }.map(&:value)
      expect([found.uniq.size, made]).to eq([1, 1])

      own = store::MemoryStore.new
      RAAF::Streaming.configure { |config| config.replay_store = own }
      expect(RAAF::Streaming.configuration.replay_store).to be(own)
      RAAF::Streaming.configure { |config| config.replay_store = false }
      expect(RAAF::Streaming.configuration.replay_store).to be_nil
    end

    it "is none where nobody chooses" do
      expect(RAAF::Streaming.configuration.replay_store).to be_nil
    end
  end
end
