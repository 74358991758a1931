# frozen_string_literal: true

RSpec.describe "A new Rails application with the gem in its Gemfile" do
  it "serves pages to a browser" do
    server = AppServer.new(AppBuilder.fresh)
    session = Browser.open(server.url)
    session.visit("/up")

    expect(session.find("body")["style"]).to include("green")
  ensure
    Browser.close(session) if session
    server&.stop
  end
end
