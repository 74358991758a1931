# frozen_string_literal: true

require "raaf/testing"

# An application that runs, a model server in this process that it asks, and a browser.
# env: what the application's process gets besides, such as CHUNK_BUFFER_SIZE.
RSpec.shared_context "with the guide's application" do |env: {}|
  before(:context) do
    next unless Guide.here?

    @model = RAAF::Testing::ModelServer.start
    asked = {"OPENAI_BASE_URL" => @model.base_url, "OPENAI_API_KEY" => "sk-none"}
    @server = AppServer.new(AppBuilder.guide, env: {**asked, **env})
  end

  after(:context) do
    @server&.stop
    @model&.stop
  end

  before { skip Guide::ABSENT unless Guide.here? }

  after do |example|
    puts @server.logs if example.exception && @server
    @sessions&.each(&:quit)
    @model&.clear_scripts
  end

  # @return [RAAF::Testing::ModelServer]
  attr_reader :model
  # @return [AppServer]
  attr_reader :server

  # @return [Capybara::Session] another browser
  def open_browser
    Browser.open(server.url).tap { |session| (@sessions ||= []) << session }
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
