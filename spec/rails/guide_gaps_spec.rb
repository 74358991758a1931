# frozen_string_literal: true

# What a server sends while a browser's WebSocket is down is sent to nobody. Between the browser and the server is a
# proxy that resets its connections; the page's Action Cable comes back by itself.
RSpec.shared_examples "a gap in the connection" do |cable, jobs = nil|
  include_context "with the guide's application", cable: cable, jobs: jobs

  slow = ![[:async, nil], [:redis, :sidekiq]].include?([cable, jobs])
  slower = [cable, jobs] != [:async, nil]

  before { proxy if Guide.here? }

  # Has the model write the first words, then most of the rest when the gate lets it, then the last one.
  #
  # @yieldparam gate [Queue]
  # @return [Array<String>] the answer's words
  def answer_with_a_gap(page, pace: 0.01)
    all = words(200)
    gate = Queue.new
    answer_in_parts(gate, all.first(100), all[100..-2], all.last(1), pace: pace)
    ask(page, "One?")
    page.assert_selector(".agent-response.streaming", text: "word90")
    yield gate
    all
  ensure
    gate&.close
  end

  # Action Cable itself tries again after some seconds only.
  def cut(page, seconds)
    wait_for_subscription(page)
    expect(proxy.cut(seconds)).to be_positive
    page.execute_script("setTimeout(() => connection.open(), arguments[0])", seconds * 1000)
  end

  def expect_whole(page, all)
    page.assert_selector(".agent-response.complete", wait: 30)
    expect(shown(page)).to eq([["agent-response complete", all.join.strip]])
    expect(page).to have_no_selector(".streaming", wait: 0)
  end

  [50, 300, 1_000].each do |milliseconds|
    it "of #{milliseconds} ms in mid-answer leaves nothing out", deep: slow || milliseconds != 300 do
      page = open_chat(somebody)
      all = answer_with_a_gap(page) do |gate|
        gate << true
        page.assert_selector(".agent-response.streaming", text: "word110")
        cut(page, milliseconds / 1000.0)
        gate << true
      end
      expect_whole(page, all)
    end
  end

  it "across the end of the answer leaves nothing out", deep: slower do
    page = open_chat(somebody)
    all = answer_with_a_gap(page, pace: 0) do |gate|
      proxy.cut(1)
      gate.close
      model.wait_until { model.requests.last.finished? }
    end
    expect_whole(page, all)
  end

  it "shows no answer that was over before the page was there", deep: slower do
    model.script(deltas: ["Of yesterday."])
    before = open_chat(somebody)
    ask(before, "One?")
    before.assert_selector(".agent-response.complete")
    page = open_chat(somebody)
    all = answer_with_a_gap(page) do |gate|
      cut(page, 0.1)
      gate.close
    end
    expect_whole(page, all)
  end

  it "in each tenth of the answer leaves nothing out", deep: true do
    page = open_chat(somebody)
    all = answer_with_a_gap(page, pace: 0.05) do |gate|
      gate.close
      until page.has_no_selector?(".streaming", wait: 0)
        cut(page, 0.1)
        page.has_no_selector?(".streaming", wait: 1)
      end
    end
    expect_whole(page, all)
  end
end

# By the guide's job, which another process performs where the adapter has one.
RSpec.describe "With the guide's job and page" do
  {async: :async, redis: :sidekiq, solid_cable: :solid_queue, postgresql: :async}.each do |cable, jobs|
    describe "on #{cable} and #{jobs}, a gap" do
      include_examples "a gap in the connection", cable, jobs
    end
  end
end

RSpec.describe "With the guide's channel and page" do
  %i[async redis solid_cable postgresql].each do |cable|
    describe "on #{cable}, a gap" do
      include_examples "a gap in the connection", cable
    end
  end
end
