# frozen_string_literal: true

require "raaf/testing"

# An application that runs, a model server in this process that it asks, and a browser.
#
# env: what the application's processes get besides, such as CHUNK_BUFFER_SIZE. cable, jobs: see AppParts; where another
# process performs the jobs it runs too. own: whether it is an application that no other example uses, as where
# processes are killed.
RSpec.shared_context "with the guide's application" do |env: {}, cable: :async, jobs: nil, own: false|
  before(:context) do
    next unless Guide.here?

    parts = {cable: cable, jobs: jobs}
    parts = {} if parts == {cable: :async, jobs: nil}
    @model = RAAF::Testing::ModelServer.start
    @backing = Backing.new(cable, jobs)
    app = own ? AppBuilder.copied(AppBuilder.guide(**parts)) : AppBuilder.guide(**parts)
    @backing.prepare(app)
    asked = {"OPENAI_BASE_URL" => @model.base_url, "OPENAI_API_KEY" => "sk-none", **@backing.env, **env}
    @worker = JobWorker.new(app, jobs, env: asked) if JobWorker::COMMANDS.key?(jobs)
    @server = AppServer.new(app, env: asked)
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

  def words(count)
    Array.new(count) { |i| "word#{i} " }
  end
end
