# frozen_string_literal: true

require "raaf/testing"

# An application that runs, a model server in this process that it asks, and a browser.
RSpec.shared_context "with the guide's application" do
  before(:context) do
    next unless Guide.here?

    @model = RAAF::Testing::ModelServer.start
    asked = {"OPENAI_BASE_URL" => @model.base_url, "OPENAI_API_KEY" => "sk-none"}
    @server = AppServer.new(AppBuilder.guide, env: asked)
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

  # @return [Capybara::Session] another tab
  def open_browser
    Browser.open(server.url).tap { |session| (@sessions ||= []) << session }
  end
end
