# frozen_string_literal: true

require "raaf/testing"
require_relative "support/javascript_apps"

# An application for each way in which JavaScript gets to the browser: generated, the guide's files pasted into it, and
# driven. Those that need npm are run by `bin/test --deep`.
RSpec.describe "The guide's page" do
  words = Array.new(60) { |i| "word#{i}" }

  {importmap: false, esbuild: true, vite: true}.each do |way, deep|
    context "when #{way} brings it to the browser", deep: deep do
      before(:context) do
        next unless Guide.here?

        missing = JavaScriptApps.missing(way)
        raise missing if missing

        @model = RAAF::Testing::ModelServer.start
        @server = AppServer.new(JavaScriptApps.guide(way),
          env: {"OPENAI_BASE_URL" => @model.base_url, "OPENAI_API_KEY" => "sk-none"})
      end

      after(:context) do
        @server&.stop
        @model&.stop
      end

      before do
        skip Guide::ABSENT unless Guide.here?
        @page = Browser.open(@server.url)
        @page.visit("/sign_in/1")
      end

      after do |example|
        puts @server.logs if example.exception && @server
        Browser.close(@page) if @page
      end

      def ask(question)
        @page.fill_in("message-input", with: question)
        @page.click_button("send-button")
      end

      it "shows two answers, each in its own element, and that a tool is used" do
        @model.script(deltas: words.map { |word| "#{word} " }, delay: 0.002)
        @model.script(tool_calls: [{name: "weather", id: "call_1", arguments: {city: "Rome"}}])
        @model.script(deltas: ["It is blue."])
        ask("One?")
        @page.assert_selector("#chat-container .agent-response.complete", text: "word58 word59", count: 1)
        ask("Rome?")
        @page.assert_selector("#chat-container .agent-response.complete", text: "It is blue.")
        @page.assert_selector(".tool-indicator", text: "weather")

        expect(@page.all(".agent-response").map(&:text)).to eq([words.join(" "), "It is blue."])
        path = "app/javascript/streaming_chat.js"
        expect(@server.app.read(path)).to eq(Guide.file(path))
      end
    end
  end
end
