# frozen_string_literal: true

require "async"
require "timeout"

RSpec.shared_context "with one place for all streams" do
  include_context "with a model server"

  # So long that an example which waits for it fails.
  let(:long) { 300 }
  let(:one) { runner_for(server.base_url, max_concurrent_streams: 1, stream_queue_timeout: long) }
  let(:for_each) { runner_for(server.base_url, max_concurrent_streams_per_user: 1, stream_queue_timeout: long) }

  # Takes the place, and keeps it until it is cancelled. It asks before anything else is scripted.
  def holder(asking = one, **options)
    server.script(**no_answer)
    asking.stream("The holder", **options).tap { server.wait_for_request(server.requests.size + 1) }
  end

  # @return [Array<Integer>] places that are held, and runs that wait for one
  def counts
    RAAF::Streaming::Place.counts
  end

  # @return [Array<String>] what was asked, in the order in which it came to the server
  def asked
    server.requests.map { |request| request.json[:messages].last[:content] }
  end

  # A place that is lost would be missed by the next example.
  after do
    eventually("the end of all places") { GC.start || counts == [0, 0] }
  end
end

RSpec.describe "A stream without a place" do
  include_context "with one place for all streams"

  describe "that does not wait" do
    def be_refused_by(limit)
      raise_error(RAAF::Errors::StreamLimitError, /#{limit}/) { |error|
        expect(error).to have_attributes(limit: limit, provider: "openai", model: "gpt-4o", retryable?: true)
      }
    end

    it "is refused where its user has as many as he may, and nobody else is" do
      asking = runner_for(server.base_url, max_concurrent_streams_per_user: 2)
      server.default_script(**no_answer, repeat: true)
      streams = Array.new(2) { asking.stream("Hi", user_id: 7) }

      expect { asking.stream("Hi", user_id: "7") }.to be_refused_by(:max_concurrent_streams_per_user)
      expect { asking.run_and_stream("Hi", user_id: 7) { nil } }.to be_refused_by(:max_concurrent_streams_per_user)
      streams.push(asking.stream("Hi", user_id: 8), *Array.new(3) { asking.stream("Hi") })
      streams.shift.cancel
      streams << asking.stream("Hi", user_id: 7)

      streams.each(&:cancel)
    end

    it "has the user of its runner, where the call names none" do
      server.default_script(**no_answer, repeat: true)
      asking = runner_for(server.base_url, max_concurrent_streams_per_user: 1, user_id: 7)
      stream = asking.stream("Hi")

      expect { asking.stream("Hi") }.to raise_error(RAAF::Errors::StreamLimitError)
      [stream, asking.stream("Hi", user_id: 8)].each(&:cancel)
    end

    it "is refused where as many wait as may" do
      held = holder
      waiting = Array.new(2) { one.stream("Hi") }

      expect { one.stream("Hi", max_queued_streams: 2) }.to be_refused_by(:max_queued_streams)
      [held, *waiting].each(&:cancel)
    end
  end

  describe "that waits" do
    it "is there at once, and is asked when the place is free", :backends do
      held = holder
      server.script(deltas: %w[Hel lo])
      stream = one.stream("Hi")

      expect(stream.status).to eq(:queued)
      expect(counts).to eq([1, 1])
      expect(server.connections).to eq(1)
      held.cancel

      expect(stream.result.final_output).to eq("Hello")
      expect(stream.result.attempts).to eq(1)
      expect(asked).to eq(["The holder", "Hi"])
    end

    it "makes run_and_stream wait, whose block gets all chunks" do
      held = holder
      server.script(deltas: %w[Hel lo])
      types = []
      thread = Thread.new { one.run_and_stream("Hi") { |chunk| types << chunk.type }.final_output }
      until_asleep(thread)
      expect(counts).to eq([1, 1])
      held.cancel

      expect(thread.value).to eq("Hello")
      expect(types).to eq(%i[content content complete])
    end

    it "waits for one of its user's, while others pass" do
      held = holder(for_each, user_id: "ann")
      server.default_script(deltas: %w[Hi], repeat: true)
      waiting = for_each.stream("Later", user_id: "ann")

      expect(for_each.run_and_stream("Now", user_id: "bob").final_output).to eq("Hi")
      expect(waiting.status).to eq(:queued)
      held.cancel

      expect(waiting.result.final_output).to eq("Hi")
      expect(asked).to eq(["The holder", "Now", "Later"])
    end

    it "lets users take turns, and serves a user's own in the order in which they came", :backends do
      held = holder
      server.default_script(deltas: %w[Hi], repeat: true)
      streams = %w[ann bob carol].flat_map do |user|
        Array.new(8) { |i| one.stream("#{user} #{i}", user_id: user) }
      end
      streams += Array.new(2) { |i| one.stream("nobody #{i}") }
      held.cancel

      expect(streams.map { |stream| stream.result.final_output }).to eq(["Hi"] * 26)
      turns = Array.new(8) { |i| %w[ann bob carol nobody].map { |user| "#{user} #{i}" } }.flatten
      expect(asked.drop(1)).to eq(turns - Array.new(6) { |i| "nobody #{i + 2}" })
    end

    it "gets its place, also where many threads ask all the time" do
      server.default_script(deltas: %w[Hi], repeat: true)
      asking = Array.new(4) do |thread|
        Thread.new { Array.new(25) { |i| one.run_and_stream("#{thread} #{i}", user_id: thread).final_output } }
      end

      expect(asking.flat_map(&:value)).to eq(["Hi"] * 100)
      expect(asked.size).to eq(100)
    end

    it "is measured by its own settings" do
      held = holder
      server.default_script(deltas: %w[Hi], repeat: true)
      waiting = one.stream("Later")

      expect(runner.run_and_stream("Now").final_output).to eq("Hi")
      expect(waiting.status).to eq(:queued)
      held.cancel
      expect(waiting.result.final_output).to eq("Hi")
    end

    it "ends in an error when its time is over, and nothing was sent", :backends do
      held = holder
      chunks = []
      brief = {stream_queue_timeout: 0.05}

      expect { one.run_and_stream("Hi", **brief) { |chunk| chunks << chunk } }
        .to raise_error(RAAF::Errors::StreamLimitError, /queue timeout.*stream_queue_timeout/) { |error|
          expect(error).to have_attributes(limit: :max_concurrent_streams, retryable?: true, attempts: 0)
          expect(chunks.map(&:exception)).to eq([error])
        }
      stream = one.stream("Hi", **brief)
      expect { stream.result }.to raise_error(RAAF::Errors::StreamLimitError)
      expect(stream.status).to eq(:failed)
      expect(counts).to eq([1, 0])
      held.cancel
      expect(server.requests.size).to eq(1)
    end

    it "says so where it is one of its user's that it waited for" do
      held = holder(for_each, user_id: 1)

      expect { for_each.run_and_stream("Hi", user_id: 1, stream_queue_timeout: 0.05) }
        .to raise_error(RAAF::Errors::StreamLimitError) { |error|
          expect(error.limit).to eq(:max_concurrent_streams_per_user)
        }
      held.cancel
    end

    it "has all its time for the answer" do
      held = holder
      server.script(deltas: %w[Hi])
      taking = take(one.stream("Hi", stream_timeout: 20, connection_timeout: 10))
      until_asleep(taking.thread)
      expect { Timeout.timeout(0.1) { taking.thread.join } }.to raise_error(Timeout::Error)
      held.cancel

      expect(taking.types).to eq(%i[content complete])
    end

    it "runs without a socket, too, when it is its turn" do
      held = holder
      mock = RAAF::Testing::MockProvider.new.add_streaming_response(chunks: %w[Hel lo])
      agent = RAAF::Agent.new(name: "Assistant", model: "mock")
      asking = RAAF::Streaming::AsyncRunner.new(agent: agent, provider: mock, max_concurrent_streams: 1,
        stream_queue_timeout: long)
      stream = asking.stream("Hi")
      expect(stream.status).to eq(:queued)
      held.cancel

      expect(stream.result.final_output).to eq("Hello")
    end
  end

  describe "that is given up while it waits" do
    let!(:held) { holder }

    after { held.cancel }

    def expect_left(stream = nil)
      eventually("the end of the wait") { counts == [1, 0] }
      expect(stream.status).to eq(:cancelled) if stream
      expect(server.requests.size).to eq(1)
    end

    it "leaves the queue at once with a cancel", :backends do
      stream = one.stream("Hi")
      stream.cancel

      expect(counts).to eq([1, 0])
      expect { stream.result }.to raise_error(RAAF::Errors::CancelledError)
      expect_left(stream)
    end

    it "leaves it with Thread#kill" do
      thread = Thread.new { one.run_and_stream("Hi") }
      until_asleep(thread)
      expect(counts).to eq([1, 1])
      thread.kill.join

      expect_left
    end

    it "leaves it with Timeout, and with wait(timeout) it does not" do
      expect { Timeout.timeout(0.1) { one.run_and_stream("Hi") { nil } } }.to raise_error(Timeout::Error)
      expect_left
      stream = one.stream("Hi")
      expect(stream.wait(0.02)).to be_nil
      expect(stream.status).to eq(:queued)
      stream.cancel
    end

    it "leaves it with the task of a fiber", valgrind: false do
      Sync do |task|
        waiting = Async { one.run_and_stream("Hi") }
        task.sleep(0.001) until counts == [1, 1]
        waiting.stop
      end

      expect_left
    end

    it "leaves it when nobody holds its handle" do
      Thread.new { one.stream("Hi") && nil }.join
      expect(counts).to eq([1, 1])

      eventually("the collection") do
        Thread.new { Array.new(100) { Object.new } && nil }.join
        GC.start
        counts == [1, 0]
      end
      expect_left
    end

    it "ends with a shutdown in an error that can be retried" do
      taking = take(one.stream("Hi"))
      until_asleep(taking.thread)
      RAAF::Streaming.shutdown

      expect(taking.types).to eq(%i[error])
      expect(taking.error).to be_a(RAAF::Errors::CancelledError).and be_retryable
      expect(counts).to eq([0, 0])
    end
  end

  it "lets other fibers run while it waits", valgrind: false do
    held = holder
    server.script(deltas: %w[Hel lo])
    counted = 0
    text = Sync do |task|
      waiting = Async { one.run_and_stream("Hi").final_output }
      Async do
        20.times { (counted += 1) && task.sleep(0.001) }
        held.cancel
      end
      waiting.wait
    end

    expect([text, counted]).to eq(["Hello", 20])
  end

  it "has callbacks, which no thread waits for" do
    held = holder
    server.default_script(deltas: %w[Hel lo], repeat: true)
    heard = Queue.new
    before = dispatcher_threads.size # another example may have had more, which stay for a while
    streams = Array.new(30) { |i| one.stream("Hi").on(:content, :complete) { |chunk| heard << [i, chunk.type] } }
    failing = one.stream("Hi", stream_queue_timeout: 0.02).on(:error) { |chunk| heard << chunk.exception.limit }
    expect(heard.pop).to eq(:max_concurrent_streams)
    expect(dispatcher_threads.size).to be <= [before, 4].max
    held.cancel
    streams.each(&:wait)

    types = Array.new(heard.size) { heard.pop }.group_by(&:first).transform_values { |all| all.map(&:last) }
    expect(types).to eq((0...30).to_h { |i| [i, %i[content content complete]] })
    expect(failing.status).to eq(:failed)
  end

  describe "in a process that forks" do
    include LifecycleForks

    it "waits on, while the child has all places" do
      held = holder
      stream = one.stream("Hi")
      server.default_script(deltas: %w[Hi], repeat: true)

      inside = in_child do
        refused = begin
          stream.result
        rescue RAAF::Errors::ForkedError => e
          e.class.name
        end
        stream.cancel
        [counts, one.run_and_stream("The child").final_output, refused, counts]
      end

      expect(inside).to eq([[0, 0], "Hi", "RAAF::Errors::ForkedError", [0, 0]])
      expect(stream.status).to eq(:queued)
      expect(counts).to eq([1, 1])
      held.cancel
      expect(stream.result.final_output).to eq("Hi")
    end
  end
