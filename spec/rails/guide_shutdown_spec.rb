# frozen_string_literal: true

# A deployment: Puma is told to end in mid-answer, and another one takes its place.
RSpec.describe "A web process that is told to end in mid-answer" do
  {0 => "a single Puma", 2 => "a cluster of Puma's"}.each do |workers, name|
    context "as #{name}", deep: workers.zero? do
      include_context "with the guide's application", cable: :redis, own: true, workers: workers

      it "leaves no answer for ever unfinished, and no word twice" do
        all = words(60)
        gate = Queue.new
        answer_in_parts(gate, all.first(30), all[30..])
        model.script(deltas: all)
        page = open_chat(somebody)
        ask(page, "One?")
        page.assert_selector(".agent-response.streaming", text: "word20")
        server.send_signal(:TERM)
        gate << true
        expect(server.ended?).to be(true)
        server.start
        retry_and_expect(page, all) unless expect_honest(page, all)
      ensure
        gate.close
      end
    end
  end
end
