# frozen_string_literal: true

require_relative "../../../../lib/raaf/streaming/rails/departures"

RSpec.describe RAAF::Streaming::Departures do
  include LifecycleHelpers

  include_context "with a model server"

  # A store that lets the spec go first where it is asked whether somebody has come back.
  store_class = Class.new(RAAF::Streaming::ReplayStore::MemoryStore) do
    attr_reader :asked, :answer

    def initialize(...)
      super
      @asked = Queue.new
      @answer = Queue.new
      @reads = 0
    end

    def read(...)
      return super if (@reads += 1) == 1 # when the user leaves

      asked << true
      (answer.pop == :fail) ? raise(RAAF::Errors::StoreUnavailableError, "away") : super
    end
  end

  let(:user) { Struct.new(:id).new(rand(1_000_000_000)) }
  let(:store) { store_class.new }

  before { RAAF::Streaming.configure { |config| config.replay_store = store } }
  after { RAAF::Streaming.reset_configuration! }

  # @return [Stream] that its user has left, and about which the store is asked now
  def left_stream
    server.script(**silence_after("a"))
    stream = runner_for(server.base_url).stream("Hi")
    stream.on {}
    server.wait_for_request
    described_class.leave(user, [stream], 0)
    store.asked.pop
    stream
  end

  it "ends an answer that nobody reads anywhere" do
    stream = left_stream
    store.answer << :ask
    expect(stream.wait(LifecycleHelpers::PATIENCE).status).to eq(:cancelled)
    server.wait_for_close(server.requests.last)
  end

  it "lets an answer go on that somebody has come back to in another process meanwhile" do
    stream = left_stream
    described_class.attend(store, stream.id)
    store.answer << :ask
    eventually("the user is forgotten") { described_class.size.zero? }
    expect(stream.status).to eq(:streaming)
    stream.cancel.wait(LifecycleHelpers::PATIENCE)
  end

  it "lets an answer go on where the store does not say" do
    stream = left_stream
    store.answer << :fail
    eventually("the user is forgotten") { described_class.size.zero? }
    expect(stream.status).to eq(:streaming)
    stream.cancel.wait(LifecycleHelpers::PATIENCE)
  end

  it "gives the answer to whoever comes back while the store is asked" do
    stream = left_stream
    expect(described_class.come_back(user)).to eq([stream])
    store.answer << :ask
    RAAF::Streaming::ThreadPool.stores.post { store.asked << :later }
    store.asked.pop
    expect(stream.status).to eq(:streaming)
    stream.cancel.wait(LifecycleHelpers::PATIENCE)
  end
end
