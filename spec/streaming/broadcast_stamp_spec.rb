# frozen_string_literal: true

# What is broadcast from a stream's block, with the real Action Cable in a process of its own.
RSpec.describe "What is broadcast from a stream's block" do
  include GuideServices

  around { |example| RAAF::Testing::ModelServer.start { |server| (@server = server) && example.run } }

  # The engine's initializers, without Rails.
  setup = <<~RUBY
    require "raaf/streaming/rails/broadcast_stamp"
    RAAF::Streaming::Delivery.keep
    RAAF::Streaming::BroadcastStamp.install
    STORE = RAAF::Streaming::ReplayStore::MemoryStore.new
    RAAF::Streaming.configure { |config| config.replay_store = STORE }
    runner = RAAF::Streaming::AsyncRunner.new(agent: agent(:answering))
    send_out = lambda do |chunk, to = "chat"|
      ActionCable.server.broadcast(to, {type: "chunk", chunk_type: chunk.type, content: chunk.delta,
        cumulative: chunk.cumulative})
    end
    ids = []
    of = ->(frames) { frames.sort_by { |frame| frame["raaf"]["seq"] } }
  RUBY

  define_method(:broadcast) { |script| run_with_cable(@server, "#{setup}\n#{script}") }

  it "has its number, and is kept as it was sent" do
    @server.script(deltas: %w[Hel lo])
    report = broadcast(<<~RUBY)
      listener = Listener.new("chat")
      runner.run_and_stream("Hi") { |chunk| send_out.call(chunk); ids << chunk.stream_id }
      frames = of.call(listener.frames(3))
      report(frames: frames, kept: STORE.read(ids[0], place: "chat").frames.map(&:message), keys: STORE.keys_of(ids[0]),
        text: STORE.checkpoint(ids[0], place: "chat").text, state: STORE.state_of(ids[0]))
    RUBY
    expect(report[:frames].map { |frame| frame[:raaf].values_at(:seq, :attempt, :terminal) })
      .to eq([[1, 1, false], [2, 1, false], [3, 1, true]])
    expect(report).to include(kept: report[:frames], text: "Hello", state: "finished", keys: ["place:chat"])
  end

  it "is sent as it is where it is no Hash, has a stamp, or comes from elsewhere" do
    @server.script(deltas: %w[Hello])
    report = broadcast(<<~RUBY)
      listener = Listener.new("chat")
      runner.run_and_stream("Hi") do |chunk|
        next unless chunk.content?
        ActionCable.server.broadcast("chat", "text")
        ActionCable.server.broadcast("chat", {raaf: 1})
      end
      ActionCable.server.broadcast("chat", {a: 1})
      report(frames: listener.frames(3), size: STORE.size)
    RUBY
    expect(report[:frames]).to contain_exactly("text", {raaf: 1}, {a: 1})
    expect(report[:size]).to eq(0)
  end

  it "goes without the whole text where that is long, and the frames come to it" do
    @server.script(deltas: Array.new(50) { |number| format("%049d ", number) })
    report = broadcast(<<~RUBY)
      listener = Listener.new("chat")
      runner.run_and_stream("Hi") { |chunk| send_out.call(chunk); ids << chunk.stream_id }
      frames = of.call(listener.frames(51))
      report(frames: frames, text: STORE.checkpoint(ids[0], place: "chat").text)
    RUBY
    frames = report[:frames]
    expect(frames.map { |frame| frame[:content] }.join).to eq(report[:text])
    expect(frames.count { |frame| frame[:cumulative] }).to eq(20) # of 50 bytes each
    expect(frames.last).not_to have_key(:cumulative)
    expect(frames.last).to include(chunk_type: "complete")
  end

  it "goes as a pointer on PostgreSQL where it is too large, and is kept whole" do
    @server.script(deltas: ["<" * 1290, "x" * 7000, "short", "y" * 9000])
    report = broadcast(<<~RUBY)
      listener = Listener.new("chat")
      ActionCable.server.config.cable.replace("adapter" => "postgresql") # what is asked; the frames go by async
      runner.run_and_stream("Hi") { |chunk| send_out.call(chunk); ids << chunk.stream_id }
      kept = STORE.read(ids[0], place: "chat").frames
      report(frames: of.call(listener.frames(5)), sizes: kept.map { |frame| frame.message["content"].size })
    RUBY
    expect(report[:frames].map { |frame| frame[:raaf][:fetch] }).to eq([nil, nil, nil, true, nil])
    expect(report[:frames][3]).to match(type: "chunk", chunk_type: "content",
      raaf: {stream_id: String, seq: 4, attempt: 1, terminal: false, fetch: true})
    expect(report[:sizes]).to eq([1290, 7000, 5, 9000, 0])
  end

  it "fails no stream where it cannot be sent, is counted, logged once, and kept" do
    @server.script(deltas: %w[a b])
    report = broadcast(<<~RUBY)
      pubsub = ActionCable.server.pubsub
      def pubsub.broadcast(*) = raise(Errno::ECONNREFUSED, "redis")
      result = runner.run_and_stream("Hi") { |chunk| send_out.call(chunk); ids << chunk.stream_id }
      outside = failure { ActionCable.server.broadcast("chat", {a: 1}) }
      report(text: result.final_output, failures: RAAF::Streaming::BroadcastStamp.failures, outside: outside,
        lines: LOG.string.scan("has failed").size, kept: STORE.read(ids[0], place: "chat").frames.size)
    RUBY
    expect(report).to eq(text: "ab", failures: 3, outside: "Errno::ECONNREFUSED", lines: 1, kept: 3)
  end

  it "raises mistakes of whoever has written it" do
    @server.script(deltas: %w[a])
    report = broadcast(<<~RUBY)
      report(error: failure { runner.run_and_stream("Hi") { |chunk| ActionCable.server.broadcast("chat", {a: nobody}) } })
    RUBY
    expect(report[:error]).to eq("NameError")
  end

  it "is told where a job is handed back" do
    @server.script(deltas: %w[a], keep_open: true, finish_reason: nil, done: false)
    report = broadcast(<<~RUBY)
      origin = RAAF::Streaming::Origin.new(stream_id: "s", owner: "run 1")
      listener = Listener.new("chat")
      first = Queue.new
      job = Thread.new do
        RAAF::Streaming::Origin.within(origin) do
          runner.run_and_stream("Hi") { |chunk| send_out.call(chunk); first << 1 }
        end
      rescue Interrupt
        origin.hand_back
      end
      first.pop
      job.raise(Interrupt)
      job.join
      report(last: listener.frames(2).find { |frame| frame["type"] == "raaf_handed_back" }, state: STORE.state_of("s"))
    RUBY
    expect(report).to eq(last: {type: "raaf_handed_back", raaf: {stream_id: "s", attempt: 1}}, state: "waiting")
  end
end
