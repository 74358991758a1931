# frozen_string_literal: true

require "raaf/testing"

# In development, code is loaded anew with the first request after a change. What runs in Rails' executor would be
# waited for by that request.
RSpec.describe "Code that is changed while an answer is written" do
  before { skip Guide::ABSENT unless Guide.here? }

  around do |example|
    AppBuilder.copy(AppBuilder.guide) do |app|
      RAAF::Testing::ModelServer.start do |model|
        @app, @model = app, model
        @server = AppServer.new(app, env: {"OPENAI_BASE_URL" => model.base_url, "OPENAI_API_KEY" => "sk-none"})
        example.run
      ensure
        puts @server.logs if example.exception && @server
        Browser.close(@page) if @page
        @server&.stop
      end
    end
  end

  def ask(question)
    @page.fill_in("message-input", with: question)
    @page.click_button("send-button")
  end

  it "is loaded by the next request, which does not wait for the answer, and answers the next question" do
    @model.script(deltas: ["Half of it."], keep_open: true, finish_reason: nil, done: false)
    @model.script(deltas: ["By the new one."])
    @page = Browser.open(@server.url)
    @page.visit("/sign_in/1")
    @page.assert_selector("#send-button")
    ask("One?")
    @page.assert_selector(".agent-response.streaming", text: "Half of it.")

    @app.replace("app/services/agent_service.rb", "You speak with", "You now speak with")
    @page.visit("/chat")
    @page.assert_selector(".agent-response.streaming", text: "Half of it.") # it is the new page, and it listens
    ask("Two?")
    @page.assert_selector(".agent-response.complete", text: "By the new one.")
    said = @model.requests.map { |request| request.json[:messages].first[:content].lines.first.chomp }
    expect(said).to eq(["You speak with User 1.", "You now speak with User 1."])
  end
end