end

RSpec.describe "Places, in a process whose heap is collected and moved all the time," do
  include_context "with a model server"
  include LifecycleScripts

  it "are given to each in turn, and none is lost" do
    server.default_script(deltas: %w[Hel lo], delay: 0.001, repeat: true)
    script = run_script(<<~RUBY, server.base_url, within: 60)
      manager = RAAF::Streaming::ConnectionManager.instance
      asking = runner(ARGV[0], max_concurrent_streams: 1, max_concurrent_streams_per_user: 1, stream_queue_timeout: 100)
      asking.run_and_stream("Warm up")
      once = lambda do |user|
        streams = Array.new(3) { asking.stream("Hi", session_id: "s", user_id: user) }
        manager.register_stream("s", user)
        manager.cancel(streams.pop.id)
        raise "streams" unless manager.streams.size <= 2 && manager.active_connections_count >= 1
        raise "text" unless streams.all? { |stream| stream.result.final_output == "Hello" }
        asking.stream("Hi", user_id: user) && nil # given up
      end
      GC.stress = 1 # all but major collections
      2.times { |user| once[user] }
      GC.stress = false
      if GC.respond_to?(:verify_compaction_references)
        options = RUBY_VERSION >= "3.2" ? {expand_heap: true} : {double_heap: true}
        streams = Array.new(3) { |user| asking.stream("Hi", user_id: user) }
        GC.verify_compaction_references(toward: :empty, **options)
        raise "moved" unless streams.all? { |stream| stream.result.final_output == "Hello" }
        once[3]
      end
      (GC.start && sleep(0.005)) until RAAF::Streaming::Place.counts == [0, 0]
      puts "none"
    RUBY

    expect([script.output, script.errors]).to eq(["none\n", ""])
  end
