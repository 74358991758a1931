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

# What a page cannot tell apart.
RSpec.shared_examples "jobs of a reader's own ways" do
  def told(client, type = nil)
    client.messages.map(&:data).select { |data| type.nil? || data[:type] == type }
  end

  # @return [Hash] the last frame of an answer
  def last_frame(client)
    client.wait_until { |messages| messages.map(&:data).find { |data| data.dig(:raaf, :terminal) } }
  end

  it "acknowledges a question before any worker has it, by the id that the job's stream then has" do
    %w[high normal low].each do |priority|
      model.script(deltas: ["Answer."])
      client = CableClient.new(server.url, channel: "AskChannel")
      request = SecureRandom.uuid
      client.perform("ask", message: "Hi", priority: priority, raaf: {request_id: request})
      frame = last_frame(client)

      expect(told(client).map { |data| data[:type] }.grep_v("raaf_hello").first).to eq("raaf_ack")
      expect(told(client, "raaf_ack").first).to include(request_id: request, stream_id: frame[:raaf][:stream_id])
      expect(frame[:raaf][:request_id]).to eq(request)
    ensure
      client&.close
    end
  end

  it "answers by HTTP at once, where a controller enqueues the job" do
    model.script(deltas: ["Answer."])
    client = CableClient.new(server.url, channel: "AskChannel")
    uri = URI.join(server.url, "/asks")
    cookie = Net::HTTP.get_response(URI.join(uri, "/sign_in/1"))["set-cookie"][/\A[^;]+/]
    answer = Net::HTTP.post(uri, "message=Hi", "Cookie" => cookie)
    session = JSON.parse(answer.body)["session_id"]

    expect(answer.code).to eq("202")
    expect(last_frame(client)).to include(session_id: session, content: "")
  ensure
    client&.close
  end
end

RSpec.describe "The guide's job" do
  context "on the async adapters" do
    include_context "with the guide's application", jobs: :async
    include_examples "the guide's job"
    include_examples "jobs of a reader's own ways"
  end

  context "on Sidekiq, with Redis under Action Cable" do
    include_context "with the guide's application", cable: :redis, jobs: :sidekiq
    include_examples "the guide's job"
    include_examples "jobs of a reader's own ways"
  end

  context "on Solid Queue and Solid Cable" do
    include_context "with the guide's application", cable: :solid_cable, jobs: :solid_queue
    include_examples "the guide's job"
    include_examples "jobs of a reader's own ways"
  end
end
