# frozen_string_literal: true

# Processes that are killed in mid-answer. The page shall end with the right text, or say that there was an error and
# offer to ask again.
RSpec.shared_context "with an answer that is half written" do
  # @return [Array<String>] the answer's words
  def half_written(page)
    @all = words(60)
    @gate = Queue.new
    answer_in_parts(@gate, @all.first(30), @all[30..])
    model.script(deltas: @all)
    ask(page, "One?")
    page.assert_selector(".agent-response.streaming", text: "word20")
    @all
  end

  def expect_the_truth(page, all)
    honest = expect_honest(page, all)
    say(honest ? "the right text" : "an error, with Retry")
    yield if block_given?
    retry_and_expect(page, all) unless honest
  end

  after { @gate&.close }
end

RSpec.describe "A web process that is killed in mid-answer" do
  {async: true, redis: false, solid_cable: true, postgresql: true}.each do |cable, deep|
    context "on #{cable}", deep: deep && cable != :async do
      include_context "with the guide's application", cable: cable, own: true
      include_context "with an answer that is half written"

      it "leaves no answer for ever unfinished, and no word twice" do
        page = open_chat(somebody)
        all = half_written(page)
        server.stop(:KILL)
        server.start
        expect_the_truth(page, all)
      end
    end
  end
end

RSpec.describe "A Redis that is killed in mid-answer" do
  include_context "with the guide's application", cable: :redis, own: true
  include_context "with an answer that is half written"

  it "and comes back with nothing in it, leaves no answer for ever unfinished, and no word twice" do
    page = open_chat(somebody)
    all = half_written(page)
    backing.redis.stop(:KILL)
    @gate << true
    backing.redis.start
    expect_the_truth(page, all)
  end

  it "and comes back when the answer is over, leaves no answer for ever unfinished, and no word twice" do
    page = open_chat(somebody)
    all = half_written(page)
    backing.redis.stop(:KILL)
    @gate << true
    server.wait_for_log(/Stream \S+ gpt-4o \(openai\) complete/)
    expect_the_truth(page, all) { backing.redis.start }
  ensure
    backing.redis.start unless backing.redis.pid
  end
end

RSpec.describe "A job's process that is killed in mid-answer" do
  {[:redis, :sidekiq] => false, [:solid_cable, :solid_queue] => true}.each do |(cable, jobs), deep|
    context "of #{jobs}, on #{cable}", deep: deep do
      include_context "with the guide's application", cable: cable, jobs: jobs, own: true
      include_context "with an answer that is half written"

      it "leaves no answer for ever unfinished, and no word twice" do
        page = open_chat(somebody)
        all = half_written(page)
        worker.stop(:KILL)
        worker.start
        expect_the_truth(page, all)
      end
    end
  end
end
