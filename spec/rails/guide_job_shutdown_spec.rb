# frozen_string_literal: true

# A deployment: the worker is told to end in mid-answer, and another one takes its place. Sidekiq gives its jobs 25 s,
# which is set to 4 here, Solid Queue 5 s.
RSpec.shared_examples "a worker that is told to end in mid-answer" do
  def half_written(page, question)
    ask(page, question)
    page.assert_selector(".agent-response.streaming", text: "word20")
  end

  it "finishes an answer that comes to its end in time" do
    all = words(60)
    gate = Queue.new
    answer_in_parts(gate, all.first(30), all[30..])
    page = open_chat
    asked = model.requests.size
    half_written(page, "One?")
    worker.send_signal(:TERM)
    gate << true

    page.assert_selector(".agent-response.complete", text: all.join.strip)
    expect(worker.ended?).to be(true)
    expect(shown(page)).to eq([["agent-response complete", all.join.strip]])
    expect(model.requests.size).to eq(asked + 1)
    worker.start
  ensure
    gate.close
  end

  it "hands back one that does not: the page waits, and the next worker begins it anew" do
    model.script(deltas: words(30), keep_open: true, finish_reason: nil, done: false)
    model.script(deltas: ["Whole, and once."])
    page = open_chat
    half_written(page, "One?")
    request = model.requests.last
    worker.send_signal(:TERM)
    model.wait_for_close(request, timeout: 60)
    expect(worker.ended?).to be(true)
    page.assert_selector(".agent-response[data-raaf-state=waiting]")
    expect(page).to have_no_selector(".agent-error", wait: 0)

    worker.start
    page.assert_selector(".agent-response.complete", text: "Whole, and once.", wait: 60)
    expect(shown(page)).to eq([["agent-response complete", "Whole, and once."]])
  end
end

RSpec.describe "A worker of jobs that is told to end in mid-answer" do
  context "of Sidekiq, with Redis under Action Cable" do
    include_context "with the guide's application", cable: :redis, jobs: :sidekiq, own: true,
      worker_options: %w[-t 4]
    include_examples "a worker that is told to end in mid-answer"
  end

  context "of Solid Queue, with Solid Cable", deep: true do
    include_context "with the guide's application", cable: :solid_cable, jobs: :solid_queue, own: true
    include_examples "a worker that is told to end in mid-answer"
  end
end
