# frozen_string_literal: true

require "objspace"

RSpec.describe RAAF::Streaming::Analytics do
  include_context "with a model server"
  include LifecycleForks

  before { described_class.reset }

  def summary(...)
    described_class.summary(...)
  end

  def run(**settings)
    runner.run_and_stream("Hi", **settings)
  end

  def silently
    yield
  rescue RAAF::Errors::Error
    nil
  end

  describe ".summary" do
    it "is of nothing where nothing has been" do
      measure = {count: 0, mean: nil, p50: nil, p95: nil, p99: nil, max: nil}

      expect(summary).to include(streams_started: 0, streams_completed: 0, streams_failed: 0, failures: {},
        completion_rate: 0, avg_stream_duration: 0, total_chunks: 0, total_bytes: 0, chunks: {},
        calls: include(completed: 0, failed: 0), retries: 0, first_token: measure, gaps: measure,
        tokens: {prompt: 0, completion: 0, total: 0, cached: 0, reasoning: 0, calls: 0})
    end

    it "has a run in it as soon as it has ended" do
      usage = {prompt_tokens: 9, completion_tokens: 4, total_tokens: 13, prompt_tokens_details: {cached_tokens: 5},
               completion_tokens_details: {reasoning_tokens: 1}}
      server.script(reasoning: ["Hm"], deltas: ["Hello", " Łódź", "!"], usage: usage)
      run

      expect(summary).to include(streams_started: 1, streams_completed: 1, streams_failed: 0, completion_rate: 100.0,
        total_chunks: 4, chunks: {reasoning: 1, content: 3}, total_bytes: "HmHello Łódź!".bytesize,
        calls: include(completed: 1, failed: 0), retries: 0,
        tokens: {prompt: 9, completion: 4, total: 13, cached: 5, reasoning: 1, calls: 1})
    end

    it "has it at the terminal chunk already" do
      server.script(deltas: ["a"])
      seen = nil
      runner.run_and_stream("Hi") { |chunk| seen = summary if chunk.complete? }

      expect(seen).to include(streams_completed: 1, total_chunks: 1)
    end

    it "counts the tokens of calls whose provider counts them, and of no others" do
      server.script(deltas: ["a"], usage: {prompt_tokens: 2, completion_tokens: 1, total_tokens: 3})
      server.script(deltas: ["b"])
      2.times { run }

      expect(summary[:tokens]).to include(total: 3, calls: 1)
      expect(summary[:calls]).to include(completed: 2)
    end

    # A delta goes out when the one before has been taken: each arrives by itself.
    it "measures in seconds and bytes" do
      words = %w[one two three four]
      taken = Queue.new
      server.script do |_, response|
        response.start(200, "content-type" => "text/event-stream")
        words.each do |word|
          response.event({choices: [{index: 0, delta: {content: word}}]})
          taken.pop
        end
        response.event({choices: [{index: 0, delta: {}, finish_reason: "stop"}]})
        response.event({choices: [], usage: {prompt_tokens: 1, completion_tokens: 4, total_tokens: 5}})
        response.event("[DONE]")
      end
      began = monotonic
      result = runner.run_and_stream("Hi") { taken << true }
      took = monotonic - began
      figures = summary
      first = result.timings[:first_token]

      expect(figures[:first_token]).to include(count: 1, mean: be_within(1e-6).of(first),
        p50: be_within(first / 32).of(first), p99: be_within(first / 32).of(first))
      expect(figures[:duration]).to include(count: 1, mean: be_between(first, took))
      expect(figures[:avg_stream_duration]).to eq(figures[:duration][:mean])
      expect(figures[:chunk_sizes]).to eq(count: 4, mean: 3.75, p50: 3.0, p95: 5.0, p99: 5.0, max: 5.0)
      expect(figures[:gaps]).to include(count: 3, mean: be_between(0, took / 3))
      expect(figures[:tokens_per_second]).to include(count: 1, mean: be > 3 / took)
    end

    it "counts failures by their errors" do
      server.script(status: 401, body: {error: {message: "No"}})
      server.script(status: 400, body: {error: {message: "No"}})
      server.script(status: 401, body: {error: {message: "No"}})
      server.script(deltas: ["cut"], fault: :cut, after: 2)
      4.times { silently { run } }

      expect(summary).to include(streams_started: 4, streams_failed: 4, streams_completed: 0, completion_rate: 0.0,
        failures: {"AuthenticationError" => 2, "InvalidRequestError" => 1, "TruncatedStreamError" => 1},
        calls: include(completed: 0, failed: 4))
    end

    it "counts retries, and a call with its retries as one" do
      server.script(status: 503, headers: {"retry-after-ms" => "1"}, body: {error: {message: "Busy"}})
      server.script(status: 429, headers: {"retry-after-ms" => "1"}, body: {error: {message: "Slow down"}})
      server.script(deltas: ["a"])
      run

      expect(summary).to include(streams_completed: 1, retries: 2, total_chunks: 1,
        calls: include(completed: 1, failed: 0))
    end

    it "counts a run with tools as one stream of several calls" do
      tool = RAAF::Streaming::Tool.new(name: "weather") { "rain" }
      server.script(tool_calls: [{name: "weather", id: "call_1", arguments: "{}"}], usage: true)
      server.script(deltas: ["It", " rains"], usage: true)
      agent = RAAF::Agent.new(name: "A", model: "gpt-4o", tools: [tool])
      provider = RAAF::Models::OpenAIProvider.new(api_key: "key", base_url: server.base_url)
      RAAF::Streaming::AsyncRunner.new(agent: agent, provider: provider).run_and_stream("Hi")

      expect(summary).to include(streams_started: 1, streams_completed: 1, first_token: include(count: 2),
        calls: include(completed: 2, failed: 0), tokens: include(calls: 2), duration: include(count: 1))
      expect(summary[:chunks]).to include(tool_call: 1, content: 2)
    end

    it "counts a run that fails in Ruby, though its call has succeeded" do
      tool = RAAF::Streaming::Tool.new(name: "weather") { "rain" }
      server.script(tool_calls: [{name: "weather", id: "call_1", arguments: "{}"}])
      agent = RAAF::Agent.new(name: "A", model: "gpt-4o", tools: [tool])
      provider = RAAF::Models::OpenAIProvider.new(api_key: "key", base_url: server.base_url)
      silently { RAAF::Streaming::AsyncRunner.new(agent: agent, provider: provider, max_turns: 1).run_and_stream("Hi") }

      expect(summary).to include(streams_failed: 1, failures: {"MaxTurnsError" => 1},
        calls: include(completed: 1, failed: 0))
    end

    it "counts a run whose callback raises, by what it raised" do
      server.script(deltas: ["a"])
      without_log { runner.stream("Hi").on(:content) { raise KeyError, "x" }.wait }

      expect(summary).to include(streams_failed: 1, failures: {"KeyError" => 1})
    end

    it "counts the runs of a redirected stream as one" do
      server.script(**silence_after("a"))
      server.script(deltas: ["b"])
      stream = runner.stream("Hi")
      taking = take(stream)
      taking.next_chunk
      stream.redirect("Shorter")
      taking.join

      expect(summary).to include(streams_started: 1, streams_completed: 1,
        calls: {completed: 1, failed: 0, cancelled: 1})
    end

    it "counts a mock's streams as it counts others" do
      provider = RAAF::Testing::MockProvider.new
      provider.add_streaming_response(chunks: %w[a b c], delay: 0)
      run(provider: provider)

      expect(summary).to include(streams_completed: 1, total_chunks: 3)
    end

    it "counts nothing where that is switched off" do
      server.script(status: 503, headers: {"retry-after-ms" => "1"}, body: {error: {message: "Busy"}})
      server.script(deltas: ["a"], usage: true)
      run(analytics: false)

      expect(summary).to include(streams_started: 0, streams_completed: 0, total_chunks: 0, retries: 0,
        calls: include(completed: 0, failed: 0))
    end

    it "counts what many threads do" do
      40.times { server.script(deltas: %w[a b], usage: true) }
      Array.new(8) { Thread.new { 5.times { run && summary } } }.each(&:join)

      expect(summary).to include(streams_started: 40, streams_completed: 40, total_chunks: 80,
        calls: include(completed: 40, failed: 0), tokens: include(calls: 40))
    end
  end

  # In processes of their own: handles that other examples have dropped may be collected, and so cancelled, at any time.
  describe ".summary of streams that do not end well" do
    it "counts a consumer that leaves as one that has cancelled" do
      found = in_child do
        server.script(**silence_after("a"))
        runner.stream("Hi").each { break }
        server.script(**silence_after("a"))
        raised = begin
          runner.run_and_stream("Hi") { raise IOError }
        rescue IOError => e
          e.class
        end
        server.script(**no_answer)
        silently { runner.stream("Hi").cancel.result }
        until_idle
        [raised, summary]
      end

      expect(found).to match([IOError, include(streams_started: 3, streams_cancelled: 3, streams_failed: 0,
        failures: {}, streams_running: 0, calls: {completed: 0, failed: 0, cancelled: 3})])
    end

    it "counts a stream that nobody holds as cancelled" do
      found = in_child do
        server.script(**no_answer)
        Thread.new { runner.stream("Hi") && nil }.join
        server.wait_for_request
        running = summary[:streams_running]
        eventually("the end of the stream") do
          Thread.new { Array.new(100) { Object.new } && nil }.join
          GC.start
          summary[:streams_cancelled].positive?
        end
        [running, summary]
      end

      expect(found).to match([1, include(streams_started: 1, streams_cancelled: 1, streams_running: 0)])
    end

    it "counts none that was refused before anything was sent" do
      found = in_child do
        server.script(**silence_after("a"))
        first = runner.stream("Hi", max_concurrent_streams: 1)
        silently { runner.stream("Hi", max_concurrent_streams: 1) }
        silently { run(max_concurrent_streams: 1) }
        summary.merge(first: first.status)
      end

      expect(found).to include(streams_started: 1, streams_cancelled: 0, streams_failed: 0, streams_running: 1)
    end

    it "knows how many run" do
      found = in_child do
        server.script(**silence_after("a"))
        server.script(deltas: ["b"])
        taking = take(runner.stream("Hi"))
        taking.next_chunk
        run
        counts = [summary(0)[:streams_running]]
        server.stop
        taking.join
        counts << summary(0)[:streams_running]
      end

      expect(found).to eq([1, 0])
    end
  end

  # Labels are given for the life of a process, and other examples have taken them: so each of these has its own.
  describe ".summary by label" do
    def ask(model, provider = runner.instance_variable_get(:@provider))
      server.script(deltas: ["a"])
      runner.run_and_stream("Hi", model: model, provider: provider)
    end

    let(:groq) { RAAF::Models::GroqProvider.new(api_key: "key", base_url: server.base_url) }

    it "tells models apart, and providers" do
      by_model, by_provider = in_child do
        ask("gpt-4o")
        ask("gpt-4o-mini")
        ask("gpt-4o", groq)
        [summary(by: :model), summary(by: :provider)]
      end

      expect(by_model.keys).to contain_exactly("gpt-4o", "gpt-4o-mini")
      expect(by_model["gpt-4o"]).to include(streams_completed: 2, total_chunks: 2, first_token: include(count: 2))
      expect(by_model["gpt-4o-mini"]).to include(streams_completed: 1, total_chunks: 1)
      expect(by_provider.transform_values { |figures| figures[:streams_started] }).to eq("openai" => 2, "groq" => 1)
    end

    it "leaves out what did nothing in that time" do
      found = in_child do
        ask("gpt-4o")
        [summary(Time.at(0)..Time.at(600), by: :model), summary(Time.at(0)..Time.at(600))[:streams_started]]
      end

      expect(found).to eq([{}, 0])
    end

    it "counts what comes after fifteen pairs as others" do
      found = in_child do
        18.times { |i| ask("model-#{i}") }
        summary(by: :model).transform_values { |figures| figures[:streams_completed] }
      end

      expect(found.size).to eq(described_class::LABELS)
      expect(found).to include("model-0" => 1, "model-14" => 1, "other" => 3)
    end

    it "refuses any other grouping" do
      expect { summary(by: :user) }.to raise_error(ArgumentError, /:model, :provider or nil, not :user/)
    end
  end

  describe "a range" do
    let(:now) { Time.now }

    before do
      server.script(deltas: ["a"])
      run
    end

    def started(range)
      summary(range)[:streams_started]
    end

    it "may be open at either end, or at both" do
      expect([started(now - 300..), started(..now + 60), started(nil..nil), started(nil)]).to eq([1, 1, 1, 1])
      expect([started(now + 300..), started(..now - 300)]).to eq([0, 0])
    end

    it "may be a number of seconds, back from now" do
      expect([started(120), started(600.0), started(Rational(3600))]).to eq([1, 1, 1])
      expect(started(-600)).to eq(0)
    end

    it "may be of seconds since 1970, and of any length" do
      expect([started(now.to_i - 300..now.to_i + 60), started(-(10**30)..10**30)]).to eq([1, 1])
    end

    it "counts each minute that it touches, and its end's unless that is left out" do
      minute = now.to_i / 60 * 60
      # The run may have come just before a minute that has begun since.
      expect(started(Time.at(minute - 60)..Time.at(minute + 59))).to eq(1)
      expect(started(Time.at(minute + 59.9)...Time.at(minute + 120)) +
        started(Time.at(minute - 60)...Time.at(minute))).to eq(1)
      expect(started(Time.at(minute + 120)..Time.at(minute + 180))).to eq(0)
    end

    it "may be what ActiveSupport makes of times" do
      found = in_child do
        require "active_support"
        require "active_support/time"
        Time.zone = "Tokyo"
        run
        [summary(1.hour), summary(5.minutes.ago..Time.current), summary(2.days.ago..1.day.ago)]
          .map { |figures| figures[:streams_started] }
      end

      expect(found).to eq([1, 1, 0])
    end

    it "is refused where it is none" do
      ["hour", :all, Float::NAN, Float::INFINITY, "a".."b", 1i].each do |range|
        expect { summary(range) }.to raise_error(ArgumentError, /range/)
      end
    end
  end

  describe "a forked child" do
    it "begins at zero, and counts for itself" do
      server.script(deltas: ["a"])
      server.script(deltas: %w[a b])
      run
      childs = in_child do
        first = summary(nil).slice(:streams_started, :streams_running, :total_chunks)
        run
        [first, summary(nil).slice(:streams_started, :total_chunks)]
      end

      expect(childs).to eq([{streams_started: 0, streams_running: 0, total_chunks: 0},
        {streams_started: 1, total_chunks: 2}])
      expect(summary).to include(streams_started: 1, total_chunks: 1)
    end

    it "leaves its parent's streams to its parent" do
      server.script(**silence_after("a"))
      stream = runner.stream("Hi")
      taking = take(stream)
      taking.next_chunk
      childs = in_child do
        silently { stream.wait }
        GC.start
        summary(nil).slice(:streams_started, :streams_failed, :streams_cancelled, :streams_running)
      end

      expect(childs).to eq(streams_started: 0, streams_failed: 0, streams_cancelled: 0, streams_running: 0)
      stream.cancel
      taking.join
      expect(summary).to include(streams_started: 1, streams_cancelled: (be > 0))
    end

    it "begins at zero with what is counted by hand" do
      described_class.record_stream_completed("s", 3, 1.0)

      expect(in_child { described_class.get_analytics_summary[:streams_completed] }).to eq(0)
      expect(described_class.get_analytics_summary[:streams_completed]).to eq(1)
    end
  end

  describe ".reset" do
    it "forgets what was counted, and counts a running stream's end" do
      found = in_child do
        server.script(**silence_after("a"))
        stream = runner.stream("Hi")
        taking = take(stream)
        taking.next_chunk
        described_class.record_stream_started("s", 1, "support")
        described_class.reset
        reset = [summary, described_class.get_analytics_summary]
        stream.cancel
        taking.join
        [*reset, summary]
      end

      expect(found).to match([include(streams_started: 0, total_chunks: 0, streams_running: 1),
        include(streams_started: 0, agent_types: {}), include(streams_started: 0, streams_cancelled: 1)])
    end
  end

  describe "what is counted by hand" do
    subject(:analytics) { described_class.new }

    it "has the guide's figures, with chunks as a number" do
      analytics.record_stream_started("s1", 1, "support")
      analytics.record_stream_started("s2", 1, :sales)
      analytics.record_stream_started("s3", nil, "support")
      analytics.record_chunk_sent("s1", 5, :content)
      analytics.record_chunk_sent("s1", 9, "content")
      analytics.record_chunk_sent("s1", 0, :complete)
      analytics.record_chunk_sent("s1", 7, :typing)
      analytics.record_stream_completed("s1", 4, 1.5)
      analytics.record_stream_completed("s2", 0, 2)

      expect(analytics.get_analytics_summary).to eq(streams_started: 3, streams_completed: 2, total_chunks: 4,
        avg_stream_duration: 1.75, completion_rate: 66.67, chunks: {content: 2, complete: 1, other: 1},
        chunk_sizes: {count: 4, mean: 5.25, p50: 5.0, p95: 9.0, p99: 9.0, max: 9.0},
        duration: analytics.summary[:duration], agent_types: {"support" => 2, "sales" => 1})
      expect(analytics.summary[:duration]).to include(count: 2, mean: 1.75)
    end

    it "stays apart from what is counted of itself, and from other such objects" do
      described_class.record_stream_started("s1", 1, "support")
      server.script(deltas: ["a"])
      run

      expect(described_class.instance).to equal(described_class.instance)
      expect(described_class.get_analytics_summary)
        .to include(streams_started: 1, streams_completed: 0, total_chunks: 0)
      expect(summary).to include(streams_started: 1, streams_completed: 1)
      expect(analytics.get_analytics_summary).to include(streams_started: 0, completion_rate: 0)
    end

    it "has no rate over a hundred" do
      2.times { analytics.record_stream_completed("s", 1, 1) }
      analytics.record_stream_started("s", 1, "support")

      expect(analytics.summary).to include(completion_rate: 100.0)
    end

    it "has another kind for the sixteenth kind of agent" do
      20.times { |i| analytics.record_stream_started("s", 1, "kind-#{i}") }

      expect(analytics.summary[:agent_types]).to include("kind-0" => 1, "kind-14" => 1, "other" => 5)
    end

    it "takes any size and duration there can be" do
      analytics.record_chunk_sent("s", 10**30, :content)
      analytics.record_stream_completed("s", 1, 1e30)

      expect(analytics.summary[:chunk_sizes][:max]).to be_within(2**31).of(2**36)
      expect(analytics.summary[:avg_stream_duration]).to be_within(1).of(2**36 / 1e6)
    end

    it "refuses what is none" do
      expect { analytics.record_chunk_sent("s", -1, :content) }.to raise_error(ArgumentError, /negative/)
      expect { analytics.record_chunk_sent("s", nil, :content) }.to raise_error(TypeError)
      expect { analytics.record_stream_completed("s", 1, -0.1) }.to raise_error(ArgumentError, /negative/)
      expect { analytics.record_stream_completed("s", 1, Float::NAN) }.to raise_error(ArgumentError)
      expect { analytics.record_stream_completed("s", 1, nil) }.to raise_error(TypeError)
      expect(analytics.summary).to include(streams_completed: 0, total_chunks: 0)
    end

    it "loses nothing between threads" do
      Array.new(8) do
        Thread.new { 500.times { analytics.record_chunk_sent("s", 3, :content) } }
      end.each(&:join)

      expect(analytics.summary).to include(total_chunks: 4000, chunk_sizes: include(count: 4000, mean: 3.0))
    end
  end

  it "takes a bounded memory, and says how much" do
    server.script(deltas: ["a"])
    run
    once = described_class.memory
    5.times { server.script(deltas: %w[a b c]) && run }

    expect(once).to be_between(10_000, 30 * 1024 * 1024)
    # Each model has a cell a minute at most: of what was used in these runs, and the runs may pass into another.
    expect(described_class.memory - once).to be <= 2 * 12_000
    expect(ObjectSpace.memsize_of(RAAF::Streaming::NativeAnalytics.new)).to be > 0
  end

  it "stands the garbage collector, wherever it comes" do
    native = RAAF::Streaming::NativeAnalytics.new
    GC.stress = true
    native.count_started("support")
    native.count_chunk(3, "content")
    record = RAAF::Streaming::NativeAnalytics::Record.new("openai", "gpt-4o")
    record.cancelled
    record.begin
    record.failed("KeyError")
    record.completed
    found = native.figures(nil, nil, :model)
    GC.stress = false

    expect(found.map { |figures| figures[:label] }).to eq(%w[other support])
    expect(found.first).to include(chunks: {content: 1}, bytes: 3)
    expect(summary).to include(streams_started: 1, streams_failed: 1, streams_completed: 0, failures: {"KeyError" => 1})
  ensure
    GC.stress = false
  end
end
