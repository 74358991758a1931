# frozen_string_literal: true

# Every delta is a frame here, as fast as the model writes: Action Cable hands frames to the threads of its pool, which
# send them in any order, whichever adapter they came by.
RSpec.shared_examples "the order of frames" do |cable, spacings, jobs = nil|
  include_context "with the guide's application", cable: cable, jobs: jobs, env: {"CHUNK_BUFFER_SIZE" => "0"}

  # Every text that the answer has ever shown, and the numbers of the frames as they came in at the socket.
  watch = <<~JS
    window.texts = []
    new MutationObserver(() => {
      const answer = document.querySelector(".agent-response")
      if (answer && answer.textContent !== texts.at(-1)) texts.push(answer.textContent)
    }).observe(document.getElementById("chat-container"), {childList: true, subtree: true, characterData: true})
  JS
  sockets = <<~JS
    window.numbers = []
    window.WebSocket = class extends WebSocket {
      constructor(...given) {
        super(...given)
        this.addEventListener("message", ({data}) => numbers.push(JSON.parse(data).message?.raaf?.seq))
      }
    }
  JS

  def inversions(numbers)
    numbers.each_cons(2).count { |before, after| after < before }
  end

  define_method(:open_watched) do
    open_browser.tap do |page|
      page.driver.browser.page.command("Page.addScriptToEvaluateOnNewDocument", source: sockets)
      page.visit("/sign_in/#{somebody}")
      page.execute_script(watch)
    end
  end

  def expect_right(page, all)
    page.assert_selector(".agent-response.complete", wait: 30)
    texts = page.evaluate_script("texts")
    expect(texts.last).to eq(all.join)
    expect(texts).to all(satisfy("be a beginning of the answer") { |text| all.join.start_with?(text) })
  end

  # Not only by `bin/test --deep`.
  often = {[:async, nil] => [0, 0.005], [:redis, :sidekiq] => [0], [:solid_cable, :solid_queue] => [0.005]}
    .fetch([cable, jobs], [])

  spacings.each do |spacing|
    it "is right for 300 of them, #{(spacing * 1000).to_i} ms apart, at every moment",
      deep: !often.include?(spacing) do
      all = words(300)
      model.script(deltas: all, delay: spacing)
      page = open_watched
      ask(page, "One?")
      expect_right(page, all)
      numbers = page.evaluate_script("numbers").compact

      # What was late and asked for again came twice.
      expect(numbers.uniq.sort).to eq([*1..301])
      say("#{cable}, #{spacing} s: #{inversions(numbers)} inversions, #{numbers.size - 301} doubles on the way")
    end
  end

  # PostgreSQL carries less than 8,000 bytes in a message.
  it "is right for an answer of 20 KB, and for frames of 10 KB", deep: true do
    all = Array.new(400) { |i| format("%03d %s ", i, "ä" * 20) } + ["b" * 10_000, "é" * 10_000, "and the end."]
    model.script(deltas: all, delay: 0.002)
    page = open_watched
    ask(page, "One?")
    expect_right(page, all)
  end
end

RSpec.describe "The order of frames on the guide's page" do
  %i[async redis solid_cable postgresql].each do |cable|
    context "when they come by Action Cable's adapter #{cable}" do
      include_examples "the order of frames", cable, [0, 0.001, 0.005, 0.02]
    end
  end

  {async: :async, redis: :sidekiq, solid_cable: :solid_queue, postgresql: :async}.each do |cable, jobs|
    context "when they come from the guide's job, by #{cable} and #{jobs}" do
      include_examples "the order of frames", cable, [0, 0.001, 0.005, 0.02], jobs
    end
  end
end
