# frozen_string_literal: true

require "active_support"
require "active_support/notifications"
require "timeout"

# Failures before anything of an answer came. What counts is what the two servers saw, and what was handed over.
RSpec.describe RAAF::Streaming::ResilientRunner do
  include_context "with a backup server"

  # @return [Float] seconds between two requests of the server
  def gap(number = 1)
    first, second = server.requests.values_at(number - 1, number)
    second.received_at - first.received_at
  end

  def subscribed(name)
    heard = []
    subscription = ActiveSupport::Notifications.subscribe(name) { |*, payload| heard << payload }
    yield
    heard
  ensure
    ActiveSupport::Notifications.unsubscribe(subscription)
  end

  it "is a Runner by inheritance alone, as the guide's" do
    expect(described_class.superclass).to equal(RAAF::Streaming::Runner)
  end

  it "is as any other where nothing fails", :backends do
    server.script(**answer)

    run = ask
    expect(run.types).to eq(%i[content content complete])
    expect(run.chunks).to be_a_proper_sequence
    expect(run.result).to have_attributes(success?: true, failed?: false, text: "Hello", attempts: 1, model: "gpt-4o")
    expect(backup.connections).to eq(0)
  end

  it "answers without a block too" do
    server.script(status: 500)
    backup.script(**answer)

    expect(resilient.run_and_stream("Hi").text).to eq("Hello")
  end

  describe "after a rate limit" do
    it "asks the same provider again, after a delay that doubles", :backends do
      2.times { server.script(status: 429) }
      server.script(**answer)

      run = ask(retry_delay: 0.05)
      expect(run.words).to eq(["Rate limited. Retrying in 0.05s...", "Rate limited. Retrying in 0.1s..."])
      expect(run.result).to have_attributes(text: "Hello", attempts: 3, error: nil)
      expect(run.chunks).to be_a_proper_sequence
      expect([gap(1), gap(2)]).to match([be >= 0.05, be >= 0.1])
      expect(backup.connections).to eq(0)
    end

    it "announces it by an error chunk that is not the last, with all that is known" do
      server.script(status: 429).script(**answer)

      notice = ask(retry_delay: 0.05).chunks.first
      expect(notice).to have_attributes(type: :error, terminal?: false, seq: 1, retry_after: 0.05, cumulative: "",
        error: notice.delta, exception: be_a(RAAF::Errors::RateLimitError))
      expect(notice.metadata).to eq(stream_id: notice.stream_id, seq: 1, retry_count: 1, delay: 0.05, reason: "429",
        mode: :again, provider: "openai", model: "gpt-4o")
      expect(notice).to be_frozen
    end

    it "says whole seconds as the guide does" do
      server.script(status: 429)
      stream = resilient.stream("Hi", retry_delay: 1)
      expect(stream.first.delta).to eq("Rate limited. Retrying in 1s...")
    end

    it "waits for as long as the provider asks for, where that is longer" do
      server.script(status: 429, headers: {"retry-after-ms" => "80"}).script(**answer)

      run = ask
      expect(run.words).to eq(["Rate limited. Retrying in 0.08s..."])
      expect(gap).to be >= 0.08
    end

    it "asks another one at once where the provider asks for more than max_retry_delay" do
      server.script(status: 429, headers: {"retry-after" => "3600"})
      backup.script(**answer)

      run = ask
      expect(run.words).to eq(["Rate limited. Switching to backup..."])
      expect(run.result.text).to eq("Hello")
    end

    it "asks another one at once where the quota is used up" do
      server.script(status: 429, body: {error: {message: "Pay", code: "insufficient_quota"}})
      backup.script(**answer)

      expect(ask.result).to have_attributes(text: "Hello", model: "gpt-backup")
    end

    it "returns a failed result when the retries are used up, and raises nothing" do
      server.default_script(status: 429, headers: {"x-request-id" => "req_1"}, repeat: true)

      run = ask(max_retries: 2)
      expect(run.error).to be_nil
      expect(run.words.last).to eq("Max retries exceeded. Please try again later.")
      expect(run.chunks.last).to have_attributes(terminal?: true, error: run.words.last,
        exception: run.result.error, metadata: include(retry_count: 2))
      expect(run.chunks).to be_a_proper_sequence
      expect(run.result).to have_attributes(failed?: true, success?: false, text: "", finish_reason: "error",
        error: be_a(RAAF::Errors::RateLimitError), messages: [{role: "user", content: "Hi"}], model: "gpt-4o",
        provider: "openai", attempts: 3)
      expect(server.requests.size).to eq(3)
    end

    it "does not wait longer than max_retry_delay, however often it has doubled" do
      4.times { server.script(status: 429) }
      server.script(**answer)

      run = ask(max_retries: 4, retry_delay: 0.01, max_retry_delay: 0.02)
      expect(run.chunks.select(&:error?).map(&:retry_after)).to eq([0.01, 0.02, 0.02, 0.02])
    end
  end

  describe "after a failure of the provider's" do
    {"HTTP 500" => {status: 500}, "an overload" => {status: 529},
     "a connection that is cut" => {fault: :cut, after: :request},
     "a connection that is reset" => {fault: :reset, after: :request},
     "one that is cut in the headers" => {raw: "HTTP/1.1 200 OK\r\nContent-Ty"},
     "an error in the stream" => {deltas: [], error: {message: "No luck", type: "server_error"}},
     "a stream that ends before it says anything" => {deltas: [], finish_reason: nil, done: false},
     "an answer that is none" => {status: 200, content_type: "text/html", body: "<html>"}}.each do |what, script|
      it "asks a backup at once: #{what}" do
        server.script(**script)
        backup.script(**answer)

        run = ask(retry_delay: 600)
        expect(run.words).to eq(["Provider error. Switching to backup..."])
        expect(run.result).to have_attributes(text: "Hello", model: "gpt-backup", provider: "openai", error: nil)
        expect(run.chunks).to be_a_proper_sequence
        expect([server, backup].map { |one| one.requests.size }).to eq([1, 1])
      end
    end

    it "asks a backup where the model stays silent" do
      server.script(**no_answer)
      backup.script(**answer)

      expect(ask(first_token_timeout: 0.1).result.text).to eq("Hello")
      server.wait_for_close(server.requests.first)
    end

    it "asks a backup where nobody answers at the address" do
      port = TCPServer.open("127.0.0.1", 0) { |socket| socket.local_address.ip_port }
      backup.script(**answer)
      dead = RAAF::Models::OpenAIProvider.new(api_key: "key", base_url: "http://127.0.0.1:#{port}/v1")

      expect(ask(provider: dead).result.text).to eq("Hello")
    end

    it "asks in the backup's own format, with its key and its model" do
      server.script(status: 500)
      backup.script(**answer)
      claude = RAAF::Models::AnthropicProvider.new(api_key: "claude-key", base_url: backup.base_url)

      run = ask(resilient(backup_providers: [[claude, "claude-test"]]))
      request = backup.requests.first
      expect(request.path).to eq("/v1/messages")
      expect(request.headers).to include("x-api-key" => "claude-key").and not_include("authorization")
      expect(request.json)
        .to include(model: "claude-test", system: "Be brief.", messages: [{role: "user", content: "Hi"}])
      expect(run.result).to have_attributes(provider: "anthropic", model: "claude-test", text: "Hello")
    end

    it "keeps what the agent sends for its own provider from another one" do
      agent.temperature = 0.5
      agent.extra_headers = {"X-Secret" => "mine"}
      agent.extra_body = {service_tier: "flex"}
      server.script(status: 500).script(**answer)
      backup.script(status: 500)
      claude = RAAF::Models::AnthropicProvider.new(api_key: "key", base_url: backup.base_url)

      ask(resilient(backup_providers: [[provider_of(server), "gpt-other"], [claude, "claude-3-5-haiku-latest"]]))
      expect(server.requests.map(&:headers)).to all(include("x-secret" => "mine"))
      expect(server.requests.last.json).to include(model: "gpt-other", service_tier: "flex", temperature: 0.5)
      expect(backup.requests.first.headers).not_to include("x-secret")
      expect(backup.requests.first.json).to include(temperature: 0.5).and not_include(:service_tier)
    end

    it "keeps that from another address of the same provider's too" do
      agent.extra_headers = {"X-Secret" => "mine"}
      server.script(status: 500)
      backup.script(**answer)

      expect(ask.result.text).to eq("Hello")
      expect(backup.requests.first.headers).not_to include("x-secret")
    end

    it "leaves out a backup that has no address" do
      server.script(status: 500).script(**answer)
      nowhere = RAAF::Streaming::Providers::ChatCompletions.new(api_key: "key", name: "nowhere")

      without_log do |log|
        expect(ask(resilient(backup_providers: [[nowhere, "m"]])).result.text).to eq("Hello")
        expect(log.string).to match(/nowhere cannot be asked: no address for nowhere/)
      end
    end

    it "asks backups in their order, another server before the same one with another model" do
      RAAF::Testing::ModelServer.start do |third|
        [backup, third].each { |one| one.script(status: 500) }
        server.script(status: 500).script(**answer)
        run = ask(resilient(backup_providers: [[provider_of(server), "gpt-other"], [provider_of(backup), "b"],
          [provider_of(third), "c"]]))

        expect(run.words).to eq(["Provider error. Switching to backup..."] * 3)
        expect(run.result.model).to eq("gpt-other")
        expect(run.chunks.select(&:error?).map { |chunk| chunk.metadata[:model] }).to eq(%w[b c gpt-other])
      end
    end

    it "waits before it asks somebody again" do
      [server, backup].each { |one| one.default_script(status: 500, repeat: true) }

      run = ask(max_retries: 4)
      expect(run.words).to eq(["Provider error. Switching to backup...", "Provider error. Retrying in 0.02s...",
        "Provider error. Retrying in 0.04s...", "Provider error. Retrying in 0.08s...",
        "All providers failed. Please try again later."])
      expect([server, backup].map { |one| one.requests.size }).to eq([3, 2])
      expect(run.result).to have_attributes(failed?: true, error: be_a(RAAF::Errors::ServerError), attempts: 5)
      expect(gap).to be >= 0.02
    end

    it "asks the same one after a delay, where there is no other" do
      server.script(status: 503).script(**answer)

      run = ask(resilient(backup_providers: []))
      expect(run.words).to eq(["Provider error. Retrying in 0.01s..."])
      expect(run.result.text).to eq("Hello")
    end

    it "does not ask the same one again where that is of no use" do
      server.script(status: 200, content_type: "text/html", body: "<html>")

      run = ask(resilient(backup_providers: []))
      expect(run.words).to eq(["All providers failed. Please try again later."])
      expect(run.result.error).to be_a(RAAF::Errors::ProtocolError)
    end

    it "leaves out a backup that is not set up, and says so in the log" do
      server.script(status: 500)
      backup.script(**answer)
      stub_const("ENV", ENV.to_h.except("GROQ_API_KEY"))

      without_log do |log|
        run = ask(resilient(backup_providers: [RAAF::Models::GroqProvider, [provider_of(backup), "b"]]))
        expect(run.result).to have_attributes(text: "Hello", model: "b")
        expect(log.string).to match(/groq cannot be asked: no API key for groq/)
      end
    end

    it "changes neither the agent nor the next run" do
      agent.provider = provider_of(server)
      server.script(status: 500).script(**answer("first again"))
      backup.script(**answer)
      runner = described_class.new(agent: agent, backup_providers: [[provider_of(backup), "b"]])

      expect(runner.run_and_stream("Hi").text).to eq("Hello")
      expect(agent).to have_attributes(provider: equal(agent.provider), model: "gpt-4o")
      expect(runner.run_and_stream("Hi").text).to eq("first again")
    end
  end

  describe "after anything else" do
    {401 => RAAF::Errors::AuthenticationError, 400 => RAAF::Errors::InvalidRequestError,
     404 => RAAF::Errors::NotFoundError}.each do |status, error_class|
      it "says that it is unexpected, and raises: HTTP #{status}" do
        server.script(status: status)

        run = ask
        expect(run.error).to be_a(error_class)
        expect(run.chunks.size).to eq(1)
        expect(run.chunks.first).to have_attributes(delta: "Unexpected error: #{run.error.message}", terminal?: true,
          exception: run.error, metadata: include(retry_count: 0))
        expect([server, backup].map { |one| one.requests.size }).to eq([1, 0])
      end
    end

    it "asks once more where a server wants that: HTTP 409" do
      server.script(status: 409).script(**answer)

      run = ask
      expect(run.words).to eq(["Provider error. Retrying in 0.01s..."])
      expect(run.result.text).to eq("Hello")
      expect(backup.connections).to eq(0)
    end

    it "passes on what the block raises, and asks nobody again" do
      server.script(**silence_after("Hel"))

      expect { ask { raise "mine" } }.to raise_error(RuntimeError, "mine")
      server.wait_for_close(server.requests.first)
      expect([server, backup].map { |one| one.requests.size }).to eq([1, 0])
    end

    it "raises before anything is sent what is wrong with the call" do
      expect { resilient.run_and_stream(42) }.to raise_error(ArgumentError)
      expect { resilient.run_and_stream("Hi", max_retries: -1) }
        .to raise_error(RAAF::Errors::ConfigurationError, /max_retries/)
      expect { resilient(after_content: :guess) }.to raise_error(ArgumentError, /after_content/)
      expect { resilient(backup_providers: ["gpt"]) }.to raise_error(ArgumentError, /backup_providers/)
      expect { resilient(circuit_breaker: {failure_threshold: 0}) }.to raise_error(ArgumentError)
      expect { resilient(idle_timeout: -1) }.to raise_error(RAAF::Errors::ConfigurationError, /idle_timeout/)
      expect([server, backup].map(&:connections)).to eq([0, 0])
    end
  end

  it "takes the options of its constructor for a single call too" do
    server.script(status: 500)
    backup.script(**answer)
    run = ask(resilient(backup_providers: [], max_retries: 0), max_retries: 1,
      backup_providers: [[provider_of(backup), "b"]])

    expect(run.result.model).to eq("b")
  end

  it "sends no request twice by the native retries" do
    server.script(status: 500)

    expect(ask(resilient(backup_providers: []), max_retries: 0).result).to be_failed
    expect(server.requests.size).to eq(1)
  end

  it "keeps the failed answer's words in the conversation store, and goes on from there" do
    store = RAAF::Streaming::ConversationStore.new
    server.script(**broken(%w[One two], after: 1)).script(**answer)
    runner = resilient(conversation_store: store, session_id: "42")

    expect(ask(runner).result).to be_failed
    expect(store.messages("42").map { |message| message[:content] }).to eq(%w[Hi One])
  end

  describe "in a later turn" do
    let(:runs) { [] }
    let(:call) { {tool_calls: [{name: "weather", id: "call_1", arguments: {city: "Rome"}}]} }

    before do
      agent.add_tool(->(city:) { runs << city && "rain" }, name: "weather",
        parameters: {type: "object", properties: {city: {type: "string"}}})
    end

    it "asks for the failed turn alone, and runs no tool twice" do
      server.script(**answer("Let me see. "), **call).script(status: 500)
      backup.script(**answer("Rain."))

      run = ask
      expect(run.types).to include(:tool_call, :tool_result).and end_with(:error, :content, :complete)
      expect(run.chunks).to be_a_proper_sequence
      expect(run.result).to have_attributes(text: "Let me see. Rain.", turns: 2)
      expect(runs).to eq(["Rome"])
      expect(backup.requests.first.json[:messages].map { |message| message[:role] })
        .to eq(%w[system user assistant tool])
    end

    it "stays with the backup for the turns that follow" do
      server.script(status: 500)
      backup.script(**call).script(**answer("Rain."))

      expect(ask.result).to have_attributes(text: "Rain.", model: "gpt-backup")
      expect([server, backup].map { |one| one.requests.size }).to eq([1, 2])
    end

    it "gives the words of the first turn back where the second is given up" do
      server.script(**answer("Let me see."), **call)
      server.default_script(status: 401, repeat: true)

      run = ask
      expect(run.error).to be_a(RAAF::Errors::AuthenticationError).and have_attributes(partial_text: "Let me see.")
    end
  end

  describe "as a handle" do
    it "goes on for callbacks, and has a failed result", :backends do
      server.script(status: 429).script(status: 500)
      backup.script(**answer)
      heard = Queue.new
      stream = resilient.stream("Hi").on { |chunk| heard << chunk }

      expect(stream.result.text).to eq("Hello")
      chunks = Array.new(heard.size) { heard.pop }
      expect(chunks.map(&:type)).to eq(%i[error error content content complete])
      expect(chunks).to be_a_proper_sequence
      expect(stream.status).to eq(:complete)
    end

    it "says by its status that it has failed, and raises nothing" do
      server.default_script(status: 429, repeat: true)
      stream = resilient.stream("Hi", max_retries: 1)

      expect(stream.each { |chunk| chunk }).to equal(stream)
      expect(stream.status).to eq(:failed)
      expect(stream.result).to be_failed
    end

    it "can be redirected while it waits" do
      server.script(status: 429).script(**answer)
      stream = resilient.stream("Hi", retry_delay: 600)
      taking = take(stream)
      taking.next_chunk
      stream.redirect("Shorter")

      expect(taking.types).to eq(%i[error status content content complete])
      expect(asked(server, 2)).to eq([%w[user Hi], %w[user Shorter]])
    end
  end

  describe "while it waits" do
    let(:waiting) { resilient(retry_delay: 600) }

    before { server.default_script(status: 429, repeat: true) }

    def expect_nothing_more
      until_idle
      expect([server, backup].map { |one| one.requests.size }).to eq([1, 0])
    end

    it "is ended by cancel, at once", :backends do
      stream = waiting.stream("Hi")
      taking = take(stream)
      taking.next_chunk
      until_asleep(taking.thread)
      stream.cancel

      expect(taking.types).to eq(%i[error error])
      expect(taking.error).to be_a(RAAF::Errors::CancelledError)
      expect(taking.chunks).to be_a_proper_sequence
      expect(taking.chunks.last.delta).to eq(taking.error.message)
      expect_nothing_more
    end

    it "is ended by cancel also where the failure has come, and nobody has taken it yet" do
      stream = waiting.stream("Hi")
      server.wait_for_request
      until_idle
      stream.cancel

      expect { stream.result }.to raise_error(RAAF::Errors::CancelledError)
      expect(stream.status).to eq(:cancelled)
      expect_nothing_more
    end

    it "is ended by Timeout", :backends do
      expect { Timeout.timeout(0.3) { waiting.run_and_stream("Hi") { |chunk| chunk } } }.to raise_error(Timeout::Error)
      expect_nothing_more
    end

    it "keeps its place among the streams of the process" do
      server.script(status: 429)
      server.default_script(deltas: ["Whole"], repeat: true)
      limits = {max_concurrent_streams: 1, stream_queue_timeout: 300}
      stream = resilient(retry_delay: 0.3, **limits).stream("First")
      server.wait_for_request
      behind = resilient(**limits).stream("Second")

      expect([stream, behind].map { |one| one.result.text }).to eq(%w[Whole Whole])
      expect(server.requests.map { |one| one.json[:messages].last[:content] }).to eq(%w[First First Second])
    end

    it "is ended by leaving the block" do
      expect(waiting.run_and_stream("Hi") { |chunk| break chunk.delta }).to eq("Rate limited. Retrying in 600s...")
      expect_nothing_more
    end

    it "is ended by Thread#kill" do
      thread = Thread.new { waiting.run_and_stream("Hi") { |chunk| chunk } }
      server.wait_for_request
      until_asleep(thread)
      thread.kill.join
      expect_nothing_more
    end

    it "holds no other fiber up", valgrind: false do
      require "async"
      server.default_script(repeat: true) do |request, response|
        response.start(429, {}) && response.finish if request.json[:messages].last[:content] == "limited"
        next if request.json[:messages].last[:content] == "limited"

        response.start(200, "content-type" => "text/event-stream")
        response.event({choices: [{index: 0, delta: {content: "Hello"}, finish_reason: "stop"}]}).event("[DONE]")
      end
      texts = Sync do
        limited = Async { waiting.run_and_stream("limited") { |chunk| break chunk.delta if chunk.terminal? } }
        other = Async { waiting.run_and_stream("Hi").text }
        other.wait.tap { limited.stop }
      end
      expect(texts).to eq("Hello")
      until_idle
    end

    it "gives its first chunks to a wait with a time limit, and the rest to whoever comes later" do
      server.clear_scripts.script(status: 429).script(**answer)
      stream = resilient(retry_delay: 0.3).stream("Hi")
      expect(stream.wait(0.1)).to be_nil

      chunks = stream.to_a
      expect(chunks.map(&:type)).to eq(%i[error content content complete])
      expect(chunks).to be_a_proper_sequence
    end
  end

  it "tells subscribers of each attempt, and no word of the conversation" do
    server.script(status: 429).script(status: 500)
    backup.script(**answer)
    reports = subscribed("retry.raaf") { ask(resilient, "a private question", retry_delay: 0.02) }

    expect(reports).to match([
      {stream_id: be_a(String), provider: "openai", model: "gpt-4o", error: "RAAF::Errors::RateLimitError",
       reason: "429", attempt: 1, delay: 0.02, mode: :again, next_provider: "openai", next_model: "gpt-4o"},
      {stream_id: reports.first[:stream_id], provider: "openai", model: "gpt-4o", error: "RAAF::Errors::ServerError",
       reason: "500", attempt: 2, delay: 0, mode: :again, next_provider: "openai", next_model: "gpt-backup"}
    ])
    expect(reports.to_s).not_to include("private")
  end

  describe "by default" do
    def backups(**environment)
      stub_const("ENV", ENV.to_h.except("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "GROQ_API_KEY").merge(environment))
      RAAF::Streaming::Resilience::Backup.list(nil).map { |backup| [backup.provider.name, backup.model("gpt-4o")] }
    end

    it "has the guide's backups, as far as there are keys for them, with models of their own" do
      expect(backups).to eq([])
      expect(backups("GROQ_API_KEY" => "k")).to eq([["groq", "openai/gpt-oss-120b"]])
      expect(backups("GROQ_API_KEY" => "k", "ANTHROPIC_API_KEY" => "k"))
        .to eq([%w[anthropic claude-sonnet-5], ["groq", "openai/gpt-oss-120b"]])
    end

    it "asks them" do
      server.script(status: 500)
      backup.script(**answer)
      stub_const("ENV", ENV.to_h.except("GROQ_API_KEY", "ANTHROPIC_AUTH_TOKEN")
        .merge("ANTHROPIC_API_KEY" => "k", "ANTHROPIC_BASE_URL" => backup.base_url))
      runner = described_class.new(agent: agent, provider: provider_of(server))

      expect(ask(runner).result).to have_attributes(provider: "anthropic", model: "claude-sonnet-5", text: "Hello")
    end

    it "does not ask the provider that has failed for another of its models" do
      server.default_script(status: 500, repeat: true)
      stub_const("ENV", ENV.to_h.except("GROQ_API_KEY").merge("ANTHROPIC_API_KEY" => "k",
        "ANTHROPIC_BASE_URL" => server.base_url))
      agent.model = "claude-test"
      runner = described_class.new(agent: agent, retry_delay: 0.01, max_retries: 1)

      expect(ask(runner).result).to be_failed
      expect(server.requests.map { |request| request.json[:model] }).to eq(%w[claude-test claude-test])
    end
  end

  it "retries a mock's errors as any other" do
    mock = RAAF::Testing::MockProvider.new
    mock.add_streaming_error(RAAF::Errors::RateLimitError.new("Slow down"))
    mock.add_streaming_response(chunks: %w[Hel lo])

    run = ask(provider: mock)
    expect(run.words).to eq(["Rate limited. Retrying in 0.01s..."])
    expect(run.result.text).to eq("Hello")
  end

  it "counts the attempts of a handoff's agent anew, and asks its own provider" do
    other = RAAF::Agent.new(name: "Other", model: "gpt-other", provider: provider_of(backup))
    agent.add_handoff(other)
    agent.provider = provider_of(server)
    server.script(tool_calls: [{name: "transfer_to_other", id: "call_1", arguments: {}}])
    backup.script(status: 500).script(**answer)
    runner = described_class.new(agent: agent, backup_providers: [], retry_delay: 0.01)

    run = ask(runner)
    expect(run.words).to eq(["Provider error. Retrying in 0.01s..."])
    expect(run.result).to have_attributes(text: "Hello", model: "gpt-other")
  end
end
