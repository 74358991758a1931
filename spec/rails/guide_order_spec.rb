# frozen_string_literal: true

# Every delta is a frame here, as fast as the model writes: Action Cable's async adapter hands frames to the threads of
# its pool, which send them in any order.
RSpec.describe "The order of frames on the guide's page" do
  include_context "with the guide's application", env: {"CHUNK_BUFFER_SIZE" => "0"}

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

  [0, 0.001, 0.005, 0.02].each do |spacing|
    it "is right for 300 of them, #{(spacing * 1000).to_i} ms apart, at every moment" do
      all = words(300)
      model.script(deltas: all, delay: spacing)
      page = open_browser
      page.driver.browser.page.command("Page.addScriptToEvaluateOnNewDocument", source: sockets)
      page.visit("/sign_in/1")
      page.execute_script(watch)
      ask(page, "One?")
      page.assert_selector(".agent-response.complete", wait: 60)
      texts = page.evaluate_script("texts")
      numbers = page.evaluate_script("numbers").compact

      expect(texts.last).to eq(all.join)
      expect(texts).to all(satisfy("be a beginning of the answer") { |text| all.join.start_with?(text) })
      expect(numbers.sort).to eq([*1..301])
      RSpec.configuration.reporter.message("  #{spacing} s: #{inversions(numbers)} inversions on the way")
    end
  end
end
