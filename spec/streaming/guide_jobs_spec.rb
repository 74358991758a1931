# frozen_string_literal: true

# The guide's StreamingAgentJob and AsyncAgentService, as they stand there, with the real ActiveJob and Action Cable.
RSpec.describe "The guide's job and its AsyncAgentService" do
  include GuideServices

  before { skip "no guide at ../shared/guide.md" unless File.file?(GuideServices::GUIDE) }

  around { |example| RAAF::Testing::ModelServer.start { |server| (@server = server) && example.run } }

  # What an application has round them; the agent is the job's own.
  let(:round) do
    <<~RUBY
      require "active_job"
      require "active_model"
      require "raaf/streaming/rails/agent_job"
      require "raaf/streaming/rails/broadcast_stamp"

      RAAF::Streaming::Delivery.keep
      RAAF::Streaming::BroadcastStamp.install
      STORE = RAAF::Streaming::ReplayStore::MemoryStore.new
      RAAF::Streaming.configure { |config| config.replay_store = STORE }
      ActiveJob::Base.logger = nil

      User = Struct.new(:id, :name, :tier, :preferences) do
        def self.find(id) = new(Integer(id), "Ann", "pro", "brevity").tap { |user| raise "nobody" if id == 404 }
      end

      class ApplicationJob < ActiveJob::Base
        include RAAF::Streaming::AgentJob

        self.queue_adapter = :async

        private

        def build_agent_for_user(user) = agent(user.name)
      end

      # What a channel's action does round what it performs.
      def ask(message, user: 7)
        origin = RAAF::Streaming::Origin.new(stream_id: "9b2f", request_id: "r1", user_id: user)
        RAAF::Streaming::Origin.within(origin) { AsyncAgentService.new(user: User.new(user)).start_async_chat(message) }
      end

      def stamps(frames) = frames.map { |frame| frame["raaf"].transform_keys(&:to_sym) }
    RUBY
  end

  # @return [Hash{Symbol=>Object}] what the script reports
  def run_jobs(script)
    job, service = ["### Background Agent Jobs", "### Async Runner Service"].map { |name| GuideServices.code(name) }
    run_with_cable(@server, [round, job, service, script].join("\n"))
  end

  it "queue by priority, and stream the answer, numbered and with the ids of all" do
    @server.script(deltas: %w[Hel lo])
    found = run_jobs(<<~RUBY)
      listener = Listener.new("agent_7")
      service = AsyncAgentService.new(user: User.find(7))
      session = service.start_async_chat("Hi", priority: :high, context: {"page" => 1})
      frames = listener.frames(3).sort_by { |frame| frame["raaf"]["seq"] }
      report(session: session == service.session_id, same: frames.map { |frame| frame["session_id"] }.uniq == [session],
        types: frames.map { |frame| frame.values_at("type", "chunk_type", "content") },
        stamps: frames.map { |frame| frame["raaf"].slice("seq", "attempt", "terminal") },
        ids: frames.map { |frame| frame["raaf"]["stream_id"] }.uniq)
    RUBY

    expect(found).to include(session: true, same: true)
    expect(found[:types]).to eq([%w[chunk content Hel], %w[chunk content lo], ["chunk", "complete", ""]])
    expect(found[:stamps]).to eq([1, 2, 3].map { |seq| {seq: seq, attempt: 1, terminal: seq == 3} })
    expect(found[:ids]).to match([/\Ajob_\h{8}-/])
  end

  it "tell of an error twice, and the second time as a double of the first" do
    @server.script(status: 401)
    found = run_jobs(<<~RUBY)
      listener = Listener.new("agent_7")
      AsyncAgentService.new(user: User.find(7)).start_async_chat("Hi")
      frames = listener.frames(2)
      report(types: frames.map { |frame| frame["type"] }.sort,
        stamps: frames.map { |frame| frame["raaf"].slice("seq", "terminal") }.uniq)
    RUBY

    expect(found).to eq(types: %w[chunk error], stamps: [{seq: 1, terminal: true}])
  end

  it "do not ask where the user has stopped the answer while the job waited" do
    found = run_jobs(<<~RUBY)
      ApplicationJob.queue_adapter = :test
      listener = Listener.new("agent_7")
      ask("Hi")
      waiting = STORE.state_of("9b2f")
      STORE.cancel("9b2f")
      ActiveJob::Base.execute(ApplicationJob.queue_adapter.enqueued_jobs.last.except(:job, :args, :queue))
      frame = listener.frames(1).first
      report(waiting: waiting, error: frame["error"], stamp: frame["raaf"], state: STORE.state_of("9b2f"))
    RUBY

    expect(found).to eq(waiting: "waiting", state: "cancelled", error: "the stream was cancelled",
      stamp: {stream_id: "9b2f", seq: 1, attempt: 1, terminal: true, request_id: "r1", cancelled: true})
    expect(@server.requests).to be_empty
  end

  it "tell whoever waits of an error that came before there was a stream" do
    found = run_jobs(<<~RUBY)
      listener = Listener.new("agent_404")
      ask("Hi", user: 404)
      frame = listener.frames(1).first
      sleep 0.01 until STORE.finished?("9b2f")
      report(error: frame["error"], stamp: frame["raaf"],
        kept: STORE.read("9b2f", place: "agent_404").frames.map { |one| one.message["error"] })
    RUBY

    expect(found).to eq(error: "nobody", kept: ["nobody"],
      stamp: {stream_id: "9b2f", seq: 1, attempt: 1, terminal: true, request_id: "r1"})
  end

  it "hand back an answer that the worker's end interrupts, and begin it anew in the same stream" do
    @server.script(deltas: ["Half"], keep_open: true, finish_reason: nil, done: false)
    @server.script(deltas: ["Whole"])
    found = run_jobs(<<~RUBY)
      require "raaf/streaming/rails/job_shutdown"

      # The next run begins when it is told to.
      go_on = Queue.new
      ApplicationJob.before_perform { go_on.pop }
      go_on << true
      listener = Listener.new("agent_7")
      ask("Hi")
      half = listener.frames(1)
      RAAF::Streaming::JobShutdown.interrupt
      back = listener.frames(1)
      state = STORE.state_of("9b2f")
      go_on << true
      whole = listener.frames(2).sort_by { |frame| frame["raaf"]["seq"] }
      sleep 0.01 until STORE.finished?("9b2f")
      report(types: back.map { |frame| frame["type"] }, stamps: stamps(half + back + whole), state: state,
        text: STORE.checkpoint("9b2f", place: "agent_7").text)
    RUBY

    expect(found).to include(types: ["raaf_handed_back"], state: "waiting", text: "Whole")
    expect(found[:stamps].map { |stamp| stamp.values_at(:stream_id, :attempt, :seq, :terminal) })
      .to eq([["9b2f", 1, 1, false], ["9b2f", 1, nil, nil], ["9b2f", 2, 1, false], ["9b2f", 2, 2, true]])
    @server.wait_for_close(@server.requests.first)
  end

  it "stream without a job too, with chunks that are changed on their way" do
    @server.script(deltas: %w[Hel lo])
    found = run_jobs(<<~RUBY)
      service = AsyncAgentService.new(user: User.find(7), session_id: "s1")
      chunks = []
      result = service.stream_sync_chat("Hi") { |chunk| chunks << chunk }
      report(chunks: chunks.map { |chunk| [chunk.type, chunk.delta, chunk.session_id, chunk.user_id] }, text: result.text)
    RUBY

    expect(found).to eq(text: "Hello",
      chunks: [["content", "Hel", "s1", 7], ["content", "lo", "s1", 7], ["complete", "", "s1", 7]])
    expect(@server.requests.last.json[:model]).to eq("gpt-4o-mini")
    expect(@server.requests.last.json[:messages].first[:content]).to include("AI assistant for Ann", "brevity")
  end
end
