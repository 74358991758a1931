# frozen_string_literal: true

require "active_support"
require "active_support/notifications"
require "logger"
require "stringio"
require_relative "../../../../lib/raaf/streaming/rails/log_subscriber"

# Neither needs Rails itself.
RSpec.describe RAAF::Streaming::LogSubscriber do
  let(:log) { StringIO.new }

  around do |example|
    RAAF::Streaming.logger = Logger.new(log, formatter: ->(level, _, _, line) { "#{level}#{line}\n" })
    described_class.attach_to(:raaf)
    example.run
  ensure
    described_class.detach_from(:raaf)
    RAAF::Streaming.logger = nil
  end

  def publish(name, **payload)
    RAAF::Streaming::Notifications.publish(name, **payload)
  end

  it "has a line for another attempt: why, whom, and when" do
    about = {stream_id: "9b2f", provider: "openai", model: "gpt-4o", reason: "429", attempt: 1, delay: 0.5}
    publish("retry", **about, mode: :again, next_provider: "openai", next_model: "gpt-4o")
    publish("retry", **about, mode: :reset, delay: 0, next_provider: "groq", next_model: "llama")

    expect(log.string.lines(chomp: true)).to eq([
      "INFO  Stream 9b2f is asked again in 500 ms: 429 of gpt-4o (openai)",
      "INFO  Stream 9b2f begins anew with llama (groq) in 0 ms: 429 of gpt-4o (openai)"
    ])
  end

  it "has a line for a circuit breaker that changes, a warning where it opens" do
    RAAF::Streaming::CircuitBreaker.new(name: "model").trip.reset
    RAAF::Streaming::CircuitBreaker.new.trip

    expect(log.string.lines(chomp: true)).to eq([
      "WARN  Circuit breaker model closed -> open (by_hand)", "INFO  Circuit breaker model open -> closed (by_hand)",
      "WARN  Circuit breaker closed -> open (by_hand)"
    ])
  end

  it "has a line for a tool, at the level debug" do
    publish("tool_call", tool_name: "look", status: :failed, error: "IOError", duration: 0.25)
    expect(log.string).to eq("DEBUG  Tool look failed (IOError): 250 ms\n")
  end

  it "does not ask to be told of every chunk" do
    expect(RAAF::Streaming::Notifications.listening?("chunk")).to be(false)
    expect(RAAF::Streaming::Notifications.listening?("retry")).to be(true)
  end
end