end

RSpec.describe "A run of several requests" do
  include_context "with one place for all streams"

  # A run whose tool waits for the gate, as its only place.
  def run_with_tool(settings = {}, &tool)
    tool = RAAF::Streaming::Tool.new(name: "look", &tool)
    agent = RAAF::Agent.new(name: "Assistant", model: "gpt-4o", tools: [tool])
    provider = RAAF::Models::OpenAIProvider.new(api_key: "key", base_url: server.base_url)
    RAAF::Streaming::AsyncRunner.new(agent: agent, provider: provider, max_concurrent_streams: 1,
      stream_queue_timeout: long, **settings)
  end

  let(:call) { {tool_calls: [{id: "c1", name: "look", arguments: {}}]} }

  it "keeps its place while its tools run, and goes on before those who wait" do
    gate = Queue.new
    asking = run_with_tool { gate.pop }
    server.script(**call).script(deltas: %w[Done]).script(deltas: %w[Other])
    taking = take(stream = asking.stream("First", session_id: "s"))
    eventually { stream.status == :running_tools }
    other = one.stream("Second")

    expect([other.status, counts]).to eq([:queued, [1, 1]])
    expect { one.stream("Third", stream_queue_timeout: 0) }.to raise_error(RAAF::Errors::StreamLimitError)
    gate << "sky"

    expect(taking.types).to end_with(:content, :complete)
    expect(other.result.final_output).to eq("Other")
    expect(server.requests.map { |request| request.json[:messages].size }).to eq([1, 3, 2])
  end

  it "gives it back where its tools are the application's to run" do
    agent = RAAF::Agent.new(name: "Assistant", model: "gpt-4o", tools: [{type: "function", function: {name: "look"}}])
    server.script(**call).script(deltas: %w[Other])
    asking = RAAF::Streaming::AsyncRunner.new(agent: agent, max_concurrent_streams: 1,
      provider: RAAF::Models::OpenAIProvider.new(api_key: "key", base_url: server.base_url))

    expect(asking.run_and_stream("First").tool_calls.size).to eq(1)
    expect(one.run_and_stream("Second").final_output).to eq("Other")
  end

  it "gives it back when it is cancelled while its tools run, or is left then" do
    gate = Queue.new
    asking = run_with_tool { gate.pop }
    server.default_script(**call, repeat: true)
    2.times do |i|
      taking = take(stream = asking.stream("First"))
      eventually { stream.status == :running_tools }
      i.zero? ? stream.cancel : taking.thread.kill
      eventually { counts == [0, 0] }
      taking.thread.join
      expect(stream.status).to eq(:cancelled)
    end
    2.times { gate << "late" }
  end

  it "keeps its place over a redirect, also in the queue" do
    held = holder
    server.script(**silence_after("Long")).script(deltas: %w[Short])
    stream = one.stream("Tell me a story")
    other = one.stream("Other", user_id: 2)
    taking = take(stream)
    until_asleep(taking.thread)
    stream.redirect("Tell me a poem")
    eventually { taking.chunks.map(&:status) == [:redirected] }
    expect(stream.status).to eq(:queued)
    held.cancel
    eventually { taking.chunks.last.content? }
    expect(other.status).to eq(:queued)
    other.cancel
    stream.redirect("Shorter")

    expect(taking.types).to eq(%i[status content status content complete])
    expect(asked).to eq(["The holder", "Tell me a poem", "Shorter"])
  end

  it "keeps its place while it tries again, or asks another provider" do
    gate = Queue.new
    agent = RAAF::Agent.new(name: "Assistant", model: "gpt-4o")
    provider = RAAF::Models::OpenAIProvider.new(api_key: "key", base_url: server.base_url)
    asking = RAAF::Streaming::ResilientRunner.new(agent: agent, provider: provider, backup_providers: [provider],
      retry_delay: 0.01, max_concurrent_streams: 1)
    server.script do |_, response|
      gate.pop
      response.start(500).write("{}")
    end
    2.times { server.script(status: 500) }
    server.script(deltas: %w[Done]).script(deltas: %w[Other])
    taking = take(asking.stream("First"))
    server.wait_for_request
    other = one.stream("Second")
    gate << :go

    expect(taking.types).to end_with(:content, :complete)
    expect(other.result.final_output).to eq("Other")
    expect(asked).to eq([*["First"] * 4, "Second"])
  end

  it "waits in a tool for a place beside its own, which ends in an error that the model is told" do
    inner = one
    errors = Queue.new
    asking = run_with_tool do
      inner.run_and_stream("Inside", stream_queue_timeout: 0.05)
    rescue RAAF::Errors::StreamLimitError => e
      errors << e
      "no place"
    end
    server.script(**call).script(deltas: %w[Done])

    expect(asking.run_and_stream("First").final_output).to eq("Done")
    expect(errors.pop.limit).to eq(:max_concurrent_streams)
    expect(server.requests.last.json[:messages].last).to include(role: "tool", content: "no place")
  end
