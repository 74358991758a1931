# frozen_string_literal: true

require "active_support"
require "active_support/notifications"

RSpec.describe "What a run tells of itself at its end" do
  include_context "with a model server"

  # @return [Array<Hash>] the payloads
  def told(name, &block)
    heard = Queue.new
    subscriber = ->(_, _, _, _, payload) { heard << payload }
    ActiveSupport::Notifications.subscribed(subscriber, "#{name}.raaf", &block)
    Array.new(heard.size) { heard.pop }
  end

  it "is how it went and what it cost" do
    server.script(deltas: %w[a b], usage: {prompt_tokens: 3, completion_tokens: 2})
    payloads = told("stream") { runner.run_and_stream("Hi", session_id: "s", user_id: 7) }

    expect(payloads).to contain_exactly(a_hash_including(status: :complete, error: nil, session_id: "s", user_id: 7,
      provider: "openai", model: "gpt-4o", turns: 1, stream_id: String, duration: Float, first_token: Float,
      usage: a_hash_including(prompt_tokens: 3, completion_tokens: 2)))
  end

  it "has no word of the conversation" do
    server.script(deltas: ["secret answer"])
    server.script(status: 400, body: {error: {message: "secret question is bad"}})
    payloads = told("stream") do
      runner.run_and_stream("secret question")
      expect { runner.run_and_stream("secret question") }.to raise_error(RAAF::Errors::InvalidRequestError)
    end

    expect(payloads.map { |payload| payload[:status] }).to eq(%i[complete failed])
    expect(payloads.inspect).not_to include("secret")
  end

  it "comes once, however it ends" do
    endings = {
      ["failed", "RAAF::Errors::InvalidRequestError"] => lambda do
        server.script(status: 400)
        runner.stream("Hi").wait(20)
      end,
      ["cancelled", "RAAF::Errors::CancelledError"] => lambda do
        server.script(**silence_after("a"))
        runner.run_and_stream("Hi") { break }
      end,
      ["failed", "RuntimeError"] => lambda do
        allow(RAAF::Streaming.logger).to receive(:error)
        server.script(deltas: %w[a b])
        runner.stream("Hi").on { raise "mine" }.wait(20)
      end
    }
    endings.each do |(status, error), run|
      expect(told("stream", &run)).to contain_exactly(a_hash_including(status: status.to_sym, error: error))
    end
  end

  it "comes for each tool" do
    server.script(tool_calls: [{name: "good", id: "1", arguments: {}}, {name: "bad", id: "2", arguments: {}}])
    server.script(deltas: %w[done])
    tools = [RAAF::Streaming::Tool.new(name: "good") { "secret" },
      RAAF::Streaming::Tool.new(name: "bad") { raise IOError, "secret" }]
    provider = RAAF::Models::OpenAIProvider.new(api_key: "test", base_url: server.base_url)
    agent = RAAF::Agent.new(name: "A", model: "gpt-4o", tools: tools, provider: provider)
    result = nil
    payloads = told("tool_call") { result = RAAF::Streaming::AsyncRunner.new(agent: agent).run_and_stream("Hi") }

    expect(payloads).to contain_exactly(
      a_hash_including(tool_name: "good", tool_id: "1", status: :complete, error: nil, duration: Float),
      a_hash_including(tool_name: "bad", tool_id: "2", status: :failed, error: "IOError", stream_id: result.stream_id)
    )
    expect(payloads.inspect).not_to include("secret")
  end

  it "is each chunk, for those who asked for that before it began, and no word of it" do
    server.script(deltas: %w[secret se])
    payloads = told("chunk") { runner.run_and_stream("Hi") }

    expect(payloads.map { |payload| payload.values_at(:seq, :chunk_type, :size, :terminal) })
      .to eq([[1, :content, 6, false], [2, :content, 2, false], [3, :complete, 0, true]])
    expect(payloads.map { |payload| payload[:stream_id] }.uniq.size).to eq(1)
    expect(payloads.inspect).not_to include("secret")
  end

  it "is each chunk once, whoever takes them" do
    server.script(deltas: %w[a b])
    payloads = told("chunk") do
      stream = runner.stream("Hi")
      stream.on { nil }.on(:content) { nil }
      stream.wait(20)
    end
    expect(payloads.map { |payload| payload[:seq] }).to eq([1, 2, 3])
  end

  it "is another attempt of the native part's" do
    server.script(status: 503)
    server.script(deltas: %w[a])
    payloads = told("retry") { runner.run_and_stream("Hi", max_retries: 1, retry_delay: 0.01) }

    expect(payloads).to contain_exactly(stream_id: String, provider: "openai", model: "gpt-4o", error: nil,
      reason: "503", http_status: 503, attempt: 1, delay: be_between(0, 0.01), mode: :again,
      next_provider: "openai", next_model: "gpt-4o")
  end
end
