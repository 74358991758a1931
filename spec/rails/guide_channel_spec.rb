# frozen_string_literal: true

# A new application that ran the generator, with the guide's AgentChannel and streaming_chat.js as they stand in the
# guide, served by Puma, in Chromium, on Action Cable's async adapter.
RSpec.describe "The guide's channel and page" do
  include_context "with the guide's application"

  it "is byte for byte the guide's" do
    %w[app/channels/agent_channel.rb app/javascript/streaming_chat.js].each do |path|
      expect(File.read(Guide::PATH)).to include(server.app.read(path))
    end
    page = open_chat
    script = page.evaluate_async_script(<<~JS)
      const address = document.querySelector('script[type=importmap]').textContent
      fetch(JSON.parse(address).imports.streaming_chat).then(r => r.text()).then(arguments[0])
    JS
    expect(script).to eq(Guide.file("app/javascript/streaming_chat.js"))
  end

  it "shows two answers in a row, each whole and in its own element" do
    model.script(deltas: words(120), delay: 0.005)
    model.script(deltas: %w[Good bye .])
    page = open_chat
    ask(page, "One?")
    page.assert_selector("#chat-container .agent-response.complete", count: 1)
    ask(page, "Two?")
    page.assert_selector("#chat-container .agent-response.complete", count: 2)

    whole = words(120).join.strip
    expect(shown(page)).to eq([["agent-response complete", whole], ["agent-response complete", "Goodbye."]])
    expect(page).to have_no_selector("#current-response")
    # The conversation went on.
    expect(model.requests.last.json[:messages].map { |message| message[:role] }).to eq(%w[system user assistant user])
  end

  it "shows the answer while it is written" do
    written = Queue.new
    model.script do |_, response|
      response.start(200, "content-type" => "text/event-stream")
      response.event({choices: [{index: 0, delta: {content: "Half of it, "}}]})
      written.pop
      response.event({choices: [{index: 0, delta: {content: "and the rest."}, finish_reason: "stop"}]})
      response.event("[DONE]")
    end
    page = open_chat
    ask(page, "One?")
    page.assert_selector(".agent-response.streaming", text: "Half of it,")
    written << true
    page.assert_selector(".agent-response.complete", text: "Half of it, and the rest.")
  ensure
    written << true
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

  it "shows an error once, and answers the next question" do
    model.script(status: 401, body: {error: {message: "Incorrect API key provided"}})
    model.script(deltas: ["Here I am."])
    page = open_chat
    ask(page, "One?")
    page.assert_selector(".agent-error", text: "Incorrect API key provided")
    ask(page, "Two?")
    page.assert_selector(".agent-response.complete", text: "Here I am.")

    expect(shown(page).map(&:first)).to eq(["agent-response error", "agent-error", "agent-response complete"])
  end

  it "shows an error in the middle of an answer, below what had come" do
    model.script(deltas: ["As far as this."], error: "Overloaded")
    page = open_chat
    ask(page, "One?")
    page.assert_selector(".agent-error")

    expect(shown(page).first).to eq(["agent-response error", "As far as this."])
  end

  it "says why a message is refused" do
    page = open_chat
    ask(page, " ")
    page.assert_selector(".agent-error", text: "Error: the message is empty")

    expect(shown(page).map(&:first)).to eq(["agent-response error", "agent-error"])
  end

  it "keeps the answers of two users apart" do
    model.script(deltas: ["For the first."])
    model.script(deltas: ["For the second."])
    first, second = open_chat(1), open_chat(2)
    ask(first, "One?")
    first.assert_selector(".agent-response.complete", text: "For the first.")
    ask(second, "Two?")
    second.assert_selector(".agent-response.complete", text: "For the second.")

    expect([first, second].map { |page| shown(page).size }).to eq([1, 1])
  end

  it "turns strangers away" do
    page = open_browser
    page.visit("/chat")
    page.assert_selector("#send-button")
    server.wait_for_log(/Nobody is signed in .* find_user of ApplicationCable::Connection/)
    server.wait_for_log(/An unauthorized connection attempt was rejected/)
  end
end
