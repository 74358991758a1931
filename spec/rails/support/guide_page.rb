# frozen_string_literal: true

# What a reader of the guide sees, whoever answers (the channel's own process or a job's) and whichever way the frames
# come by.
#
# deep: whether all but the first is left to `bin/test --deep`; the first too where its context is.
RSpec.shared_examples "the guide's page" do |deep: false|
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
    expect(page).to have_no_selector("#current-response")
  end

  it "shows that a tool is used, and the answer that comes of it", deep: deep do
    model.script(tool_calls: [{name: "weather", id: "call_1", arguments: {city: "Rome"}}])
    model.script(deltas: ["It is blue."])
    page = open_chat
    ask(page, "Rome?")
    page.assert_selector(".agent-response.complete", text: "It is blue.")

    expect(shown(page)).to eq([["agent-response complete", "It is blue."], ["tool-indicator", "🔧 Using weather..."]])
    expect(model.requests.last.json[:messages].last)
      .to include(role: "tool", content: "blue over Rome, asked by User #{somebody}")
  end

  it "shows an error once, though a job broadcasts it twice, and answers the next question", deep: deep do
    model.script(status: 401, body: {error: {message: "Incorrect API key provided"}})
    model.script(deltas: ["Here I am."])
    page = open_chat
    ask(page, "One?")
    page.assert_selector(".agent-error", text: "Incorrect API key provided")
    ask(page, "Two?")
    page.assert_selector(".agent-response.complete", text: "Here I am.")

    expect(shown(page).map(&:first)).to eq(["agent-response error", "agent-error", "agent-response complete"])
  end

  it "goes on with an answer when it is loaded anew in the middle of it", deep: deep do
    all = words(60)
    gate = Queue.new
    answer_in_parts(gate, all.first(30), all[30..])
    page = open_chat
    ask(page, "One?")
    page.assert_selector(".agent-response.streaming", text: "word20")
    page.refresh
    page.assert_selector(".agent-response.streaming", text: "word20")
    gate << true
    page.assert_selector(".agent-response.complete", text: "word59")

    expect(shown(page)).to eq([["agent-response complete", all.join.strip]])
  ensure
    gate&.close
  end

  it "shows an answer once in each of a user's tabs, and another user's in none", deep: deep do
    all = words(60)
    gate = Queue.new
    answer_in_parts(gate, all.first(30), all[30..])
    pages = Array.new(2) { open_chat }
    other = open_chat(somebody + 1)
    pages.each { |page| wait_for_subscription(page) }
    ask(pages[0], "One?")
    pages.each { |page| page.assert_selector(".agent-response.streaming", text: "word20") }
    gate << true
    pages.each { |page| page.assert_selector(".agent-response.complete", text: "word59") }

    expect(pages.map { |page| shown(page) }).to eq([[["agent-response complete", all.join.strip]]] * 2)
    expect(shown(other)).to eq([])
  ensure
    gate&.close
  end
end
