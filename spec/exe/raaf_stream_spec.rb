# frozen_string_literal: true

require "raaf/streaming/version"
require_relative "command"

RSpec.describe "raaf-stream" do
  include Command

  it "shows its commands" do
    out, err, status = run_command("--help")

    expect(out).to include("serve", "chat")
    expect([err, status]).to eq(["", 0])
  end

  it "shows its version" do
    expect(run_command("--version")).to eq(["raaf-stream #{RAAF::Streaming::VERSION}\n", "", 0])
  end

  it "says how it is used where the command is missing or unknown" do
    {[] => "Usage: raaf-stream", ["sing"] => "raaf-stream: unknown command sing\n\nUsage: raaf-stream"}
      .each do |arguments, beginning|
        out, err, status = run_command(*arguments)
        expect([out, status]).to eq(["", 2])
        expect(err).to start_with(beginning)
      end
  end

  it "shows a command's options" do
    out, _, status = run_command("serve", "--help")

    expect(out).to include("--tokens", "--first-delay", "--port")
    expect(status).to eq(0)
  end

  {
    "an unknown option" => ["serve", "--colour"],
    "a number out of range" => ["serve", "--tokens", "0"],
    "a word where a number belongs" => ["serve", "--delay", "slow"],
    "an argument too many" => ["serve", "now"],
    "an address others could reach" => ["serve", "--host", "0.0.0.0"]
  }.each do |what, arguments|
    it "refuses #{what} in one line, with status 2" do
      out, err, status = run_command(*arguments)

      expect([out, status]).to eq(["", 2])
      expect(err).to match(/\Araaf-stream: [^\n]+\n\z/)
    end
  end
end
