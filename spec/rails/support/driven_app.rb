# frozen_string_literal: true

require "raaf/testing"

# An application that runs, a model server in this process that it asks, and a browser.
#
# env: what the application's processes get besides, such as CHUNK_BUFFER_SIZE. cable, jobs: see AppParts; where another
# process performs the jobs it runs too. own: whether it is an application that no other example uses, as where
# processes are killed. workers: Puma's. worker_options: of the command that performs jobs.
RSpec.shared_context "with the guide's application" do |env: {}, cable: :async, jobs: nil, own: false, workers: 0,
  worker_options: []|
  before(:context) do
    next unless Guide.here?

    parts = {cable: cable, jobs: jobs}
    parts = {} if parts == {cable: :async, jobs: nil}
    @model = RAAF::Testing::ModelServer.start
    @backing = Backing.new(cable, jobs)
    app = own ? AppBuilder.copied(AppBuilder.guide(**parts)) : AppBuilder.guide(**parts)
    @backing.prepare(app)
    asked = {"OPENAI_BASE_URL" => @model.base_url, "OPENAI_API_KEY" => "sk-none", **@backing.env, **env}
    @worker = JobWorker.new(app, jobs, env: asked, options: worker_options) if JobWorker::COMMANDS.key?(jobs)
    @server = AppServer.new(app, env: asked, workers: workers)
    @own = app if own
  end

  after(:context) do
    [@server, @worker, @backing, @model].each { |each| each&.stop }
    FileUtils.rm_rf(@own.root) if @own
  end

  before { skip Guide::ABSENT unless Guide.here? }

  after do |example|
    puts @server.logs, @worker&.logs if example.exception && @server
    @sessions&.each(&:quit)
    @proxy&.stop
    @model&.clear_scripts
  end

  # @return [RAAF::Testing::ModelServer]
  attr_reader :model
  # @return [AppServer]
  attr_reader :server
  # @return [JobWorker, nil]
  attr_reader :worker
  # @return [Backing]
  attr_reader :backing

  # @return [Proxy] between the browsers that are opened from now on and the server
  def proxy
    @proxy ||= Proxy.new(server.port)
  end

  # @return [Capybara::Session] another browser
  def open_browser
    Browser.open((@proxy || server).url).tap { |session| (@sessions ||= []) << session }
  end

  # @return [Integer] a user whom no other example has
  def somebody
    @somebody ||= (Process.clock_gettime(Process::CLOCK_MONOTONIC, :microsecond) % 1_000_000_000)
  end

  # @param user [Integer] who is signed in
  # @return [Capybara::Session] that shows the chat
  def open_chat(user = 1)
    open_browser.tap do |page|
      page.visit("/sign_in/#{user}")
      page.assert_selector("#send-button")
    end
  end

  def ask(page, question)
    page.fill_in("message-input", with: question)
    page.click_button("send-button")
  end

  # What is in the chat, from above: [class, text].
  def shown(page)
    page.all("#chat-container > div", wait: 0).map { |element| [element[:class], element.text(:all)] }
  end

  # Has the model write one answer in parts: the first at once, each further one when the gate lets it. A closed gate
  # lets all.
  #
  # @param gate [Queue]
  # @param parts [Array<Array<String>>] their words
  # @param pace [Numeric] seconds between two words
  # @param repeat [Boolean] whether to answer all further questions so
  def answer_in_parts(gate, *parts, pace: 0, repeat: false)
    model.script(repeat: repeat) do |_, response|
      response.start(200, "content-type" => "text/event-stream")
      parts.each_with_index do |part, index|
        gate.pop if index.positive?
        write_words(response, part, pace)
      end
      response.event({choices: [{index: 0, delta: {}, finish_reason: "stop"}]})
      response.event("[DONE]")
    end
  end

  def write_words(response, words, pace)
    words.each do |word|
      response.event({choices: [{index: 0, delta: {content: word}}]})
      response.sleep(pace) if pace.positive?
    end
  end

  # Waits until no answer on the page is being written.
  def wait_for_the_end(page, seconds = 40)
    page.assert_selector(".agent-response")
    page.assert_no_selector(".agent-response.streaming", wait: seconds)
    expect(page).to have_no_selector("[aria-busy=true]", wait: 0)
  end

  # The right text, or as much of it as has come with an error below it, which is honest, and a way to ask again.
  #
  # @return [Boolean] whether it is the right text
  def expect_honest(page, all)
    wait_for_the_end(page)
    text = page.find(".agent-response").text(:all)
    return true if page.has_selector?(".agent-response.complete", wait: 0) && text == all.join.strip

    expect(all.join).to start_with(text)
    expect(page).to have_selector(".agent-error", count: 1, wait: 0)
    expect(page).to have_button("Retry", wait: 0)
    false
  end

  # Asks again by the button, which leaves the answer where it was.
  def retry_and_expect(page, all)
    page.click_button("Retry")
    page.assert_selector(".agent-response.complete", count: 1, wait: 30)
    expect(shown(page).first).to eq(["agent-response complete", all.join.strip])
    expect(page).to have_no_selector(".streaming", wait: 0)
  end

  def say(line)
    RSpec.configuration.reporter.message("  #{line}")
  end

  def words(count)
    Array.new(count) { |i| "word#{i} " }
  end
end
