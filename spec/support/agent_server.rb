# frozen_string_literal: true

require "raaf/testing"

# Several agents that ask one model server, which answers each as the example says.
module AgentServer
  # Seconds, of a time limit that is to pass for who is silent, and for nobody else.
  A_WHILE = ENV["RAAF_SLOW"] ? 20 : 1

  # @param answers [Hash{Object=>Hash, Array<Hash>}] an agent's name => options of ModelServer#script; several: one for
  #   each request, and the last one for all that follow
  def answer(answers)
    scripts = answers.transform_values do |options|
      [options].flatten.map { |one| RAAF::Testing::ModelServer::Script.build(**one) }
    end
    server.script(repeat: true) do |request, response|
      queue = scripts.fetch(asker(request))
      ((queue.size > 1) ? queue.shift : queue.first).play(request, response)
    end
  end

  # @return [Symbol] whose system message it is
  def asker(request)
    words = request.json[:messages].first[:content]
    words.start_with?("Several agents") ? :synthesizer : words[/\AYou are the (\w+)\./, 1].to_sym
  end

  # What an agent was asked, each time.
  # @return [Array<Array<Array(String, String)>>] role and content of the messages behind the system message
  def asked(name)
    requests = server.requests.select { |request| asker(request) == name }
    requests.map { |request| request.json[:messages].drop(1).map { |one| [one[:role], one[:content]] } }
  end

  def provider
    RAAF::Models::OpenAIProvider.new(api_key: "key", base_url: server.base_url)
  end

  # @return [RAAF::Agent]
  def agent(name, **settings)
    RAAF::Agent.new(name: name.to_s, instructions: "You are the #{name}.", model: "gpt-4o", provider: provider,
      **settings)
  end

  # @return [Hash{Symbol=>RAAF::Agent}]
  def agents(*names)
    names.to_h { |name| [name, agent(name)] }
  end

  # Shuts streaming down while a callback is held, which is then cut off, and logged.
  def cut_off
    callback_fails { RAAF::Streaming.shutdown(timeout: 0.05) }
  end

  # Waits until it is logged that what the block has done has ended a callback.
  def callback_fails
    without_log do |log|
      yield
      eventually("the log") { log.string.include?("a callback of stream") }
    end
  end

  # Has all events of a bus noted at once.
  # @return [Queue] of events
  def record(bus)
    Queue.new.tap { |events| bus.on(:*, delivery: :inline) { |event| events << event } }
  end

  # @param events [Queue]
  # @return [Array<RAAF::Streaming::EventBus::Event>]
  def noted(events)
    Array.new(events.size) { events.pop }
  end
end

RSpec.shared_context "with agents" do
  include_context "with a model server"
  include AgentServer

  around do |example|
    RAAF::Streaming.configure { |config| config.max_retries = 0 }
    example.run
  ensure
    RAAF::Streaming.reset_configuration!
  end
end