end

RSpec.describe RAAF::Streaming::Configuration, "#messages_per_minute_per_user" do
  include_context "with a model server"

  let(:asking) { runner_for(server.base_url, messages_per_minute_per_user: 2) }
  # Nobody else's, whatever the examples before have asked.
  let(:user) { Object.new.inspect }

  before { server.default_script(deltas: %w[Hi], repeat: true) }

  def refused
    raise_error(RAAF::Errors::StreamLimitError) { |error|
      expect(error).to have_attributes(limit: :messages_per_minute_per_user, provider: "openai", retryable?: true)
      expect(error.retry_after).to be_between(1, 60)
      expect(error.message).to include("2 messages").and include("#{error.retry_after} s")
    }
  end

  it "refuses a user's next message, and says when to come again" do
    2.times { asking.run_and_stream("Hi", user_id: user) }

    expect { asking.run_and_stream("Hi", user_id: user) }.to refused
    expect { asking.stream("Hi", user_id: user) }.to refused
    expect(server.requests.size).to eq(2)
    expect(asking.run_and_stream("Hi", user_id: "#{user}2").final_output).to eq("Hi")
    expect(asking.run_and_stream("Hi").final_output).to eq("Hi")
    expect(runner.run_and_stream("Hi", user_id: user).final_output).to eq("Hi")
  end

  it "says so of a single one, too" do
    asking = runner_for(server.base_url, messages_per_minute_per_user: 1)
    asking.run_and_stream("Hi", user_id: user)

    expect { asking.run_and_stream("Hi", user_id: user) }
      .to raise_error(RAAF::Errors::StreamLimitError, /this user has sent a message within a minute/)
  end

  it "counts a redirect, which leaves the run as it is where it is refused" do
    server.script(**silence_after("Long"))
    stream = asking.stream("Hi", user_id: user)
    taking = take(stream)
    taking.next_chunk
    asking.run_and_stream("Hi", user_id: user)

    expect { stream.redirect("Shorter") }.to refused
    expect(stream.status).to eq(:streaming)
    stream.cancel
    taking.join
  end

  it "does not count what another limit refuses at once, nor the turns of a run" do
    tool = RAAF::Streaming::Tool.new(name: "look") { "sky" }
    agent = RAAF::Agent.new(name: "Assistant", model: "gpt-4o", tools: [tool])
    provider = RAAF::Models::OpenAIProvider.new(api_key: "key", base_url: server.base_url)
    with_tools = RAAF::Streaming::AsyncRunner.new(agent: agent, provider: provider, messages_per_minute_per_user: 2)
    server.script(**no_answer)
    held = runner.stream("Hi")
    server.wait_for_request
    5.times do
      expect { with_tools.stream("Hi", user_id: user, max_concurrent_streams: 1) }
        .to raise_error(RAAF::Errors::StreamLimitError) { |error| expect(error.limit).to eq(:max_concurrent_streams) }
    end
    held.cancel

    2.times do
      3.times { server.script(tool_calls: [{id: "c1", name: "look", arguments: {}}]) }
      expect(with_tools.run_and_stream("Hi", user_id: user).turns).to eq(4)
    end
    expect { with_tools.stream("Hi", user_id: user) }.to refused
  end

  it "holds for threads together" do
    answers = Array.new(8) do
      Thread.new { Array.new(5) { asking.stream("Hi", user_id: user).wait rescue :refused } } # rubocop:disable Style/RescueModifier
    end.flat_map(&:value)

    expect(answers.count(:refused)).to eq(38)
  end
end
