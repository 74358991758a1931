# frozen_string_literal: true

require "json"
require "open3"
require "rbconfig"
require "tempfile"

# The guide's analytics service, taken out of the guide itself, beside real streams: in a Ruby of its own, since it
# brings constants, a Singleton and ActiveSupport's extensions of numbers with it.
RSpec.describe "The guide's StreamingAnalyticsService" do
  guide = File.expand_path("../../../shared/guide.md", __dir__)
  library = File.expand_path("../../lib", __dir__)

  # What the guide's class needs of its application, and a user of it: three runs, of which the last one fails.
  prelude = <<~RUBY
    require "active_support"
    require "active_support/time"
    require "concurrent"
    require "json"
    require "singleton"
    require "statsd-instrument"
    require "raaf-core"

    Time.zone = "Tokyo"
  RUBY
  user = <<~RUBY
    service = StreamingAnalyticsService.instance
    runner = RAAF::Streaming::AsyncRunner.new(agent: RAAF::Agent.new(name: "Helper", model: "gpt-4o"))
    sent, durations = [], []

    run = lambda do |session, agent_type|
      service.record_stream_started(session, 7, agent_type)
      began = Process.clock_gettime(Process::CLOCK_MONOTONIC)
      chunks = 0
      runner.run_and_stream("Hi", max_retries: 0) do |chunk|
        chunks += 1
        sent << [chunk.delta.size, chunk.type]
        service.record_chunk_sent(session, chunk.delta.size, chunk.type)
      end
      durations << Process.clock_gettime(Process::CLOCK_MONOTONIC) - began
      service.record_stream_completed(session, chunks, durations.last)
    rescue RAAF::Errors::ProviderError
      nil
    end

    datagrams = StatsD.singleton_client.capture do
      run.call("session-1", "support")
      run.call("session-2", :sales)
      run.call("session-3", "support")
    end
    puts JSON.generate(
      sent: sent, durations: durations, datagrams: datagrams.map(&:source),
      summary: service.get_analytics_summary,
      before: service.get_analytics_summary(2.days.ago..1.day.ago),
      recent: service.get_analytics_summary(5.minutes.ago..Time.current)
    )
  RUBY

  # @return [String] the first Ruby block below that heading
  def ruby_block(guide, heading)
    File.read(guide).split("#{heading}\n", 2).last[/^```ruby\n(.*?)^```$/m, 1]
  end

  # @return [Hash] what the process reports
  def run_files(library, server, *texts)
    files = texts.map { |text| Tempfile.create(["analytics", ".rb"]).tap { |file| file.write(text) && file.close } }
    environment = {"OPENAI_BASE_URL" => server.base_url, "OPENAI_API_KEY" => "key", "STATSD_ENV" => "test"}
    requires = files.map { |file| "require #{file.path.inspect}" }.join(";")
    output, errors, status = Open3.capture3(environment, RbConfig.ruby, "-W0", "-I", library, "-e", requires)
    raise "the process failed: #{errors}" unless status.success? && errors.empty?

    JSON.parse(output, symbolize_names: true)
  ensure
    files.each { |file| File.unlink(file.path) }
  end

  before do
    server.script(deltas: ["Hello", " Łódź"], usage: true)
    server.script(deltas: ["Bye"])
    server.script(deltas: ["Half"], error: "Overloaded")
  end

  after { server.stop }

  let(:server) { RAAF::Testing::ModelServer.start }

  def expect_what_was_sent(sent)
    expect(sent).to eq([[5, "content"], [5, "content"], [0, "complete"], [3, "content"], [0, "complete"],
      [4, "content"], [sent.last.first, "error"]])
  end

  describe "as it stands in the guide" do
    before { skip "no guide at ../shared/guide.md" unless File.file?(guide) }

    let(:report) do
      run_files(library, server, prelude, ruby_block(guide, "### Stream Performance Metrics"), user)
    end

    it "counts the streams and chunks of real runs" do
      expect_what_was_sent(report[:sent])
      durations = report[:durations]
      expect(durations.size).to eq(2)
      expect(report[:summary]).to eq(streams_started: 3, streams_completed: 2,
        total_chunks: report[:sent].sum(&:first), # their sizes: so it stands in the guide
        avg_stream_duration: durations.sum / 2, completion_rate: 66.67)
      expect(report[:recent]).to eq(report[:summary])
      expect(report[:before]).to eq(streams_started: 0, streams_completed: 0, total_chunks: 0,
        avg_stream_duration: 0, completion_rate: 0)
    end

    it "tells StatsD of each, in order" do
      first, second = report[:durations]
      chunks = report[:sent].map { |size, type| "raaf.chunks.size:#{size}|h|#chunk_type:#{type}" }

      expect(report[:datagrams]).to eq([
        "raaf.streams.started:1|c|#agent_type:support", *chunks[0, 3],
        "raaf.streams.duration:#{first}|h", "raaf.streams.chunks:3|h",
        "raaf.streams.started:1|c|#agent_type:sales", *chunks[3, 2],
        "raaf.streams.duration:#{second}|h", "raaf.streams.chunks:2|h",
        "raaf.streams.started:1|c|#agent_type:support", *chunks[5, 2]
      ])
    end
  end

  it "can be ours, with the same answers, but that chunks are counted" do
    report = run_files(library, server, prelude, "StreamingAnalyticsService = RAAF::Streaming::Analytics", user)

    expect_what_was_sent(report[:sent])
    expect(report[:summary]).to include(streams_started: 3, streams_completed: 2, total_chunks: 7,
      completion_rate: 66.67)
    expect(report[:summary][:avg_stream_duration]).to be_within(1e-6).of(report[:durations].sum / 2)
    expect(report[:recent]).to eq(report[:summary])
    expect(report[:before]).to include(streams_started: 0, streams_completed: 0, total_chunks: 0,
      avg_stream_duration: 0, completion_rate: 0)
    expect(report[:datagrams]).to eq([])
  end
end
