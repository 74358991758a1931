# frozen_string_literal: true

# What holds for every replay store. The host says how to make one: `make_store(**options)`.
RSpec.shared_examples "a replay store" do
  include LifecycleHelpers
  include ReplayStores

  let(:store) { make_store }
  let(:id) { "stream-#{rand(1_000_000_000)}" } # of this example

  def read(**options)
    read_of(store, id, **options)
  end

  def append(*seqs, **options)
    append_to(store, id, *seqs, **options)
  end

  describe "reading" do
    it "knows nothing of a stream that nobody has begun" do
      expect(read).to be_nil
      expect(store.checkpoint(id, place: "a")).to be_nil
      expect([store.finished?(id), store.cancelled?(id)]).to eq([false, false])
    end

    it "gives what was appended after a number, in order" do
      append(1, 2, 3, 4)
      expect(read(after: 2).frames).to eq([frame(3), frame(4)])
      expect(read(after: 2)).to have_attributes(attempt: 1, after: 2, last: 4, gap?: false, more?: false,
        finished?: false, cancelled?: false)
    end

    it "gives no more than it is asked for, and says that there is more" do
      append(*1..5)
      expect(read(limit: 2)).to have_attributes(frames: [frame(1), frame(2)], more?: true, gap?: false)
      expect(read(after: 4, limit: 2)).to have_attributes(frames: [frame(5)], more?: false)
    end

    it "keeps each place by itself" do
      append(1, 2)
      append(1, place: "b: {\u00e4}")
      expect(read.frames.size).to eq(2)
      expect(read(place: "b: {\u00e4}").frames).to eq([frame(1, place: "b: {\u00e4}")])
      expect(read(place: "c")).to have_attributes(frames: [], last: 0, gap?: false)
    end

    it "gives back a message as JSON has it, whatever its text" do
      text = "\u{1F600} \u0000 \"quoted\" \r\n \u2028"
      store.append(id, frame_with(1, message: {type: "chunk", content: text, raaf: {seq: 1}}, terminal: true))
      store.flush
      expect(read.frames.first).to have_attributes(terminal?: true, place: "a", seq: 1, attempt: 1,
        message: {"type" => "chunk", "content" => text, "raaf" => {"seq" => 1}})
    end

    it "has no gap for a reader that knows more than the store, before the end" do
      append(1, 2)
      expect(read(after: 5)).to have_attributes(frames: [], gap?: false)
      finish(store, id)
      expect(read(after: 5).gap?).to be(true)
    end

    it "keeps neither doubles nor what comes after a higher number" do
      append(1, 3, 3, 2)
      expect(read.frames.map(&:seq)).to eq([1, 3])
      expect(store.stats).to include(appended: 2, refused: 2, lost: 0, queued: 0)
    end

    it "refuses wrong arguments" do
      expect { read(after: -1) }.to raise_error(ArgumentError, /after/)
      expect { read(limit: 0) }.to raise_error(ArgumentError, /limit/)
      expect { read(place: "") }.to raise_error(ArgumentError, /place/)
      expect { store.append(id, {}) }.to raise_error(ArgumentError, /Frame/)
      expect { store.append("", frame(1)) }.to raise_error(ArgumentError, /stream_id/)
      expect { store.begin(id, at_least: 0) }.to raise_error(ArgumentError, /at_least/)
      expect { store.watch(id) }.to raise_error(ArgumentError, /block/)
    end
  end

  describe "room" do
    it "is made by dropping the oldest frames, and a reader learns of it" do
      small = make_store(max_frames: 3)
      append_to(small, id, *1..7)
      expect(read_of(small, id, after: 4)).to have_attributes(frames: [frame(5), frame(6), frame(7)], gap?: false)
      expect(read_of(small, id, after: 3)).to have_attributes(frames: [frame(5), frame(6), frame(7)], gap?: true)
    end

    it "is measured in bytes too" do
      size = frame(1).data.bytesize
      small = make_store(max_bytes: size * 2)
      append_to(small, id, *1..4)
      expect(read_of(small, id).frames.map(&:seq)).to eq([3, 4])
      small.append(id, frame_with(5, message: {text: "x" * size * 2}))
      small.flush
      expect(read_of(small, id, after: 4)).to have_attributes(frames: [], last: 5, gap?: true)
      append_to(small, id, 6)
      expect(read_of(small, id, after: 5)).to have_attributes(frames: [frame(6)], gap?: false)
    end

    it "is not given to more places than a stream may have" do
      most = RAAF::Streaming::ReplayStore::MAX_PLACES
      (most + 1).times { |number| append(1, place: "place #{number}") }
      append(2, place: "place 0")
      expect(store.stats).to include(appended: most + 1, refused: 1)
    end
  end

  describe "a checkpoint" do
    def checkpoint(of = store)
      of.checkpoint(id, place: "a")
    end

    it "has the text so far, and the number from which to read on" do
      small = make_store(max_frames: 1)
      append_to(small, id, *1..3)
      expect(checkpoint(small)).to have_attributes(text: "1 2 3 ", seq: 3, attempt: 1, finished: false, place: "a")
      finish(small, id)
      expect(checkpoint(small).finished).to be(true)
    end

    it "is missing where a frame was lost, until the answer begins anew" do
      append(1, 3)
      expect(checkpoint).to be_nil
      append(4)
      expect(checkpoint).to be_nil
      store.append(id, frame_with(6, delta: "anew ", reset: true))
      append(7)
      expect(checkpoint).to have_attributes(text: "anew 7 ", seq: 7)
    end

    it "is missing where the text is too long" do
      small = make_store(max_text_bytes: 5)
      append_to(small, id, 1, 2)
      expect(checkpoint(small)).to have_attributes(text: "1 2 ", seq: 2)
      append_to(small, id, 3)
      expect(checkpoint(small)).to be_nil
    end
  end

  describe "attempts" do
    it "are counted, and one owner has one" do
      expect(store.begin(id, owner: "x")).to eq(1)
      expect(store.begin(id, owner: "x")).to eq(1)
      expect(store.begin(id, owner: "y")).to eq(2)
      expect(store.begin(id, owner: "z", at_least: 7)).to eq(7)
      expect(store.begin(id)).to eq(8)
      expect(store.begin(id)).to eq(9)
    end

    it "drop what an older one has sent, and refuse what it still sends" do
      store.begin(id)
      append(1, 2)
      store.begin(id)
      append(3)
      append(1, attempt: 2)
      append(4)
      finish(store, id)
      expect(read).to have_attributes(frames: [frame(1, attempt: 2)], attempt: 2, finished?: false)
      expect(store.checkpoint(id, place: "a").text).to eq("1 ")
      expect(store.stats).to include(refused: 2)
    end

    it "have a reader of an older one begin anew" do
      store.begin(id)
      append(1, 2, 3)
      store.begin(id)
      append(1, attempt: 2)
      expect(read(after: 3, attempt: 1)).to have_attributes(frames: [frame(1, attempt: 2)], after: 0, gap?: false)
      expect(read(after: 1, attempt: 2)).to have_attributes(frames: [], after: 1, gap?: false)
    end

    it "that nobody has begun begin with their first frame" do
      append(57, attempt: 3)
      expect(read(after: 56)).to have_attributes(frames: [frame(57, attempt: 3)], attempt: 3, gap?: false)
      expect(read(after: 40).gap?).to be(true)
      expect(store.begin(id)).to eq(4)
    end

    it "begin a stream again that has come to its end" do
      append(1)
      finish(store, id)
      expect(store.begin(id)).to eq(2)
      expect(store.finished?(id)).to be(false)
    end
  end

  describe "the end" do
    it "is known, and nothing comes after it" do
      append(1)
      finish(store, id)
      append(2)
      expect(store.finished?(id)).to be(true)
      expect(read).to have_attributes(frames: [frame(1)], finished?: true, gap?: false)
    end

    it "is known of a stream of which nothing else is" do
      finish(store, id)
      expect(read(after: 3)).to have_attributes(frames: [], finished?: true, gap?: true)
      expect(store.checkpoint(id, place: "a")).to be_nil
    end
  end

  describe "streams of a key" do
    it "are those that have begun and not ended, oldest first" do
      key = "session #{id}"
      ids = Array.new(3) { |number| "#{id}-#{number}" }
      ids.each { |one| store.begin(one, keys: [key, "user #{id}"]) }
      expect(store.streams_of(key)).to eq(ids)
      finish(store, ids[1])
      store.begin(ids[0], keys: [key])
      expect(store.streams_of(key)).to eq([ids[0], ids[2]])
      expect(store.streams_of("user #{id}")).to eq([ids[0], ids[2]])
      expect(store.streams_of("nobody #{id}")).to eq([])
    end
  end

  describe "streams of a key that have ended" do
    it "are there for whoever asks for recent ones" do
      store.begin(id, keys: [id])
      store.begin("#{id}-2", keys: [id])
      finish(store, id)
      expect([store.streams_of(id), store.streams_of(id, recent: true)]).to eq([["#{id}-2"], [id, "#{id}-2"]])
    end
  end

  describe "keys" do
    it "stay known after the end and to the next attempt" do
      store.begin(id, keys: ["user:1", "place: {\u00e4}"])
      finish(store, id)
      expect(store.keys_of(id)).to contain_exactly("user:1", "place: {\u00e4}")
      store.begin(id, keys: ["session:2"])
      expect(store.keys_of(id)).to contain_exactly("user:1", "place: {\u00e4}", "session:2")
    end

    it "can be added, but to nothing of which nothing is known" do
      store.add_keys(id, ["place:#{id}"])
      store.flush(LifecycleHelpers::PATIENCE)
      expect([store.keys_of(id), store.state_of(id)]).to eq([[], nil])
      store.begin(id)
      store.add_keys(id, ["place:#{id}", "place:#{id}"])
      store.flush(LifecycleHelpers::PATIENCE)
      expect([store.keys_of(id), store.streams_of("place:#{id}")]).to eq([["place:#{id}"], [id]])
    end

    it "are kept up to a number" do
      most = RAAF::Streaming::ReplayStore::MAX_KEYS
      store.begin(id, keys: Array.new(most + 3) { |number| "#{id} #{number}" })
      store.begin(id, keys: ["#{id} late", "#{id} 0"])
      expect(store.keys_of(id)).to match_array(Array.new(most) { |number| "#{id} #{number}" })
    end
  end

  describe "the state" do
    it "is that of what was done last" do
      expect(store.state_of(id)).to be_nil
      store.begin(id)
      expect(store.state_of(id)).to eq(:running)
      finish(store, id)
      expect(store.state_of(id)).to eq(:finished)
      store.begin(id)
      expect(store.state_of(id)).to eq(:running)
      store.cancel(id)
      expect(store.state_of(id)).to eq(:cancelled)
      finish(store, id, attempt: 2)
      expect(store.state_of(id)).to eq(:cancelled)
    end

    it "is running where the first that the store hears of is a frame" do
      append(1, attempt: 2)
      store.begin("#{id}-2") # renews the lease
      expect(store.state_of(id)).to eq(:running)
    end

    it "is waiting until somebody begins" do
      store.await(id, keys: [id])
      expect([store.state_of(id), store.keys_of(id), store.streams_of(id)]).to eq([:waiting, [id], [id]])
      expect(read).to have_attributes(attempt: 0, frames: [], finished?: false)
      expect(store.begin(id, keys: [id])).to eq(1)
      expect(store.state_of(id)).to eq(:running)
    end

    it "is waiting where a run is handed back, and another attempt follows" do
      store.begin(id, owner: "a")
      append(1)
      store.await(id, attempt: 1)
      expect([store.state_of(id), read.frames]).to eq([:waiting, [frame(1)]])
      expect([store.begin(id, owner: "a"), store.state_of(id), read.frames]).to eq([2, :running, []])
    end

    it "is left as it is where a later attempt has begun, or has ended" do
      store.begin(id)
      store.await(id)
      expect(store.state_of(id)).to eq(:running)
      finish(store, id)
      store.await(id, attempt: 1)
      expect(store.state_of(id)).to eq(:finished)
    end
  end

  describe "stopping" do
    let(:reasons) { Queue.new }

    it "is known to all, and stays known to the next attempt" do
      store.begin(id)
      expect(store.cancel(id)).to be(true)
      expect([store.cancelled?(id), read.cancelled?]).to eq([true, true])
      store.begin(id)
      expect(store.cancelled?(id)).to be(true)
    end

    it "is too late after the end" do
      finish(store, id)
      expect([store.cancel(id), store.cancelled?(id)]).to eq([false, false])
    end

    it "can come before the beginning" do
      expect(store.cancel(id)).to be(true)
      expect(read).to have_attributes(attempt: 0, frames: [], cancelled?: true)
      expect(store.begin(id)).to eq(1)
      store.watch(id) { |reason| reasons << reason }
      expect(reasons.pop).to eq(:cancelled)
    end

    it "is told once to whoever watches" do
      store.watch(id) { |reason| reasons << reason }
      store.cancel(id)
      store.cancel(id)
      expect(reasons.pop).to eq(:cancelled)
      expect(reasons).to be_empty
    end

    it "is told to none that has left, and to none of a stream that has ended" do
      store.unwatch(store.watch(id) { |reason| reasons << reason })
      store.cancel(id)
      store.watch("#{id}-2") { |reason| reasons << reason }
      finish(store, "#{id}-2")
      store.cancel("#{id}-2")
      store.watch("#{id}-3") { |reason| reasons << [3, reason] }
      store.cancel("#{id}-3")
      expect(reasons.pop).to eq([3, :cancelled])
      expect(reasons).to be_empty
    end

    it "is told to a run that another one has superseded" do
      store.begin(id)
      store.watch(id) { |reason| reasons << [1, reason] }
      store.begin(id)
      store.watch(id, attempt: 2) { |reason| reasons << [2, reason] }
      expect(reasons.pop).to eq([1, :superseded])
      store.cancel(id)
      expect(reasons.pop).to eq([2, :cancelled])
    end

    it "is told to the others where one raises, which is logged" do
      without_log do |log|
        store.watch(id) { raise IOError, "broken" }
        store.watch(id) { |reason| reasons << reason }
        store.cancel(id)
        expect(reasons.pop).to eq(:cancelled)
        expect(log.string).to include("IOError: broken")
      end
    end
  end

  it "takes part in what several threads do to one stream" do
    threads = Array.new(4) do |number|
      Thread.new { (1..100).each { |seq| store.append(id, frame(seq, place: "place #{number}")) } }
    end
    threads.each(&:join)
    store.flush(LifecycleHelpers::PATIENCE)
    4.times { |number| expect(read(place: "place #{number}").frames.map(&:seq)).to eq([*1..100]) }
  end

  it "does what a plain description of it does" do
    20.times do
      seed = rand(1 << 32)
      difference = ReplayStoreComparison.new(seed, ->(**options) { make_store(**options) }).run(150)
      expect([seed, difference]).to eq([seed, nil])
    end
  end
end
