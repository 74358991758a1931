# frozen_string_literal: true

# A new application that ran the generator, with the guide's AgentChannel and streaming_chat.js as they stand in the
# guide, served by Puma, in Chromium, on Action Cable's async adapter.
RSpec.describe "The guide's channel and page" do
  include_context "with the guide's application"
  include_examples "the guide's page"

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

  it "goes on with the conversation" do
    model.script(deltas: ["Rome."])
    model.script(deltas: ["Blue."])
    page = open_chat
    ask(page, "Where?")
    page.assert_selector(".agent-response.complete", text: "Rome.")
    ask(page, "And the sky?")
    page.assert_selector(".agent-response.complete", text: "Blue.")

    expect(model.requests.last.json[:messages].drop(1).map { |message| message.values_at(:role, :content) })
      .to eq([%w[user Where?], %w[assistant Rome.], ["user", "And the sky?"]])
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
    first, second = open_chat, open_chat(somebody + 1)
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

RSpec.describe "The guide's channel and page, with another adapter of Action Cable's" do
  {redis: false, solid_cable: true, postgresql: true}.each do |cable, deep|
    context "which is #{cable}", deep: deep do
      include_context "with the guide's application", cable: cable
      include_examples "the guide's page", deep: deep
    end
  end
end
