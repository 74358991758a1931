# frozen_string_literal: true

RSpec.describe RAAF::Streaming::ReplayStore::MemoryStore do
  def make_store(**options)
    described_class.new(**options)
  end

  it_behaves_like "a replay store"

  include LifecycleForks
  include ReplayStores

  it "knows in a child that nobody there runs its parent's streams" do
    store = make_store
    %w[running ended].each { |id| store.begin(id) }
    store.finish("ended")
    states = in_child do
      store.begin("child's")
      ["running", "ended", "child's"].map { |id| store.state_of(id) }
    end
    expect(states).to eq(%i[abandoned finished running])
    expect(store.state_of("running")).to eq(:running)
  end

  describe "with a clock" do
    let(:clock) { Struct.new(:now) { alias_method :call, :now }.new(1000.0) }
    let(:store) { make_store(clock: clock, live_ttl: 60, finished_ttl: 10) }

    it "forgets a stream some time after its last frame" do
      store.begin("1", keys: ["key"])
      clock.now += 59
      append_to(store, "1", 1)
      clock.now += 59
      expect(read_of(store, "1").frames.size).to eq(1)
      expect(store.streams_of("key")).to eq(["1"])
      clock.now += 1
      expect(read_of(store, "1")).to be_nil
      expect([store.streams_of("key"), store.size]).to eq([[], 0])
    end

    it "forgets one sooner that has come to its end, and that one was cancelled" do
      append_to(store, "1", 1)
      finish(store, "1")
      store.cancel("2")
      clock.now += 9.9
      expect(store.finished?("1")).to be(true)
      clock.now += 0.1
      expect([store.finished?("1"), store.cancelled?("2")]).to eq([false, true])
      clock.now += 50
      expect(store.cancelled?("2")).to be(false)
    end
  end

  it "drops ended streams first, then those that were left alone longest" do
    store = make_store(max_streams: 3)
    %w[1 2 3].each { |id| append_to(store, id, 1) }
    finish(store, "2")
    append_to(store, "1", 2)
    append_to(store, "4", 1)
    expect(store.finished?("2")).to be(false)
    append_to(store, "5", 1)
    expect(%w[1 2 3 4 5].map { |id| read_of(store, id)&.last }).to eq([2, nil, nil, 1, 1])
  end

  it "drops no stream that is being written for those that were cancelled and have never begun" do
    store = make_store(max_streams: 3)
    append_to(store, "1", 1)
    4.times { |number| store.cancel("cancelled #{number}") }
    expect(read_of(store, "1").last).to eq(1)
    expect(Array.new(4) { |number| store.cancelled?("cancelled #{number}") }).to eq([false, false, true, true])
  end

  it "keeps no more bytes than it may, however often streams begin anew" do
    store = make_store(max_total_bytes: 100)
    20.times do |number|
      append_to(store, number.to_s, 1, 2, 3)
      store.begin(number.to_s) if number.odd?
    end
    kept = (0...20).map(&:to_s).select { |id| store.checkpoint(id, place: "a")&.seq == 3 }
    expect(kept).to eq(%w[16 18]) # 27 bytes each; those of 14 had to go for 19, before it began anew
    expect(store.size).to eq(5)
  end

  it "keeps the stream that is being written, whatever it takes" do
    store = make_store(max_total_bytes: 1)
    append_to(store, "1", 1)
    append_to(store, "2", 1)
    expect([read_of(store, "1"), read_of(store, "2").last]).to eq([nil, 1])
  end

  it "refuses a limit that is none" do
    expect { make_store(max_frames: 0) }.to raise_error(ArgumentError, /max_frames/)
    expect { make_store(live_ttl: 0) }.to raise_error(ArgumentError, /live_ttl/)
    expect { make_store(max_streams: "1") }.to raise_error(ArgumentError, /max_streams/)
  end

  it "shows nothing of what it keeps" do
    expect(make_store.inspect).to eq("#<RAAF::Streaming::ReplayStore::MemoryStore>")
  end
end
