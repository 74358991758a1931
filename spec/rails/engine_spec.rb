# frozen_string_literal: true

require "json"

# One boot of an application answers all: it prints what it sees of itself as JSON.
RSpec.describe "The engine in a Rails application" do
  script = <<~RUBY
    require "raaf/testing"
    seen = {threads: Thread.list.map(&:name).grep(/raaf/), reactor: RAAF::Streaming::Reactor.running?}
    server = RAAF::Testing::ModelServer.start
    server.script(deltas: %w[Hel lo], usage: {prompt_tokens: 3, completion_tokens: 2})
    server.script(deltas: %w[Hel lo])
    server.script(status: 400)
    provider = RAAF::Models::OpenAIProvider.new(api_key: "k", base_url: server.base_url)
    runner = RAAF::Streaming::AsyncRunner.new(agent: RAAF::Agent.new(name: "A", model: "gpt-4o"), provider: provider)

    frames = Queue.new
    ActionCable.server.pubsub.subscribe("room", ->(frame) { frames << JSON.parse(frame) })
    send = ->(chunk) { ActionCable.server.broadcast("room", {text: chunk.delta}) }
    runner.run_and_stream("Hi", &send)
    active = Queue.new
    runner.stream("Hi").on { |chunk| active << Rails.application.executor.active?; send.call(chunk) }.wait(20)
    ActionCable.server.broadcast("room", {text: "from elsewhere"})
    ActionCable.server.broadcast("room", "no Hash")
    begin
      runner.run_and_stream("Hi")
    rescue RAAF::Errors::InvalidRequestError
    end
    seen[:frames] = Array.new(8) { frames.pop }.sort_by { |frame| frame.is_a?(Hash) ? frame.dig("raaf", "seq").to_i : 0 }
    seen[:active] = Array.new(active.size) { active.pop }
    seen[:provider] = RAAF.provider.class.name
    filter = ActiveSupport::ParameterFilter.new(Rails.application.config.filter_parameters)
    seen[:filtered] = filter.filter("api_key" => "a", "apiKey" => "b", "X-Goog-Api-Key" => "c", "message" => "d").values
    seen[:log] = Rails.root.join("log", "\#{Rails.env}.log").readlines.grep(/^  Stream/)
    puts JSON.generate(seen)
  RUBY

  before(:context) do
    AppBuilder.copy(AppBuilder.fresh) do |app|
      app.write("seen.rb", script)
      @development = JSON.parse(app.rails("runner", "seen.rb").lines.last, symbolize_names: true)
      @test = app.rails("runner", "p RAAF.provider.class", env: {"RAILS_ENV" => "test"}).lines.last.chomp
    end
  end

  def stamped
    @development[:frames].filter_map { |frame| frame[:raaf] if frame.is_a?(Hash) }
  end

  it "starts nothing when the application boots" do
    expect(@development).to include(threads: [], reactor: false)
  end

  it "runs callbacks inside Rails' executor" do
    expect(@development[:active]).to eq([true] * 3)
  end

  it "numbers what is broadcast from a stream's block or callback, each stream from 1, and marks the last" do
    streams = stamped.group_by { |stamp| stamp[:stream_id] }.values
    expect(streams.size).to eq(2)
    expect(streams.map { |stamps| stamps.map { |stamp| stamp.values_at(:seq, :attempt, :terminal) } })
      .to all(eq([[1, 1, false], [2, 1, false], [3, 1, true]]))
  end

  it "leaves alone what is broadcast elsewhere, and what is no Hash" do
    expect(@development[:frames]).to include({text: "from elsewhere"}, "no Hash")
  end

  it "writes a line a stream into the log, without a word of it" do
    id = /[0-9a-f-]{36}/
    expect(@development[:log]).to match([
      /Stream #{id} gpt-4o \(openai\) complete: first token \d+ ms, 3 \+ 2 tokens, \d+ ms$/,
      /Stream #{id} gpt-4o \(openai\) complete: first token \d+ ms, \d+ ms$/,
      /Stream #{id} gpt-4o \(openai\) failed \(RAAF::Errors::InvalidRequestError\): no first token, \d+ ms$/
    ])
  end

  it "keeps keys out of logged parameters" do
    expect(@development[:filtered]).to eq(["[FILTERED]"] * 3 + ["d"])
  end

  it "answers by a mock in the test environment, and nowhere else" do
    expect([@test, @development[:provider]]).to eq(["RAAF::Testing::MockProvider", "NilClass"])
  end
end
