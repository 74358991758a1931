# frozen_string_literal: true

# The circuit breakers in front of the providers. What counts is how many requests the servers saw.
RSpec.describe "A resilient run behind a circuit breaker" do
  include_context "with a backup server"

  # Seconds, on the breakers' clock.
  let(:time) { [0.0] }
  let(:settings) { {failure_threshold: 5, timeout: 60, clock: -> { time.first }} }
  let(:alone) { resilient(backup_providers: [], circuit_breaker: settings, max_retries: 0) }

  # What the breaker in front of the server is like.
  def state(model = "gpt-4o")
    RAAF::Streaming::Resilience::Breakers.all.find { |breaker| breaker.name == "openai/#{model}" }&.state
  end

  def fail_times(number, runner = alone)
    number.times { server.script(status: 500) }
    number.times { expect(ask(runner).result).to be_failed }
  end

  def requests
    [server, backup].map { |one| one.requests.size }
  end

  it "is not sent once five have failed, and lets a probe through after the timeout, which closes it" do
    fail_times(5)
    expect(state).to eq(:open)
    3.times { expect(ask(alone).result.error).to be_a(RAAF::Errors::CircuitOpenError) }
    expect(server.requests.size).to eq(5)

    time[0] = 59.9
    expect(ask(alone).result.error).to be_a(RAAF::Errors::CircuitOpenError)
    time[0] = 60.0
    server.script(**answer).script(**answer)
    expect(ask(alone).result.text).to eq("Hello")
    expect(state).to eq(:closed)
    expect(ask(alone).result.text).to eq("Hello")
    expect(server.requests.size).to eq(7)
  end

  it "opens it again where the probe fails" do
    fail_times(5)
    time[0] = 60.0
    fail_times(1)
    expect(ask(alone).result.error).to be_a(RAAF::Errors::CircuitOpenError)
    expect(server.requests.size).to eq(6)
  end

  it "is answered by a backup at once while it is open" do
    fail_times(5)
    backup.script(**answer)

    run = ask(resilient(circuit_breaker: settings))
    expect(run.words).to eq(["Provider error. Switching to backup..."])
    expect(run.chunks.first.exception).to be_a(RAAF::Errors::CircuitOpenError)
      .and have_attributes(provider: "openai", model: "gpt-4o", retry_after: 60.0)
    expect(run.chunks.first.metadata).to include(reason: "CircuitOpen")
    expect(run.chunks).to be_a_proper_sequence
    expect(run.result.text).to eq("Hello")
    expect(requests).to eq([5, 1])
  end

  it "says so at once where nobody else is there, however many retries there may be" do
    fail_times(5)

    run = ask(alone, max_retries: 5, retry_delay: 600)
    expect(run.chunks.map(&:delta)).to eq(["All providers failed. Please try again later."])
    expect(run.result.error).to be_a(RAAF::Errors::CircuitOpenError).and have_attributes(retry_after: 60.0)
  end

  it "leaves out a backup whose breaker is open" do
    RAAF::Testing::ModelServer.start do |third|
      third.script(**answer)
      5.times { backup.script(status: 500) }
      5.times { ask(alone, provider: provider_of(backup), model: "b") }
      server.script(status: 500)
      run = ask(resilient(circuit_breaker: settings,
        backup_providers: [[provider_of(backup), "b"], [provider_of(third), "c"]]))

      expect(run.words.size).to eq(1)
      expect(run.result.model).to eq("c")
      expect(backup.requests.size).to eq(5)
    end
  end

  it "is of one provider, address and model, for all runners with the same settings" do
    fail_times(3)
    fail_times(2, resilient(backup_providers: [], circuit_breaker: settings, max_retries: 0))
    expect(state).to eq(:open)
    server.default_script(**answer, repeat: true)

    expect(ask(alone, model: "gpt-other").result).to be_success
    expect(ask(alone, circuit_breaker: {failure_threshold: 6}).result).to be_success
    expect(ask(alone, circuit_breaker: false).result).to be_success
    expect(ask(alone).result).to be_failed
  end

  describe "counts only failures of the provider's" do
    {"a rate limit" => {status: 429}, "a bad request" => {status: 400}, "a wrong key" => {status: 401},
     "a conflict" => {status: 409}}.each do |what, script|
      it "and not #{what}" do
        server.default_script(**script, repeat: true)

        10.times { ask(alone) }
        expect(server.requests.size).to eq(10)
        expect(state).to eq(:closed)
      end
    end

    it "and neither an error of the block's nor a cancel" do
      server.default_script(**silence_after("Hel"), repeat: true)

      5.times { expect { alone.run_and_stream("Hi") { raise "mine" } }.to raise_error("mine") }
      5.times { alone.stream("Hi").tap { |stream| stream.each { stream.cancel } rescue RAAF::Errors::CancelledError } } # rubocop:disable Style/RescueModifier
      5.times { alone.run_and_stream("Hi") { break } }
      expect(state).to eq(:closed)
      expect(server.requests.size).to be <= 15
    end

    it "and an answer that broke off" do
      5.times { server.script(**broken(%w[a b], after: 1)) }
      5.times { ask(alone) }
      expect(state).to eq(:open)
    end
  end

  describe "gives the probe back" do
    before do
      fail_times(5)
      time[0] = 60.0
    end

    def expect_another_probe
      server.clear_scripts.script(**answer)
      expect(ask(alone).result.text).to eq("Hello")
    end

    it "where the probe is rate limited" do
      server.script(status: 429)
      ask(alone)
      expect_another_probe
    end

    it "where it is cancelled" do
      server.script(**silence_after("Hel"))
      stream = alone.stream("Hi")
      taking = take(stream)
      taking.next_chunk
      expect(ask(alone).result.error).to be_a(RAAF::Errors::CircuitOpenError)
      stream.cancel
      taking.join
      expect_another_probe
    end

    it "where the block is left" do
      server.script(**silence_after("Hel"))
      alone.run_and_stream("Hi") { break }
      expect_another_probe
    end

    it "where a callback raises" do
      server.script(**silence_after("Hel"))
      without_log do
        expect { alone.stream("Hi").on { raise "mine" }.result }.to raise_error("mine")
      end
      expect_another_probe
    end

    it "where there is no place for its stream" do
      server.script(**silence_after("x"))
      other = runner_for(server.base_url).stream("Hi")
      server.wait_for_request(6)
      expect { alone.run_and_stream("Hi", max_concurrent_streams: 1) }.to raise_error(RAAF::Errors::StreamLimitError)
      other.cancel
      expect { other.result }.to raise_error(RAAF::Errors::CancelledError)
      expect_another_probe
    end

    it "where it is redirected, and asks for another" do
      server.script(**silence_after("Hel")).script(**answer)
      stream = alone.stream("Hi")
      taking = take(stream)
      taking.next_chunk
      stream.redirect("Shorter")

      expect(stream.wait.result.text).to eq("Hello")
      expect(state).to eq(:closed)
    end

    it "where nobody holds the handle any longer" do
      server.script(**silence_after("Hel"))
      Thread.new { alone.stream("Hi") && nil }.join
      server.wait_for_request(6)
      eventually("the collection") do
        Thread.new { Array.new(100) { Object.new } && nil }.join
        GC.start
        RAAF::Streaming::Resilience::Breakers.all.first.allow?
      end
      expect_another_probe
    end
  end

  it "may be one of the application's, for all that is asked" do
    breaker = RAAF::Streaming::CircuitBreaker.new(failure_threshold: 1, timeout: 60)
    server.script(status: 500)

    run = ask(resilient(circuit_breaker: breaker))
    expect(run.words).to eq(["All providers failed. Please try again later."])
    expect(breaker.state).to eq(:open)
    expect(requests).to eq([1, 0])
  end

  it "may come from the application, by provider and model" do
    breakers = Hash.new { |all, key| all[key] = RAAF::Streaming::CircuitBreaker.new(failure_threshold: 1) }
    server.script(status: 500)
    backup.script(**answer)

    ask(resilient(circuit_breaker: ->(provider, model) { breakers[[provider, model]] unless model == "gpt-backup" }))
    expect(breakers.transform_values(&:state)).to eq({%w[openai gpt-4o] => :open})
  end

  it "does not stand in the way of a mock, because of another's errors" do
    5.times do
      mock = RAAF::Testing::MockProvider.new
      mock.add_streaming_error(RAAF::Errors::ServerError.new("No luck"))
      ask(alone, provider: mock)
    end
    mock = RAAF::Testing::MockProvider.new
    mock.add_streaming_response(chunks: %w[Hel lo])

    expect(ask(alone, provider: mock).result.text).to eq("Hello")
  end
end
