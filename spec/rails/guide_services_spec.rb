# frozen_string_literal: true

require_relative "support/channel_page"

# The guide's services beside its chat, as they stand in the guide: pasted into the application, used there by a
# controller, and heard in browsers by the channel that is shipped for them.
RSpec.shared_examples "the guide's sessions of several" do
  include ChannelPage

  let(:room) { somebody.to_s }

  it "show everybody each answer once, in order, in every tab; strangers nothing, and one who leaves no more" do
    model.script(deltas: words(60), delay: 0.005)
    model.script(deltas: ["Later."])
    tabs = [0, 0, 1, 1].map { |other| open_chat(somebody + other) }
    tabs.values_at(0, 2).each { |page| get(page, "/room/#{room}/join") }
    expect(tabs.map { |page| subscribe(page, session_id: room) }).to eq(["connected"] * 4)
    expect(subscribe(open_chat(somebody + 2), session_id: room)).to eq("rejected")

    get(tabs.first, "/room/#{room}/say?words=One")
    whole = words(60).join
    wait_until { tabs.all? { |page| answers(page).size >= whole.size } }
    expect(tabs.map { |page| answers(page) }).to eq([whole] * 4)

    get(tabs.last, "/room/#{room}/leave")
    wait_until { tabs.last(2).all? { |page| page.evaluate_script("window.rejected === true") } }
    get(tabs.first, "/room/#{room}/say?words=Two")
    wait_until { tabs.first(2).all? { |page| answers(page).end_with?("Later.") } }
    expect(tabs.map { |page| answers(page) }).to eq([*["#{whole}Later."] * 2, *[whole] * 2])
  end
end

# action: "start" in the request, or "enqueue" in a job.
RSpec.shared_examples "the guide's workflows" do |action: "start", deep: false|
  include ChannelPage

  let(:session) { somebody.to_s }

  # What the page has heard of a workflow: who said what, and the result.
  def said(page)
    pieces = came(page).select { |frame| frame["type"] == "agent_response" }
    pieces.group_by { |frame| frame["agent"] }.transform_values { |each| each.map { |frame| frame["content"] }.join }
  end

  # The last frame belongs to none of the agents' streams, so nothing keeps it behind their words.
  def wait_for_all(page, *texts)
    wait_until { result(page) && said(page).each_value.sum(&:size) >= texts.sum(&:size) }
  end

  def result(page)
    came(page).find { |frame| frame["type"] == "workflow_complete" }&.fetch("final_result")
  end

  def open_member
    open_chat.tap do |page|
      get(page, "/workflow/#{session}/join")
      expect(subscribe(page, session_id: session, kind: "orchestrator")).to eq("connected")
    end
  end

  it "show what each agent says, and what comes of it" do
    biology, poem = words(60).join, words(40).reverse.join
    model.script(deltas: words(60), delay: 0.002)
    model.script(deltas: words(40).reverse)
    page = open_member
    get(page, "/workflow/#{session}/#{action}?words=Whales&type=sequential")
    wait_for_all(page, biology, poem)

    expect(said(page)).to eq("biologist" => biology, "poet" => poem)
    expect(result(page)).to eq(poem)
    asked = model.requests.last(2).map { |request| request.json[:messages].map { |message| message[:content] } }
    expect(asked).to eq([["You are the Biologist.", "Whales"], ["You are the Poet.", biology]])
  end

  it "show agents that answer at once, and one answer that is made of theirs", deep: deep do
    model.script(deltas: words(30), delay: 0.002)
    model.script(deltas: words(30), delay: 0.002)
    model.script(deltas: ["Both ", "agree."])
    page = open_member
    get(page, "/workflow/#{session}/#{action}?words=Whales&type=parallel")
    wait_for_all(page, words(30).join, words(30).join)

    expect(said(page)).to eq("biologist" => words(30).join, "poet" => words(30).join)
    expect(result(page)).to eq("Both agree.")
    expect(model.requests.last.json[:messages].last[:content]).to include("Whales").and include(words(30).join.strip)
  end
end

RSpec.describe "The guide's CollaborativeAgentService and AgentOrchestrator" do
  {async: false, redis: true, solid_cable: true}.each do |cable, deep|
    context "with #{cable} under Action Cable", deep: deep do
      include_context "with the guide's application", cable: cable
      include_examples "the guide's sessions of several"
      include_examples "the guide's workflows", deep: cable != :async
    end
  end

  {[:redis, :sidekiq] => false, [:solid_cable, :solid_queue] => true}.each do |(cable, jobs), deep|
    context "in a job of #{jobs}, with #{cable} under Action Cable", deep: deep do
      include_context "with the guide's application", cable: cable, jobs: jobs
      include_examples "the guide's workflows", action: "enqueue", deep: true
    end
  end
end

RSpec.describe "The guide's services in an application" do
  include_context "with the guide's application"
  include ChannelPage

  it "are byte for byte the guide's" do
    %w[agent_orchestrator collaborative_agent_service streaming_analytics_service].each do |name|
      expect(server.app.read("app/services/#{name}.rb")).to eq(Guide.file("app/services/#{name}.rb"))
    end
    expect(File.read(Guide::PATH)).to include(server.app.read("app/services/agent_orchestrator.rb"))
  end

  it "have an initializer, byte for byte the guide's in place of the generated one, that sets what it says" do
    name = "config/initializers/raaf_streaming.rb"
    expect(server.app.read(name)).to eq(Guide.file(name))
    expect(JSON.parse(get(open_chat, "/figures/settings"), symbolize_names: true)).to eq(
      chunk_buffer_size: 50, chunk_buffer_timeout: 100, connection_pool_size: 10, connection_timeout: 30,
      async_chunk_processing: true, chunk_processing_queue: "streaming_chunks", max_concurrent_streams: 100,
      stream_timeout: 300
    )
  end

  it "count the streams of the process, for StatsD too" do
    model.script(deltas: %w[Half of it])
    page = open_chat
    before = JSON.parse(get(page, "/figures/summary"))
    chunks = JSON.parse(get(page, "/figures/stream?words=Hi")).fetch("chunks")
    after = JSON.parse(get(page, "/figures/summary"))

    expect(chunks.join).to eq("Halfofit")
    gained = %w[streams_started streams_completed total_chunks].map { |key| after[key] - before[key] }
    expect(gained).to eq([1, 1, "Halfofit".size])
    expect(after).to include("avg_stream_duration" => 2.5, "completion_rate" => 100.0)
    server.wait_for_log(/raaf\.streams\.started.*agent_type:Assistant/)
  end

  it "have one who watches the log told which columns of a user go to browsers" do
    page = open_chat
    get(page, "/room/#{somebody}/join")
    # The guide's code sends the record itself; nobody has asked for a safe User.
    server.wait_for_log(/A broadcast to collaboration_\d+_\d+ shows browsers password_digest of a User/)
  end
end
