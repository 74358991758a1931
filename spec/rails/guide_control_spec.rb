# frozen_string_literal: true

# The buttons of the generated page, and what its answers show of themselves, beside the guide's page as it is.
RSpec.describe "The generated page, in the browser" do
  include_context "with the guide's application"

  # @return [Array<String>] how it is with each answer
  def states(page)
    page.all(".agent-response", wait: 0).map { |element| element["data-raaf-state"] }
  end

  def retry_button(page)
    page.find(".agent-response.error + button", text: "Retry")
  end

  it "shows that an answer is on its way before the model has said a word" do
    written = Queue.new
    model.script do |_, response|
      written.pop
      response.start(200, "content-type" => "text/event-stream")
      response.event({choices: [{index: 0, delta: {content: "Here I am."}, finish_reason: "stop"}]})
      response.event("[DONE]")
    end
    page = open_chat
    ask(page, "One?")
    answer = page.find('.agent-response[data-raaf-state="waiting"][aria-busy="true"]')
    mark = page.evaluate_script("getComputedStyle(arguments[0], '::after').content", answer)
    written << true
    page.assert_selector('.agent-response.complete[data-raaf-state="complete"]:not([aria-busy])', text: "Here I am.")

    expect(mark).to eq('"…"')
  ensure
    written << true
  end

  it "has a Stop that is there for the keyboard while an answer is written, and not after" do
    model.script(deltas: ["Half of it."], keep_open: true, finish_reason: nil, done: false)
    model.script(deltas: ["Here I am."])
    page = open_chat
    page.assert_selector("#stop-button:disabled")
    ask(page, "One?")
    page.assert_selector(".agent-response.streaming", text: "Half of it.")
    request = model.requests.last
    page.find("#stop-button:enabled").send_keys(:enter)
    model.wait_for_close(request, timeout: 30)
    page.assert_selector(".agent-response.stopped", text: "Half of it.")
    page.assert_selector("#stop-button:disabled")
    ask(page, "Two?")
    page.assert_selector(".agent-response.complete", text: "Here I am.")

    expect(shown(page)).to eq([["agent-response stopped", "Half of it."], ["agent-response complete", "Here I am."]])
  end

  it "asks again by Retry, and writes the answer where the failed one was" do
    model.script(deltas: ["As far as this."], error: "Overloaded")
    model.script(deltas: ["Here ", "I am."])
    page = open_chat
    ask(page, "One?")
    retry_button(page).send_keys(:enter)
    page.assert_selector(".agent-response.complete", text: "Here I am.")

    expect(shown(page).first).to eq(["agent-response complete", "Here I am."])
    expect(page).to have_no_button("Retry", wait: 0)
    expect(model.requests.last(2).map { |request| request.json[:messages].last[:content] }).to eq(%w[One? One?])
  end

  it "puts two answers that are written at once beneath each other, the later one first" do
    gates = Array.new(2) { Queue.new }
    gates.each_with_index do |gate, index|
      model.script do |_, response|
        gate.pop
        response.start(200, "content-type" => "text/event-stream")
        response.event({choices: [{index: 0, delta: {content: "Answer #{index + 1}."}, finish_reason: "stop"}]})
        response.event("[DONE]")
      end
    end
    page = open_chat
    before = model.requests.size
    ask(page, "One?")
    model.wait_for_request(before + 1, timeout: 30)
    ask(page, "Two?")
    model.wait_for_request(before + 2, timeout: 30)
    gates[1] << true
    page.assert_selector(".agent-response.complete", text: "Answer 2.")
    gates[0] << true
    page.assert_selector(".agent-response.complete", text: "Answer 1.")

    expect(shown(page).map(&:last)).to eq(["Answer 1.", "Answer 2."])
  ensure
    gates.each { |gate| gate << true }
  end

  it "shows an answer once in each of a user's tabs, and Stop in one of them stops it in both" do
    model.script(deltas: ["Half of it."], keep_open: true, finish_reason: nil, done: false)
    pages = Array.new(2) { open_chat }
    ask(pages[0], "One?")
    pages.each { |page| page.assert_selector(".agent-response.streaming", text: "Half of it.") }
    pages[1].click_button("stop-button")
    pages.each { |page| page.assert_selector(".agent-response.stopped", text: "Half of it.") }

    expect(pages.map { |page| shown(page) }).to eq([[["agent-response stopped", "Half of it."]]] * 2)
    expect(pages.map { |page| states(page) }).to eq([["stopped"]] * 2)
  end

  it "goes on with an answer when it is loaded anew in the middle of it" do
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
    page.refresh
    page.assert_selector(".agent-response.streaming", text: "Half of it,")
    written << true
    page.assert_selector(".agent-response.complete", text: "Half of it, and the rest.")

    expect(shown(page)).to eq([["agent-response complete", "Half of it, and the rest."]])
  ensure
    written << true
  end
end
