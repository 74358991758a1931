# frozen_string_literal: true

require "connection_pool"
require "redis"

# A stream that runs in one process, and what others do about it: they share nothing but a Redis.
RSpec.describe "A stream in another process" do
  include_context "with a model server"
  include LifecycleForks

  before(:context) { @redis = RedisServer.new }
  after(:context) { @redis.stop }

  after { RAAF::Streaming.reset_configuration! }

  let!(:id) { "s#{rand(1 << 32)}" }
  let!(:origin) { RAAF::Streaming::Origin.new(stream_id: id, user_id: "u#{id}", owner: "run 1") }
  let(:store) { make_store }

  def make_store
    RAAF::Streaming::ReplayStore::RedisStore.new(Redis.new(url: @redis.url, timeout: LifecycleHelpers::PATIENCE))
  end

  # A child that runs the stream.
  # @return [LifecycleForks::Child] its value: the error's reason and what the block made of the error
  def running
    LifecycleForks::Child.new do
      RAAF::Streaming.configure { |config| config.replay_store = make_store }
      stream = RAAF::Streaming::Origin.within(origin) { runner.stream("Hi") }
      yield stream if block_given?
      stream.each { |chunk| chunk }
    rescue RAAF::Errors::CancelledError => e
      RAAF::Streaming.configuration.replay_store.flush(LifecycleHelpers::PATIENCE)
      [e.reason, RAAF::Streaming.configuration.replay_store.state_of(id)]
    end
  end

  it "is closed at the model's server when it is stopped here, soon, while the model is silent" do
    times = Array.new(5) do |number|
      server.script(**no_answer)
      origin = RAAF::Streaming::Origin.new(stream_id: "#{id}-#{number}")
      child = LifecycleForks::Child.new do
        RAAF::Streaming.configure { |config| config.replay_store = make_store }
        RAAF::Streaming::Origin.within(origin) { runner.run_and_stream("Hi") }
      rescue RAAF::Errors::CancelledError => e
        e.reason
      end
      request = server.wait_for_request(number + 1)
      started = monotonic
      expect(store.cancel("#{id}-#{number}")).to be(true)
      server.wait_for_close(request)
      (monotonic - started).tap { expect(child.value).to eq(:cancelled) }
    end
    list = times.map { |seconds| (seconds * 1000).round }.join(", ")
    RSpec.configuration.reporter.message("  from the stop to the closed socket: #{list} ms")
  end

  it "is known here as long as it runs, and when it has ended" do
    server.script(**no_answer)
    child = running
    server.wait_for_request
    expect([store.state_of(id), store.keys_of(id),
      store.streams_of("user:u#{id}")]).to eq([:running, ["user:u#{id}"], [id]])
    store.cancel(id)
    expect(child.value).to eq(%i[cancelled cancelled])
    expect(store.streams_of("user:u#{id}")).to eq([])
  end

  it "is stopped where another run begins it here" do
    server.script(**no_answer)
    server.script(deltas: %w[new])
    child = running
    request = server.wait_for_request
    RAAF::Streaming.configure { |config| config.replay_store = store }
    again = RAAF::Streaming::Origin.new(stream_id: id, owner: "run 2", attempt: 2)
    RAAF::Streaming::Origin.within(again) { runner.run_and_stream("Hi") }
    server.wait_for_close(request)

    expect(child.value.first).to eq(:superseded)
    expect(store.flush(LifecycleHelpers::PATIENCE) && store.state_of(id)).to eq(:finished)
  end

  it "waits here where its process hands it back" do
    server.script(**no_answer)
    child = running do |stream|
      thread = Thread.new do
        stream.each { |chunk| chunk }
      rescue Interrupt
        origin.hand_back
      end
      until_asleep(thread)
      thread.raise(Interrupt)
      thread.join
    end
    child.value
    server.wait_for_close(server.requests.first)
    expect(store.state_of(id)).to eq(:waiting)
  end
end
