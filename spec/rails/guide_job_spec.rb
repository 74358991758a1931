# frozen_string_literal: true

# The guide's StreamingAgentJob and AsyncAgentService, as they stand in the guide, behind its channel and page: what the
# channel is asked is answered by a job, which another process performs where the adapter has one.
RSpec.shared_examples "the guide's job" do
  it "is byte for byte the guide's" do
    %w[app/jobs/streaming_agent_job.rb app/services/async_agent_service.rb].each do |path|
      expect(File.read(Guide::PATH)).to include(server.app.read(path))
    end
  end

  it "shows two answers in a row, each whole and in its own element" do
    model.script(deltas: words(120), delay: 0.005)
    model.script(deltas: %w[Good bye .])
    page = open_chat
    ask(page, "One?")
    page.assert_selector("#chat-container .agent-response.complete", count: 1)
    ask(page, "Two, and hurry?")
    page.assert_selector("#chat-container .agent-response.complete", count: 2)

    expect(shown(page)).to eq([["agent-response complete", words(120).join.strip],
      ["agent-response complete", "Goodbye."]])
  end

  it "shows that a tool is used, and the answer that comes of it" do
    model.script(tool_calls: [{name: "weather", id: "call_1", arguments: {city: "Rome"}}])
    model.script(deltas: ["It is blue."])
    page = open_chat
    ask(page, "Rome?")
    page.assert_selector(".agent-response.complete", text: "It is blue.")

    expect(shown(page)).to eq([["agent-response complete", "It is blue."], ["tool-indicator", "🔧 Using weather..."]])
    expect(model.requests.last.json[:messages].last)
      .to include(role: "tool", content: "blue over Rome, asked by User 1")
  end

  it "shows an error once, though the job broadcasts it twice, and answers the next question" do
    model.script(status: 401, body: {error: {message: "Incorrect API key provided"}})
    model.script(deltas: ["Here I am."])
    page = open_chat
    ask(page, "One?")
    page.assert_selector(".agent-error", text: "Incorrect API key provided")
    ask(page, "Two?")
    page.assert_selector(".agent-response.complete", text: "Here I am.")

    expect(shown(page).map(&:first)).to eq(["agent-response error", "agent-error", "agent-response complete"])
  end
end

RSpec.describe "The guide's job" do
  context "on the async adapters" do
    include_context "with the guide's application", jobs: :async
    include_examples "the guide's job"
  end

  context "on Sidekiq, with Redis under Action Cable" do
    include_context "with the guide's application", cable: :redis, jobs: :sidekiq
    include_examples "the guide's job"
  end

  context "on Solid Queue and Solid Cable" do
    include_context "with the guide's application", cable: :solid_cable, jobs: :solid_queue
    include_examples "the guide's job"
  end
end
