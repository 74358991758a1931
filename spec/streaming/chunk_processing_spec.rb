# frozen_string_literal: true

require "open3"
require "rbconfig"

RSpec.describe RAAF::Streaming, ".process_chunks" do
  include_context "with a model server"

  # Another spec may have loaded it.
  before { hide_const("ActiveJob") if defined?(ActiveJob) }

  around do |example|
    @processors = []
    example.run
  ensure
    @processors.each(&:off)
    described_class.reset_configuration!
  end

  def process(**options, &block)
    described_class.process_chunks(**options, &block).tap { |processor| @processors << processor }
  end

  # What processors have got, as [stream, types and texts].
  def collect(**options)
    batches = Queue.new
    process(**options) { |chunks| batches << chunks }
    batches
  end

  # Until the last chunk of so many streams has come.
  def all_of(batches, streams = 1)
    all = []
    until streams.zero?
      all << batches.pop
      streams -= 1 if all.last.last.terminal?
    end
    all
  end

  it "hands over every chunk of a stream once, in order, whoever takes them" do
    batches = collect
    takers = [->(stream) { stream.each { nil } }, ->(stream) { stream.wait(20) }, ->(stream) { stream.result },
      ->(stream) { stream.on(:complete) { nil }.on { nil }.wait(20) }, ->(stream) { stream.text.to_s }]
    takers.each do |taker|
      server.script(deltas: %w[a b c])
      stream = runner.stream("Hi")
      taker.call(stream)
      chunks = all_of(batches).flatten
      expect(chunks.map { |chunk| [chunk.type, chunk.delta] })
        .to eq([[:content, "a"], [:content, "b"], [:content, "c"], [:complete, ""]])
      expect(chunks.map(&:stream_id).uniq).to eq([stream.id])
    end
    expect(batches).to be_empty
  end

  it "makes batches of many chunks, and of few at the end" do
    batches = collect
    server.script(deltas: Array.new(250) { |i| "w#{i} " })
    runner.run_and_stream("Hi") { nil }
    sizes = all_of(batches).map(&:size)

    expect(sizes.max).to be <= 100
    expect(sizes.sum).to eq(251)
  end

  it "hands over what there is after a while, while the stream goes on" do
    batches = collect
    server.script(**silence_after("a"))
    stream = runner.stream("Hi")
    stream.on { nil }
    expect(batches.pop.map(&:delta)).to eq(["a"])
    stream.cancel.wait(20)
    expect(all_of(batches).flatten.map(&:type)).to eq([:error])
  end

  it "hands over what came of a stream that is left early, and the error of one that fails" do
    batches = collect
    server.script(deltas: %w[a b])
    runner.run_and_stream("Hi") { break }
    expect(batches.pop.map(&:delta)).to eq(["a"])
    server.script(status: 401)
    expect { runner.run_and_stream("Hi") }.to raise_error(RAAF::Errors::AuthenticationError)
    expect(all_of(batches).flatten.map(&:type)).to eq([:error])
  end

  it "reports a processor that raises, and harms neither the stream nor other processors" do
    said = Queue.new
    allow(described_class.logger).to receive(:error) { |message| said << message }
    process { raise "mine" }
    batches = collect
    server.script(deltas: %w[a])

    expect(runner.run_and_stream("Hi").final_output).to eq("a")
    all_of(batches)
    expect(said.pop).to match(/RuntimeError.*mine/)
  end

  it "is over with the processor that is taken off, and for streams that began before one was there" do
    server.script(deltas: %w[a])
    stream = runner.stream("Hi")
    batches = collect
    stream.wait(20)
    @processors.first.off
    server.script(deltas: %w[b])
    runner.run_and_stream("Hi")
    expect(batches).to be_empty
    expect(RAAF::Streaming::ChunkProcessing::Batch.size).to eq(0)
  end

  it "handles several streams' batches at once where it is parallel" do
    gate = Queue.new
    inside = Queue.new
    process(delivery: :parallel) do
      inside << true
      gate.pop
    end
    2.times do
      server.script(deltas: %w[a])
      runner.run_and_stream("Hi")
    end
    2.times { inside.pop }
    2.times { gate << true }
  end

  it "runs on the thread that takes the chunks where it is not to run elsewhere" do
    threads = Queue.new
    process { threads << Thread.current }
    server.script(deltas: %w[a])
    runner.run_and_stream("Hi", async_chunk_processing: false)
    expect(Array.new(threads.size) { threads.pop }.uniq).to eq([Thread.current])
  end

  it "makes a stream wait rather than lose something, or keep any amount of it" do
    gate = Queue.new
    count = 0
    process do |chunks|
      gate.pop
      count += chunks.size
    end
    most = RAAF::Streaming::ChunkProcessing::MOST_BATCHES
    done = Queue.new
    asked = RAAF::Testing::MockProvider.new
    (most + 5).times { asked.add_streaming_response(chunks: ["a"]) }
    agent = RAAF::Agent.new(name: "A", model: "gpt-4o")
    mock = RAAF::Streaming::AsyncRunner.new(agent: agent, provider: asked)
    writer = Thread.new do
      (most + 5).times { mock.run_and_stream("Hi") && done << true }
      done << :all
    end
    Thread.pass until writer.stop? && done.size >= most
    expect(done.size).to be_between(most, most + 2)
    (most + 5).times { gate << true }
    Thread.pass until done.size == most + 6
    writer.join
    Thread.pass until count == (most + 5) * 2
  end

  it "has everything handled at the end of the process" do
    script = <<~RUBY
      require "raaf-streaming"
      RAAF.provider = RAAF::Testing::MockProvider.new
      RAAF.provider.add_streaming_response(chunks: %w[a b c])
      RAAF::Streaming.process_chunks { |chunks| sleep 0.05; puts chunks.map { |chunk| [chunk.type, chunk.delta].join }.join(" ") }
      agent = RAAF::Agent.new(name: "A", model: "gpt-4o")
      stream = RAAF::Streaming::AsyncRunner.new(agent: agent).stream("Hi")
      stream.each { |chunk| exit if chunk.delta == "b" }
    RUBY
    output, status = Open3.capture2e(RbConfig.ruby, "-I", File.expand_path("../../lib", __dir__), "-e", script)
    expect(output.split).to start_with("contenta", "contentb")
    expect(status).to be_success
  end

  it "wants a block, and a way that it knows" do
    expect { described_class.process_chunks }.to raise_error(ArgumentError, /needs a block/)
    expect { described_class.process_chunks(delivery: :inline) { nil } }.to raise_error(ArgumentError, /:inline/)
  end

  # With the real ActiveJob in a process of its own.
  describe "with ActiveJob" do
    def run(script)
      whole = <<~RUBY
        require "active_job"
        require "json"
        require "raaf-streaming"
        ActiveJob::Base.logger = Logger.new(nil)
        RAAF.provider = RAAF::Testing::MockProvider.new
        RAAF.provider.add_streaming_response(chunks: ["a", "é ", "c"])
        AGENT = RAAF::Agent.new(name: "A", model: "gpt-4o")
        GOT = Queue.new
        RAAF::Streaming.process_chunks { |chunks| GOT << chunks }
        def ask(**options) = RAAF::Streaming::AsyncRunner.new(agent: AGENT, user_id: 7).run_and_stream("Hi", **options)
        #{script}
      RUBY
      output, status = Open3.capture2e(RbConfig.ruby, "-I", File.expand_path("../../lib", __dir__), "-e", whole)
      raise output unless status.success?

      JSON.parse(output.lines.last, symbolize_names: true)
    end

    it "puts them into jobs on the queue that is set, which see the same chunks" do
      report = run(<<~RUBY)
        ActiveJob::Base.queue_adapter = :test
        ask
        ask(chunk_processing_queue: "slow")
        bus = RAAF::Streaming::ChunkProcessing.instance_variable_get(:@courier)
        bus.drain(20)
        jobs = ActiveJob::Base.queue_adapter.enqueued_jobs
        before = GOT.size
        jobs.each { |job| ActiveJob::Base.execute(job.transform_keys(&:to_s)) }
        chunks = GOT.pop
        puts JSON.generate(queues: jobs.map { |job| job[:queue] || job["queue_name"] }, before: before, chunks: chunks.map { |chunk|
          [chunk.type, chunk.delta, chunk.cumulative, chunk.seq, chunk.user_id, chunk.final_response, chunk.frozen?]
        })
      RUBY

      expect(report).to include(queues: %w[streaming_chunks slow], before: 0)
      expect(report[:chunks]).to eq([["content", "a", "a", 1, 7, nil, true], ["content", "é ", "aé ", 2, 7, nil, true],
        ["content", "c", "aé c", 3, 7, nil, true], ["complete", "", "aé c", 4, 7, "aé c", true]])
    end

    it "processes them here where the queue cannot be reached" do
      report = run(<<~RUBY)
        require "stringio"
        RAAF::Streaming.logger = Logger.new(log = StringIO.new)
        class Gone
          def enqueue(*) = raise("no Redis")
          def enqueue_at(*) = raise("no Redis")
        end
        ActiveJob::Base.queue_adapter = Gone.new
        ask
        puts JSON.generate(deltas: GOT.pop.map(&:delta), log: log.string)
      RUBY

      expect(report[:deltas]).to eq(["a", "é ", "c", ""])
      expect(report[:log]).to match(/cannot be put into the queue streaming_chunks: RuntimeError: no Redis/)
    end
  end
end
