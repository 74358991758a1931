# frozen_string_literal: true

require "raaf/testing"
require_relative "../http_client"

RSpec.describe RAAF::Testing::ModelServer, "at Anthropic's address" do
  include HTTPClient

  let(:server) { described_class.start.default_script(demo: true, delay: 0, first_delay: 0) }

  after { server.stop }

  def ask_for(*messages, path: "/v1/messages", **options)
    body = {model: "claude-sonnet-5", max_tokens: 1000, stream: true, messages: messages, **options}
    post(server, path: path, body: body)
  end

  def said(body)
    events(body).filter_map { |event| event.dig(:delta, :text) }.join
  end

  it "answers in Anthropic's events, in their order" do
    types = events(ask_for({role: "user", content: "Hi"}).body).map { |event| event[:type] }

    expect(types.first(2)).to eq(%w[message_start content_block_start])
    expect(types.last(4)).to eq(%w[content_block_stop message_delta message_delta message_stop])
    expect(types[2..-5].uniq).to eq(%w[content_block_delta])
  end

  it "answers what the user said last, and not the results of tools behind it" do
    story = {role: "user", content: [{type: "text", text: "Tell me a story about a fox"}]}
    result = {role: "user", content: [{type: "tool_result", tool_use_id: "a", content: "owl"}]}

    expect(said(ask_for(story, {role: "assistant", content: "Wait"}, result).body)).to include("fox")
  end

  it "keeps to max_tokens, and says so" do
    body = ask_for({role: "user", content: "Hi"}, max_tokens: 5).body

    expect(events(body).count { |event| event[:type] == "content_block_delta" }).to eq(5)
    expect(body).to include('"stop_reason":"max_tokens"')
  end

  it "answers whole where no stream is asked for" do
    server.script(reasoning: "Hm", deltas: %w[Hel lo], tool_calls: [{id: "a", name: "f"}], usage: true)
    answer = JSON.parse(ask_for({role: "user", content: "Hi"}, stream: false).body, symbolize_names: true)

    expect(answer).to include(type: "message", stop_reason: "tool_use", usage: include(:input_tokens))
    expect(answer[:content].map { |block| block[:type] }).to eq(%w[thinking text tool_use])
  end

  it "refuses in Anthropic's form" do
    server.script(status: 429)
    refusals = [ask_for, ask_for, ask_for({role: "user", content: "Hi"}, path: "/elsewhere/v1/messages")]

    expect(refusals.first(2).map(&:code)).to eq(%w[429 400])
    expect(refusals.first(2).map { |response| JSON.parse(response.body).dig("error", "type") })
      .to eq(%w[rate_limit_error invalid_request_error])
    expect(refusals.last.code).to eq("200")
  end
end
