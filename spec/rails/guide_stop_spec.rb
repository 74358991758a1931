# frozen_string_literal: true

# The button of the generated page, and what the model's server sees of it.
RSpec.shared_examples "Stop" do
  # @return [Float] seconds from the click to when the model's server saw its socket closed
  def seconds_to_close(page, request)
    wall = Time.now.to_f - Process.clock_gettime(Process::CLOCK_MONOTONIC)
    request.closed_by_client_at + wall - (page.evaluate_script("clicked") / 1000.0)
  end

  it "closes the model's socket, and the page shows what had come" do
    model.script(deltas: words(30), keep_open: true, finish_reason: nil, done: false)
    page = open_chat(somebody)
    ask(page, "One?")
    page.assert_selector(".agent-response.streaming", text: "word29")
    request = model.requests.last
    page.execute_script("addEventListener('click', () => { window.clicked = Date.now() }, true)")
    page.click_button("stop-button")
    model.wait_for_close(request, timeout: 30)

    wait_for_the_end(page)
    expect(page.find(".agent-response").text(:all)).to eq(words(30).join.strip)
    expect(page).to have_no_selector(".agent-error", wait: 0)
    say("closed after #{(seconds_to_close(page, request) * 1000).round} ms")
  end

  it "closes the socket of a model that has said nothing yet" do
    model.script(deltas: [], keep_open: true, finish_reason: nil, done: false, role: false)
    page = open_chat(somebody)
    before = model.requests.size
    ask(page, "One?")
    request = model.wait_for_request(before + 1, timeout: 30)
    page.click_button("stop-button")
    model.wait_for_close(request, timeout: 30)
    wait_for_the_end(page)
  end

  it "leaves the next question alone" do
    model.script(deltas: ["Half of it."], keep_open: true, finish_reason: nil, done: false)
    model.script(deltas: ["Here I am."])
    page = open_chat(somebody)
    ask(page, "One?")
    page.assert_selector(".agent-response.streaming", text: "Half of it.")
    page.click_button("stop-button")
    wait_for_the_end(page)
    ask(page, "Two?")
    page.assert_selector(".agent-response.complete", text: "Here I am.")
  end
end

RSpec.describe "Stop, in the browser" do
  {async: false, redis: true, solid_cable: true, postgresql: true}.each do |cable, deep|
    context "with the guide's channel on #{cable}", deep: deep do
      include_context "with the guide's application", cable: cable
      include_examples "Stop"
    end
  end

  {[:redis, :sidekiq] => false, [:solid_cable, :solid_queue] => false}.each do |(cable, jobs), deep|
    context "with the guide's job in a process of #{jobs}'s, on #{cable}", deep: deep do
      include_context "with the guide's application", cable: cable, jobs: jobs
      include_examples "Stop"
    end
  end
end
