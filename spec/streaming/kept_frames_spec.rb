# frozen_string_literal: true

# What streams leave in the replay store, whatever becomes of them.
RSpec.describe "What a stream leaves in the replay store" do
  include_context "with a model server"
  include LifecycleForks

  let(:store) { RAAF::Streaming::ReplayStore::MemoryStore.new }
  let(:origin) { origin_of }

  before do
    RAAF::Streaming::Delivery.keep
    RAAF::Streaming.configure { |config| config.replay_store = store }
  end

  after do
    RAAF::Streaming::Delivery.instance_variable_set(:@kept, false)
    RAAF::Streaming::EventBus.carrier = nil
    RAAF::Streaming.reset_configuration!
  end

  def origin_of(**options)
    RAAF::Streaming::Origin.new(stream_id: "s", request_id: "r", session_id: "7", user_id: 1, **options)
  end

  def begin_stream(origin = self.origin, **options)
    RAAF::Streaming::Origin.within(origin) { runner.stream("Hi", **options) }
  end

  # As an application sends a chunk.
  def send_out(chunk, place = "p", **more)
    RAAF::Streaming::Delivery.current.stamp(place, {type: "chunk", chunk_type: chunk.type, content: chunk.delta,
      cumulative: chunk.cumulative, **more})
  end

  def kept(place = "p", id: "s", **options)
    store.read(id, place: place, **options).frames.map(&:message)
  end

  def text(place = "p", id: "s")
    store.checkpoint(id, place: place).text
  end

  it "is every frame that it sends, with its number, and the text" do
    server.script(deltas: %w[Hel lo])
    sent = []
    begin_stream.each { |chunk| sent << send_out(chunk) }

    expect(sent.map { |frame| frame[:raaf] }).to eq([
      {stream_id: "s", seq: 1, attempt: 1, terminal: false, request_id: "r"},
      {stream_id: "s", seq: 2, attempt: 1, terminal: false, request_id: "r"},
      {stream_id: "s", seq: 3, attempt: 1, terminal: true, request_id: "r"}
    ])
    expect(kept).to eq(JSON.parse(sent.to_json))
    expect(text).to eq("Hello")
    expect(store.state_of("s")).to eq(:finished)
    expect(store.keys_of("s")).to contain_exactly("user:1", "session:7", "request:r", "place:p")
  end

  it "is nothing of a stream that nobody asks for and that is sent nowhere" do
    server.script(deltas: %w[Hello])
    runner.run_and_stream("Hi") { |chunk| chunk.delta }
    expect(store.size).to eq(0)
  end

  it "begins with the first frame where nobody has said where the stream comes from" do
    server.script(deltas: %w[a b])
    id = nil
    states = runner.run_and_stream("Hi", user_id: 5) do |chunk|
      send_out(chunk) if chunk.delta == "b" || chunk.terminal?
      id = chunk.stream_id
    end
    expect(states.final_output).to eq("ab")
    expect(kept(id: id).map { |frame| frame["content"] }).to eq(["b", ""])
    expect(text(id: id)).to eq("ab")
    expect(store.keys_of(id)).to contain_exactly("user:5", "place:p")
  end

  it "keeps places apart, each with the whole text, whatever is left out or sent twice" do
    server.script(deltas: %w[a b c])
    begin_stream.each do |chunk|
      2.times { send_out(chunk, "twice") }
      send_out(chunk, "late") if chunk.delta == "c"
      send_out(chunk, "end") if chunk.terminal?
    end
    expect(kept("twice").map { |frame| frame["raaf"]["seq"] }).to eq([*1..8])
    expect(%w[twice late end].map { |place| text(place) }).to eq(%w[abc abc abc])
    expect(kept("late").map { |frame| frame["raaf"]["seq"] }).to eq([1])
    eventually { store.state_of("s") == :finished } # its end was not sent everywhere
    expect(store.streams_of("place:late", recent: true)).to eq(["s"])
  end

  it "counts no further places than there is room for" do
    server.script(deltas: [])
    most = RAAF::Streaming::Delivery::MAX_PLACES
    frames = []
    begin_stream.each { |chunk| (most + 2).times { |number| frames << send_out(chunk, "place #{number}") } }
    expect(frames.count { |frame| frame.key?(:raaf) }).to eq(most)
  end

  describe "the end" do
    it "is known before the first token, as is the beginning" do
      server.script(**no_answer)
      stream = begin_stream
      expect(store.state_of("s")).to eq(:running)
      stream.cancel
      stream.wait
      eventually { store.state_of("s") == :finished }
    end

    it "is known of a run that fails" do
      server.script(status: 401)
      begin_stream.on { |chunk| send_out(chunk) }.wait(20)
      expect(kept.last).to include("chunk_type" => "error", "raaf" => include("terminal" => true))
      eventually { store.state_of("s") == :finished }
    end

    it "is known where a block raises, is left, or its thread is killed" do
      3.times { server.script(**silence_after("a")) }
      expect { begin_stream.each { |chunk| send_out(chunk) && raise("mine") } }.to raise_error("mine")
      begin_stream(origin_of(stream_id: "left")).each { |chunk| send_out(chunk) && break }
      waits = Queue.new
      stream = begin_stream(origin_of(stream_id: "killed"))
      thread = Thread.new { stream.each { |chunk| send_out(chunk) && waits.push(1) && sleep } }
      waits.pop
      thread.kill.join
      %w[s left killed].each { |id| eventually { store.state_of(id) == :finished } }
    end

    it "is known where a callback raises, behind what others say of it" do
      server.script(deltas: %w[a b])
      without_log do
        stream = begin_stream
        stream.on(:content) { raise "mine" }
        stream.on(:error) { |chunk| send_out(chunk) }
        stream.wait(20)
        eventually { store.state_of("s") == :finished }
        expect(kept.last["chunk_type"]).to eq("error")
      end
    end

    it "is known where nothing could be asked" do
      limited = runner_for(server.base_url, max_concurrent_streams: 1)
      server.script(**no_answer)
      first = limited.stream("Hi")
      RAAF::Streaming::Origin.within(origin) do
        expect { limited.stream("Hi") }.to raise_error(RAAF::Errors::StreamLimitError)
      end
      eventually { store.state_of("s") == :finished }
    ensure
      first&.cancel
    end

    it "is known where everybody has let go of the stream" do
      server.script(**no_answer)
      Thread.new { begin_stream && nil }.join # no stack of ours has it
      server.wait_for_request
      eventually { GC.start || store.state_of("s") == :finished }
    end

    it "is known where the process, or its streaming, is shut down" do
      states = in_child do
        server.script(**no_answer)
        child = RAAF::Streaming::ReplayStore::MemoryStore.new
        RAAF::Streaming.configure { |config| config.replay_store = child }
        begin_stream.on { |chunk| chunk }
        before = child.state_of("s")
        RAAF::Streaming.shutdown
        [before, child.state_of("s")]
      end
      expect(states).to eq(%i[running finished])
    end

    it "is not told by a child that has inherited the stream" do
      server.script(**no_answer)
      stream = begin_stream
      in_child { stream.cancel && stream.wait rescue nil } # rubocop:disable Style/RescueModifier
      expect(store.state_of("s")).to eq(:running)
      stream.cancel
    end
  end

  describe "another run of a job" do
    it "takes the place of the first, whose frames are refused, and which is stopped" do
      server.script(**silence_after("old"))
      server.script(deltas: %w[new])
      first = begin_stream(origin_of(owner: "run 1"))
      taking = take(first) { |chunk| send_out(chunk) }
      eventually { kept.size == 1 }

      begin_stream(origin_of(owner: "run 2", attempt: 2)).each { |chunk| send_out(chunk) }
      server.wait_for_close(server.requests.first)
      taking.join

      expect(taking.error).to be_a(RAAF::Errors::CancelledError)
        .and have_attributes(reason: :superseded, message: /another run/, retryable?: false)
      expect(kept.map { |frame| frame["raaf"].values_at("attempt", "seq") }).to eq([[2, 1], [2, 2]])
      expect(text).to eq("new")
      expect(store.state_of("s")).to eq(:finished)
    end

    it "follows one that was interrupted and handed back" do
      server.script(**silence_after("old"))
      job = origin_of(owner: "run 1")
      stream = begin_stream(job)
      thread = Thread.new do
        stream.each { |chunk| send_out(chunk) }
      rescue SignalException
        [store.state_of("s"), job.hand_back]
      end
      eventually { store.read("s", place: "p")&.last == 1 }
      thread.raise(Interrupt)

      expect(thread.value).to eq([:running, 1])
      expect([store.state_of("s"), text, job.hand_back]).to eq([:waiting, "old", 0])
      server.wait_for_close(server.requests.first)
    end

    it "is expected by a store of the application's own too, which has no more than it has to have" do
      own = Class.new do
        extend Forwardable

        def_delegators :@kept, *RAAF::Streaming::ReplayStore::INTERFACE
        def initialize(kept) = @kept = kept
      end
      RAAF::Streaming.configure { |config| config.replay_store = own.new(store) }
      server.script(**no_answer)
      job = origin_of(owner: "run 1")
      stream = begin_stream(job)
      expect([job.hand_back, store.state_of("s")]).to eq([1, :waiting])
      expect(stream.wait.status).to eq(:cancelled)
      expect(store.state_of("s")).to eq(:waiting)
    end

    it "is not expected where it was not handed back, or is no job" do
      server.script(**silence_after("old"))
      origin = origin_of
      stream = begin_stream(origin)
      thread = Thread.new { stream.each { |chunk| send_out(chunk) } }
      thread.report_on_exception = false
      eventually { store.read("s", place: "p")&.last == 1 }
      thread.raise(Interrupt)
      expect { thread.join }.to raise_error(Interrupt)
      eventually { store.state_of("s") == :finished }
      expect(origin.hand_back).to eq(0)
    end
  end

  describe "an answer that begins anew" do
    it "after a redirect says so in its next frame, and its text is the new one" do
      server.script(**silence_after("old"))
      server.script(deltas: %w[new er])
      stream = begin_stream
      sent = []
      stream.each do |chunk|
        sent << send_out(chunk) unless chunk.status?
        stream.redirect("Else") if chunk.delta == "old"
      end
      expect(sent.map { |frame| frame[:raaf][:reset] }).to eq([nil, true, nil, nil])
      expect(text).to eq("newer")
    end

    it "after an attempt of a run that failed says so in the notice" do
      server.script(deltas: %w[o l d], fault: :cut, after: 3)
      server.script(deltas: %w[new])
      resilient = RAAF::Streaming::ResilientRunner.new(retry_delay: 0, after_content: :reset,
        agent: RAAF::Agent.new(name: "Assistant", model: "gpt-4o"),
        provider: RAAF::Models::OpenAIProvider.new(api_key: "key", base_url: server.base_url))
      sent = []
      RAAF::Streaming::Origin.within(origin) { resilient.run_and_stream("Hi") { |chunk| sent << send_out(chunk) } }
      notice = sent.find { |frame| frame[:chunk_type] == :status }
      expect(sent.select { |frame| frame[:raaf][:reset] }).to eq([notice])
      expect(text).to eq("new")
    end
  end

  describe "a whole text that is too long for a frame" do
    let(:limit) { {cumulative_limit: 4} }

    def send_limited(chunk, **message)
      RAAF::Streaming::Delivery.current.stamp("p", message, **limit)
    end

    def sent_with
      server.script(deltas: %w[ab cd ef gh])
      sent = []
      begin_stream.each { |chunk| sent.concat([yield(chunk)].flatten.compact) }
      sent.map { |frame| frame[:cumulative] }
    end

    it "is left out where the reader has it, also at the end" do
      texts = sent_with do |chunk|
        send_limited(chunk, type: "chunk", content: chunk.delta, cumulative: chunk.cumulative)
      end
      expect(texts).to eq(["ab", "abcd", nil, nil, nil])
      expect(text).to eq("abcdefgh")
    end

    it "stays where the reader would not come to it" do
      some = sent_with do |chunk|
        next if chunk.delta == "ab"

        send_limited(chunk, content: chunk.delta, cumulative: chunk.cumulative)
      end
      expect(some).to eq(["abcd", nil, nil, nil])
    end

    it "stays where pieces are left out, are changed, or come twice, or it is not the answer's" do
      left_out = sent_with do |chunk|
        content = (chunk.delta == "ef") ? {} : {content: chunk.delta}
        send_limited(chunk, **content, cumulative: chunk.cumulative)
      end
      expect(left_out).to eq(["ab", "abcd", "abcdef", nil, nil])
      RAAF::Streaming.configure { |config| config.replay_store = RAAF::Streaming::ReplayStore::MemoryStore.new }
      twice = sent_with do |chunk|
        Array.new(2) { send_limited(chunk, content: chunk.delta, cumulative: chunk.cumulative) }
      end
      expect(twice.compact.uniq).to eq(%w[ab abcd abcdef abcdefgh])
      own = sent_with { |chunk| send_limited(chunk, content: chunk.delta, cumulative: chunk.cumulative.upcase) }
      expect(own).to eq(%w[AB ABCD ABCDEF ABCDEFGH ABCDEFGH])
    end
  end

  describe "a store that fails" do
    let(:store) { broken_store }

    def broken_store
      Class.new(RAAF::Streaming::ReplayStore) do
        RAAF::Streaming::ReplayStore::INTERFACE.each { |name| define_method(name) { |*, **| raise IOError, "broken" } }
      end.new
    end

    it "fails no stream, and leaves its frames their numbers" do
      server.script(deltas: %w[a])
      without_log do
        sent = []
        begin_stream(origin_of(attempt: 3)).each { |chunk| sent << send_out(chunk) }
        expect(sent.map { |frame| frame[:raaf].values_at(:attempt, :seq) }).to eq([[3, 1], [3, 2]])
      end
    end

    it "is not asked where there is none" do
      RAAF::Streaming.configure { |config| config.replay_store = false }
      server.script(deltas: %w[a])
      sent = []
      begin_stream.each { |chunk| sent << send_out(chunk) }
      expect(sent.map { |frame| frame[:raaf][:seq] }).to eq([1, 2])
    end
  end

  it "can be stopped by its id while the model is silent" do
    server.script(**no_answer)
    taking = take(begin_stream)
    request = server.wait_for_request
    expect(store.cancel("s")).to be(true)
    server.wait_for_close(request)
    taking.join
    expect(taking.error).to have_attributes(reason: :cancelled)
    expect(store.state_of("s")).to eq(:cancelled)
  end

  it "ends at once where it was stopped before it began" do
    server.script(**no_answer)
    store.cancel("s")
    stream = begin_stream
    expect { stream.each { |chunk| chunk } }.to raise_error(RAAF::Errors::CancelledError)
    expect(store.state_of("s")).to eq(:cancelled)
  end
end
