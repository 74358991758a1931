# frozen_string_literal: true

require "raaf/testing"
require_relative "../http_client"

RSpec.describe RAAF::Testing::ModelServer, "without a script" do
  include HTTPClient

  let(:server) { described_class.start.default_script(**demo) }
  let(:demo) { {demo: true, delay: 0, first_delay: 0} }

  after { server.stop }

  def ask_for(prompt, **options)
    post(server, body: {model: "m", stream: true, messages: [{role: "user", content: prompt}]}.merge(options))
  end

  it "answers any prompt with text, usage and [DONE]" do
    response = ask_for("Tell me a story about a fox")

    text = content(response.body)
    expect(text).to include("fox")
    expect(text.split.size).to be_between(60, 120)
    expect(events(response.body)[-2][:usage]).to include(completion_tokens: deltas(response.body).size - 2)
    expect(events(response.body).last).to eq(:done)
  end

  it "says the same for the same prompt, and something else for another" do
    texts = ["Hi", "Hi", "Hello"].map { |prompt| content(ask_for(prompt).body) }

    expect(texts[0]).to eq(texts[1])
    expect(texts[0]).not_to eq(texts[2])
  end

  it "takes a prompt made of parts" do
    response = ask_for([{type: "text", text: "Write about"}, {type: "image_url"}, {type: "text", text: "owls"}])

    expect(content(response.body)).to include("owls")
  end

  it "answers with one JSON object where it is asked to" do
    streamed = content(ask_for("Hi").body)
    whole = JSON.parse(ask_for("Hi", stream: false).body)

    expect(whole.dig("choices", 0, "message", "content")).to eq(streamed)
  end

  it "stops at the request's limit" do
    response = ask_for("Hi", max_tokens: 5)

    expect(deltas(response.body).size).to eq(7)
    expect(events(response.body)[-3].dig(:choices, 0, :finish_reason)).to eq("length")
  end

  it "keeps the connection and goes on with the next request" do
    Net::HTTP.start("127.0.0.1", server.port) do |http|
      bodies = Array.new(2) { http.post("/v1/chat/completions", '{"messages":[{"role":"user","content":"Hi"}]}').body }
      expect(bodies.map { |body| content(body) }.uniq.size).to eq(1)
    end
    expect(server.connections).to eq(1)
    expect(server.requests).to all(be_finished)
  end

  it "refuses what is no conversation" do
    answers = [post(server, body: "{"), post(server, body: {model: "m"}), post(server, body: {messages: ["Hi"]})]

    expect(answers.map(&:code)).to eq(%w[400 400 400])
    expect(Net::HTTP.get_response(URI("#{server.base_url}/chat/completions")).code).to eq("405")
  end

  it "streams to many clients at a time" do
    bodies = Array.new(30) { |number| Thread.new { ask_for("Number #{number}").body } }.map(&:value)

    expect(bodies.map { |body| events(body).last }.uniq).to eq([:done])
  end

  context "with a number of tokens" do
    let(:demo) { {demo: true, tokens: 300, delay: 0, first_delay: 0} }

    it "sends exactly so many deltas" do
      contents = deltas(ask_for("Hi").body).filter_map { |delta| delta[:content] }

      expect(contents.size).to eq(301) # the role's is empty
      expect(contents.drop(1)).to all(match(/\S/))
    end
  end

  context "with a pace" do
    let(:demo) { {demo: true, tokens: 5, delay: 0.02, first_delay: 0.05} }

    it "keeps it" do
      ask_for("Hi")

      request = server.requests.first
      times = request.writes.map { |write| write[:at] - request.received_at }
      expect(times.first).to be >= 0.05
      expect(times[5]).to be >= 0.05 + (4 * 0.02)
    end
  end
end
