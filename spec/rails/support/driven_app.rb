# frozen_string_literal: true

# An application that runs, a model server in this process that it asks, and a browser.
#
# env: what the application's processes get besides, such as CHUNK_BUFFER_SIZE. cable, jobs: see AppParts; where another
# process performs the jobs it runs too. own: whether it is an application that no other example uses, as where
# processes are killed; its page is less patient. workers: Puma's. worker_options: of the command that performs jobs.
RSpec.shared_context "with the guide's application" do |env: {}, cable: :async, jobs: nil, own: false, workers: 0,
  worker_options: []|
  before(:context) do
    next unless Guide.here?

    parts = {cable: cable, jobs: jobs}.compact
    parts = {} if parts == {cable: :async}
    alone = {env: env, workers: workers, worker_options: worker_options}
    if own || alone.values.any? { |value| ![0, {}, []].include?(value) }
      @alone = RunningApp.new(**parts, **alone) { |app| impatient(app) if own }
    end
    @running = @alone || RunningApp.shared(**parts)
  end

  after(:context) do
    @alone&.stop
  end

  before { skip Guide::ABSENT unless Guide.here? }

  after do |example|
    puts server.logs, worker&.logs if example.exception && @running
    @sessions&.each { |session| Browser.close(session) }
    @proxy&.stop
    @running&.model&.clear_scripts
  end

  # Those of {RunningApp}.
  %i[model server worker backing].each do |name|
    define_method(name) { @running&.public_send(name) }
  end

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
  def open_chat(user = somebody)
    open_browser.tap do |page|
      page.visit("/sign_in/#{user}")
      page.assert_selector("#send-button")
      wait_for_subscription(page) # until then a question may be asked of nobody
    end
  end

  def ask(page, question)
    page.fill_in("message-input", with: question)
    page.click_button("send-button")
  end

  # Waits until the page's subscriptions are confirmed. Under importmap only, where the page's consumer can be imported.
  def wait_for_subscription(page)
    wait_until { page.evaluate_async_script(<<~JS) }
      import("/assets/consumer").then(({default: consumer}) => {
        window.connection = consumer.connection
        arguments[0](connection.isOpen() && consumer.subscriptions.guarantor.pendingSubscriptions.length === 0)
      })
    JS
  end

  # Waits for what no page shows.
  #
  # @yieldreturn [Object] true: it is so
  # @raise [RuntimeError] where it does not get so
  def wait_until(seconds = Browser::PATIENCE * 2)
    deadline = Process.clock_gettime(Process::CLOCK_MONOTONIC) + seconds
    until yield
      raise "it did not come to that" if Process.clock_gettime(Process::CLOCK_MONOTONIC) > deadline

      sleep 0.05
    end
  end

  # What is in the chat, from above and at one moment: [class, text].
  def shown(page)
    page.evaluate_script(<<~JS)
      Array.from(document.querySelectorAll("#chat-container > div"),
        (element) => [element.className, element.textContent.replace(/\\s+/g, " ").trim()])
    JS
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

  # The page asks sooner how it is with a silent answer, and gives up sooner, than it does by itself.
  def impatient(app)
    app.replace("app/javascript/consumer.js", "streamingConsumer(createConsumer())",
      "streamingConsumer(createConsumer(), { silence: 1000, limit: 20000 })")
    app
  end

  # Waits until no answer on the page is being written.
  def wait_for_the_end(page, seconds = 40)
    page.assert_selector(".agent-response")
    page.assert_no_selector(".agent-response.streaming, [aria-busy=true]", wait: seconds)
  end

  # The right text, or as much of it as has come with an error below it, which is honest, and a way to ask again.
  #
  # @return [Boolean] whether it is the right text
  def expect_honest(page, all)
    wait_for_the_end(page)
    (kind, text), *others = shown(page)
    return true if kind == "agent-response complete" && text == all.join.strip

    expect(all.join).to start_with(text)
    expect(others.map(&:first)).to eq(["agent-error"])
    expect(page).to have_button("Retry")
    false
  end

  # Asks again by the button, which leaves the answer where it was.
  def retry_and_expect(page, all)
    page.click_button("Retry")
    page.assert_selector(".agent-response.complete", count: 1, wait: 30)
    expect(shown(page).first).to eq(["agent-response complete", all.join.strip])
    expect(page).to have_no_selector(".streaming")
  end

  def say(line)
    RSpec.configuration.reporter.message("  #{line}")
  end

  def words(count)
    Array.new(count) { |i| "word#{i} " }
  end
end
