# frozen_string_literal: true

RSpec.describe RAAF::Streaming::ConnectionManager do
  include_context "with a model server"
  include LifecycleForks

  subject(:manager) { described_class.instance }

  after do
    manager.cancel_all
    RAAF::Streaming.reset_configuration!
    # What the example has registered goes by itself.
    RAAF::Streaming.configure { |config| config.stale_connection_timeout = 0.001 }
    eventually("the end of all connections") { manager.cleanup_stale_connections && registered.zero? }
    RAAF::Streaming.reset_configuration!
  end

  # @return [Integer] connections, where no stream runs
  def registered
    manager.active_connections_count
  end

  def registered_until_stale(seconds)
    RAAF::Streaming.configure { |config| config.stale_connection_timeout = seconds }
  end

  describe "with connections that are registered by hand" do
    it "counts them, each once, until they are taken out" do
      manager.register_stream("session", 1)
      manager.register_stream("session", 2)
      manager.register_stream("session", 2)
      expect(manager.active_connections_count).to eq(2)

      manager.unregister_stream("session", 2)
      manager.unregister_stream("another", 2)
      expect(manager.active_connections_count).to eq(1)
      manager.unregister_stream("session", 1)
      expect(manager.active_connections_count).to eq(0)
    end

    it "tells apart what only looks the same when it is written in one" do
      manager.register_stream("a_b", "c")
      manager.register_stream("a", "b_c")
      manager.register_stream("a", nil)
      manager.register_stream("a", "")

      expect(manager.active_connections_count).to eq(4)
      manager.unregister_stream("a_b", "c")
      expect(manager.active_connections_count).to eq(3)
    end

    it "takes an id and its text for the same" do
      manager.register_stream(:session, 1)
      manager.register_stream("session", "1")

      expect(manager.active_connections_count).to eq(1)
    end

    it "removes those that show no activity, and logs it" do
      log = StringIO.new
      RAAF::Streaming.logger = Logger.new(log)
      manager.register_stream("session", 1)
      expect(manager.cleanup_stale_connections).to eq(0)
      registered_until_stale(0.001)

      eventually { manager.cleanup_stale_connections == 1 }
      expect(manager.active_connections_count).to eq(0)
      expect(log.string.lines).to contain_exactly(/INFO.*Cleaned up stale connection: session_1$/)
    ensure
      RAAF::Streaming.logger = nil
    end

    it "keeps those that show some" do
      manager.register_stream("session", 1)
      manager.update_activity("session", 1)
      manager.update_activity("another", 1)

      expect(manager.cleanup_stale_connections).to eq(0)
      expect(manager.active_connections_count).to eq(1)
    end

    it "removes them by itself, with one timer and no thread for each" do
      registered_until_stale(0.05)
      log = StringIO.new
      RAAF::Streaming.logger = Logger.new(log)
      threads = Thread.list.size
      200.times { |i| manager.register_stream("session", i) }

      expect(Thread.list.size).to be <= threads + 1
      eventually { registered.zero? }
      eventually { log.string.scan("Cleaned up stale connection: session_").size == 200 }
    ensure
      RAAF::Streaming.logger = nil
    end

    it "takes any number of threads" do
      threads = Array.new(8) do |thread|
        Thread.new do
          200.times do |i|
            manager.register_stream("session #{thread}", i)
            manager.update_activity("session #{thread}", i)
            manager.cleanup_stale_connections if (i % 50).zero?
            manager.unregister_stream("session #{thread}", i) if i.odd?
          end
        end
      end
      threads.each(&:join)

      expect(manager.active_connections_count).to eq(800)
    end

    it "begins with none in a forked child" do
      manager.register_stream("session", 1)
      inside = in_child do
        [manager.active_connections_count, manager.register_stream("child", 1), manager.active_connections_count]
      end

      expect(inside).to eq([0, nil, 1])
      expect(manager.active_connections_count).to eq(1)
    end
  end

  describe "with running streams" do
    before { server.default_script(**silence_after("Hel", "lo"), repeat: true) }

    it "counts the session and user of each, once, together with what is registered" do
      manager.register_stream("registered", 1)
      manager.register_stream("both", 1)
      streams = [
        runner.stream("Hi", session_id: "both", user_id: "1"), runner.stream("Hi", session_id: "both", user_id: 1),
        runner.stream("Hi", session_id: "both"), runner.stream("Hi", user_id: 1), runner.stream("Hi")
      ]
      expect(manager.active_connections_count).to eq(4)

      manager.unregister_stream("both", 1)
      expect(manager.active_connections_count).to eq(4)
      streams.each(&:cancel)
      expect(manager.active_connections_count).to eq(1)
    end

    it "takes a stream out at its end, whatever ends it" do
      server.script(deltas: %w[Hi]).script(status: 401).script(deltas: %w[Hi], fault: :cut, after: 2)
      runner.run_and_stream("Hi", session_id: "s")
      2.times { runner.stream("Hi", session_id: "s").wait }
      runner.run_and_stream("Hi", session_id: "s") { break }
      thread = Thread.new { runner.run_and_stream("Hi", session_id: "s") }
      until_asleep(thread)
      eventually { manager.streams.size == 1 }
      thread.kill.join
      without_log { runner.stream("Hi", session_id: "s").on { raise "mine" }.wait }
      expect(manager.streams).to eq([])

      Thread.new { runner.stream("Hi", session_id: "s") && nil }.join
      expect(manager.streams.size).to eq(1)
      eventually("the collection, which the list does not prevent") do
        Thread.new { Array.new(100) { Object.new } && nil }.join
        GC.start
        manager.streams.empty?
      end
      expect(manager.active_connections_count).to eq(0)
    end

    it "shows them, the oldest first" do
      first = runner.stream("Hi", session_id: "s", user_id: 7)
      taking = take(first)
      2.times { taking.next_chunk }
      second = runner.stream("Hi", user_id: "ann", max_concurrent_streams: 1, stream_queue_timeout: 300)

      shown = manager.streams
      expect(shown).to match([
        have_attributes(id: first.id, session_id: "s", user_id: 7, provider: "openai", model: "gpt-4o",
          state: :streaming, age: be_positive, idle: be >= 0, deltas: 2, estimated_tokens: 2, text_bytes: 5,
          bytes: be > 50),
        have_attributes(id: second.id, session_id: nil, user_id: "ann", state: :queued, deltas: 0, bytes: 0,
          text_bytes: 0)
      ])
      expect(shown).to all(be_frozen)
      expect(shown.first.idle).to be <= shown.first.age
      expect(shown.first.to_h.keys).to eq(described_class::StreamInfo.members)
    end

    it "shows the status of one whose tools run" do
      server.clear_scripts
      gate = Queue.new
      tool = RAAF::Streaming::Tool.new(name: "look") { gate.pop }
      agent = RAAF::Agent.new(name: "Assistant", model: "gpt-4o", tools: [tool])
      provider = RAAF::Models::OpenAIProvider.new(api_key: "key", base_url: server.base_url)
      server.script(tool_calls: [{id: "c1", name: "look", arguments: {}}]).script(deltas: ["It is ", "blue"])
      stream = RAAF::Streaming::AsyncRunner.new(agent: agent, provider: provider).stream("Hi")
      taking = take(stream)
      eventually { stream.status == :running_tools }
      shown = manager.streams.first
      expect(shown).to have_attributes(id: stream.id, state: :running_tools, deltas: 1, text_bytes: 0)
      gate << "sky"

      expect(taking.join.error).to be_nil
      expect(manager.streams).to eq([])
    end

    it "shows whom a run asks now, after a handoff" do
      other = RAAF::Agent.new(name: "Other", model: "gpt-4o-mini")
      agent = RAAF::Agent.new(name: "Assistant", model: "gpt-4o", handoffs: [other])
      provider = RAAF::Models::OpenAIProvider.new(api_key: "key", base_url: server.base_url)
      server.script(tool_calls: [{id: "c1", name: "transfer_to_other", arguments: {}}])
      stream = RAAF::Streaming::AsyncRunner.new(agent: agent, provider: provider).stream("Hi")
      taking = take(stream)
      eventually { taking.chunks.last&.content? }

      expect(manager.streams.map(&:model)).to eq(["gpt-4o-mini"])
    end

    it "keeps what is registered for the session and user of one" do
      registered_until_stale(0.2)
      gate = Queue.new
      server.script do |_, response|
        response.start(200, "content-type" => "text/event-stream")
        while gate.empty?
          response.event({choices: [{index: 0, delta: {content: "a"}}]})
          response.sleep(0.01)
        end
        response.event({choices: [{index: 0, delta: {}, finish_reason: "stop"}]}).event("[DONE]")
      end
      manager.register_stream("s", 1)
      manager.register_stream("other", 1)
      taking = take(runner.stream("Hi", session_id: "s", user_id: 1))
      eventually { manager.active_connections_count == 1 } # the other one
      expect(manager.cleanup_stale_connections).to eq(0)
      gate << :end
      taking.join
      expect(manager.active_connections_count).to eq(1) # until it has been without activity for as long
    end
  end

  describe "as it cancels" do
    before { server.default_script(**no_answer, repeat: true) }

    let!(:streams) do
      {
        ann: runner.stream("Hi", session_id: "s", user_id: 1), again: runner.stream("Hi", session_id: "t", user_id: 1),
        bob: runner.stream("Hi", session_id: "s", user_id: 2), nobody: runner.stream("Hi")
      }
    end

    before { server.wait_for_request(4) }

    def cancelled
      streams.select { |_, stream| stream.tap { |one| one.wait(0.01) }.status == :cancelled }.keys
    end

    it "ends a stream by its id" do
      expect(manager.cancel(streams[:ann].id)).to eq(1)
      expect(manager.cancel(streams[:ann].id)).to eq(0)
      expect(manager.cancel("unknown")).to eq(0)

      expect { streams[:ann].result }.to raise_error(RAAF::Errors::CancelledError)
      expect(cancelled).to eq(%i[ann])
      server.wait_until { server.requests.size == 4 && server.requests.count(&:disconnected?) == 1 }
    end

    it "ends a stream itself, or one of its list" do
      listed = manager.streams.find { |stream| stream.user_id == 2 }
      expect([manager.cancel(streams[:ann]), manager.cancel(listed)]).to eq([1, 1])
      streams.values_at(:ann, :bob).each(&:wait)
      expect(cancelled).to eq(%i[ann bob])
    end

    it "ends those of a session" do
      expect(manager.cancel_session(:s)).to eq(2)
      streams.values_at(:ann, :bob).each(&:wait)
      expect(cancelled).to eq(%i[ann bob])
    end

    it "ends those of a user" do
      expect(manager.cancel_user("1")).to eq(2)
      streams.values_at(:ann, :again).each(&:wait)
      expect(cancelled).to eq(%i[ann again])
    end

    it "ends all" do
      expect(manager.cancel_all).to eq(4)
      streams.each_value(&:wait)
      expect(cancelled.size).to eq(4)
      expect(manager.cancel_all).to eq(0)
    end

    it "ends one that waits for its place, and one whose callbacks nobody waits for" do
      heard = Queue.new
      queued = runner.stream("Hi", user_id: 3, max_concurrent_streams: 1, stream_queue_timeout: 300)
      called = runner.stream("Hi", user_id: 3).on(:error) { |chunk| heard << chunk.exception.class }

      expect(manager.cancel_user(3)).to eq(2)
      expect(heard.pop).to eq(RAAF::Errors::CancelledError)
      expect { queued.result }.to raise_error(RAAF::Errors::CancelledError)
      called.wait
    end

    it "does so in a signal handler" do
      seen = Queue.new
      asked = manager # RSpec takes a lock
      before = trap("USR2") { seen << [asked.streams.size, asked.cancel_session("s")] }
      Process.kill("USR2", Process.pid)

      expect(seen.pop).to eq([4, 2])
      streams.values_at(:ann, :bob).each(&:wait)
      expect(cancelled).to eq(%i[ann bob])
    ensure
      trap("USR2", before || "DEFAULT")
    end

    it "leaves alone what is over" do
      server.script(deltas: %w[Hi])
      runner.run_and_stream("Hi", user_id: 4)
      expect(manager.cancel_user(4)).to eq(0)
    end
  end

  it "cancels a run while its tools run: with each, and with callbacks" do
    gate = Queue.new
    tool = RAAF::Streaming::Tool.new(name: "look") { gate.pop }
    agent = RAAF::Agent.new(name: "Assistant", model: "gpt-4o", tools: [tool])
    provider = RAAF::Models::OpenAIProvider.new(api_key: "key", base_url: server.base_url)
    runner = RAAF::Streaming::AsyncRunner.new(agent: agent, provider: provider)
    server.default_script(tool_calls: [{id: "c1", name: "look", arguments: {}}], repeat: true)
    taking = take(runner.stream("Hi", user_id: 1))
    called = runner.stream("Hi", user_id: 1).on(:tool_result) { nil }
    eventually { manager.streams.map(&:state) == %i[running_tools running_tools] }

    expect(manager.cancel_user(1)).to eq(2)
    expect(taking.types.last).to eq(:error)
    expect { called.result }.to raise_error(RAAF::Errors::CancelledError)
    expect(server.requests.size).to eq(2)
    2.times { gate << "late" }
  end

  it "cancels a run that is about to go on after a redirect for good" do
    written = Queue.new
    go = Queue.new
    agent = RAAF::Agent.new(name: "Assistant", model: "gpt-4o", instructions: lambda do |_|
      written << 1
      go.pop
    end)
    provider = RAAF::Models::OpenAIProvider.new(api_key: "key", base_url: server.base_url)
    server.script(**silence_after("Long"))
    go << "Be brief."
    stream = RAAF::Streaming::AsyncRunner.new(agent: agent, provider: provider).stream("Hi", user_id: 1)
    taking = take(stream)
    taking.next_chunk
    written.pop
    stream.redirect("Shorter")
    written.pop
    expect(manager.cancel_user(1)).to eq(1)
    go << "Be brief."

    expect(taking.types.last).to eq(:error)
    expect(stream.status).to eq(:cancelled)
  end

  it "has no streams in a forked child but the child's own" do
    server.default_script(**no_answer, repeat: true)
    runner.stream("Hi", user_id: 1).tap { server.wait_for_request }
    inside = in_child do
      before = [manager.streams, manager.cancel_all, manager.active_connections_count]
      stream = runner.stream("Hi", user_id: 2)
      [*before, manager.streams.map(&:user_id), manager.cancel_user(2), stream.wait.status]
    end

    expect(inside).to eq([[], 0, 0, [2], 1, :cancelled])
    expect(manager.streams.map(&:user_id)).to eq([1])
  end

  it "can be asked while streams come and go" do
    server.default_script(deltas: %w[Hi], repeat: true)
    going = true
    asking = Thread.new do
      while going
        manager.streams
        manager.active_connections_count
        manager.cancel_session("nobody's")
        sleep(0.001) # lets the others get on
      end
    end
    texts = Array.new(4) { |user| Thread.new { Array.new(50) { runner.run_and_stream("Hi", user_id: user).text } } }

    expect(texts.flat_map(&:value)).to eq(["Hi"] * 200)
    going = false
    asking.join
    expect(manager.streams).to eq([])
  end

  it "forgets runs that the garbage collector has ended" do
    server.default_script(**no_answer, repeat: true)
    known = lambda do
      GC.start
      manager.active_connections_count # whoever counts them looks for those that have ended
      ObjectSpace.each_object(RAAF::Streaming::LiveRun).count
    end
    before = known.call
    Thread.new { 300.times { runner.stream("Hi", max_concurrent_streams: nil) } && nil }.join
    eventually("the collection") do
      Thread.new { Array.new(100) { Object.new } && nil }.join
      GC.start
      manager.streams.size < 5
    end
    held = Array.new(200) { runner.stream("Hi", max_concurrent_streams: nil) }

    eventually("the end of what was known of them") do
      known.call < before + 300
    end
    held.each(&:cancel)
  end
end
