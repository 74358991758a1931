# frozen_string_literal: true

require "async"
require "openssl"
require "socket"
require "time"
require "timeout"

# Requests that fail before anything of an answer was delivered, and begin again under the same stream. What counts is
# what the model server saw: how many requests, when, and on which connections.
RSpec.describe "A request that fails before its answer" do
  include_context "with a model server"
  include LifecycleForks

  # All that one run gave: `result` or `error` is nil.
  let(:outcome) { Struct.new(:chunks, :result, :error) }

  # Asks, with delays that no example has to wait for unless the server asks for one.
  def ask(address = server.base_url, **settings)
    chunks = []
    result = runner_for(address, retry_delay: 0.002, **settings).run_and_stream("Hi") do |chunk|
      chunks << chunk
      yield chunk if block_given?
    end
    outcome.new(chunks, result, nil)
  rescue RAAF::Errors::Error => e
    outcome.new(chunks, nil, e)
  end

  # Something that ends in a whole answer, after so many retries.
  def expect_answer(run, retries:)
    expect(run.error).to be_nil
    expect(run.result).to have_attributes(final_output: "Hello", attempts: retries + 1)
    expect(run.chunks.map(&:type)).to eq([:status] * retries + %i[content content complete])
    expect(run.chunks).to be_a_proper_sequence
  end

  # Something that ends at once, with one attempt and no word of another.
  def expect_no_retry(run, error_class, **attributes)
    expect(run.error).to be_an_instance_of(error_class).and have_attributes(attempts: 1, **attributes)
    expect(run.chunks.map(&:type)).not_to include(:status)
    expect(run.chunks).to be_a_proper_sequence
  end

  def answer
    {deltas: %w[Hel lo], usage: true}
  end

  # A server that is busy for longer than any example may take.
  def busy_for_long
    {status: 503, headers: {"retry-after" => "30"}}
  end

  # @return [Float] seconds between the end of a request and that of the next
  def gap(number = 1)
    first, second = server.requests.values_at(number - 1, number)
    second.received_at - first.received_at
  end

  # Takes a stream up to the notice of the retry that is waited for.
  def take_up_to_the_wait(stream)
    taking = take(stream)
    expect(taking.next_chunk).to be_status.and have_attributes(status: :retrying)
    taking
  end

  it "is sent again as it was, over the same connection, and nobody notices but by a notice", :backends do
    server.script(status: 503).script(**answer)

    expect_answer(ask, retries: 1)
    first, second = server.requests
    expect(second).to have_attributes(body: first.body, headers: first.headers, path: first.path,
      connection_id: first.connection_id)
    expect(server.requests.size).to eq(2)
  end

  describe "and is announced" do
    let(:chunk) do
      server.script(status: 429, headers: {"retry-after-ms" => "20"}).script(**answer)
      ask.chunks.first
    end

    it "by a :status chunk with all that is known about it" do
      expect(chunk).to have_attributes(type: :status, status: :retrying, delta: "", cumulative: "", seq: 1,
        retry_after: be_a(Float).and(be_between(0.02, 0.03)), error: nil, exception: nil, tool_name: nil)
      expect(chunk.metadata).to eq(stream_id: chunk.stream_id, seq: 1, attempt: 1, max_retries: 2,
        delay: chunk.retry_after, reason: "429", http_status: 429)
      expect(chunk).to be_frozen.and be_status
      expect(chunk).not_to be_terminal
    end

    it "by a chunk that can be taken apart, copied and sent elsewhere" do
      expect(chunk.to_h).to eq(type: :status, status: :retrying, delta: "", retry_after: chunk.retry_after)
      matched = case chunk
      in {type: :status, status: :retrying, retry_after: Float => seconds, metadata: {attempt: 1, reason:}}
        [seconds, reason]
      end
      expect(matched).to eq([chunk.retry_after, "429"])
      expect(JSON.parse(chunk.to_json)).to include("status" => "retrying", "retry_after" => chunk.retry_after,
        "metadata" => include("attempt" => 1, "reason" => "429", "http_status" => 429))
      copies = [Marshal.load(Marshal.dump(chunk)), chunk.dup]
      expect(copies).to all(eq(chunk).and(have_attributes(status: :retrying, metadata: chunk.metadata)))
      changed = chunk.dup.tap { |copy| copy.metadata = {reason: "mine"} }
      expect(changed.metadata).to include(attempt: 1, reason: "mine")
    end

    it "with the number of each retry, and no status where none came" do
      server.script(fault: :reset, after: :request).script(status: 500).script(**answer)

      notices = ask(max_retries: 5).chunks.first(2).map(&:metadata)

      expect(notices.map { |notice| notice.slice(:attempt, :max_retries, :reason, :http_status) }).to eq([
        {attempt: 1, max_retries: 5, reason: "connection lost"},
        {attempt: 2, max_retries: 5, reason: "500", http_status: 500}
      ])
    end
  end

  describe "by its status" do
    [408, 409, 429, 500, 502, 503, 504, 529].each do |status|
      it "#{status} begins again" do
        server.script(status: status).script(**answer)

        expect_answer(ask, retries: 1)
      end
    end

    {400 => RAAF::Errors::InvalidRequestError, 401 => RAAF::Errors::AuthenticationError,
     402 => RAAF::Errors::InvalidRequestError, 403 => RAAF::Errors::PermissionError,
     404 => RAAF::Errors::NotFoundError, 422 => RAAF::Errors::InvalidRequestError}.each do |status, error_class|
      it "#{status} does not" do
        server.script(status: status).script(**answer)

        expect_no_retry(ask, error_class, status: status)
        expect(server.requests.size).to eq(1)
      end
    end

    [400, 401, 403, 404].each do |status|
      it "#{status} does not, even where the server says it should" do
        server.script(status: status, headers: {"x-should-retry" => "true"}).script(**answer)

        expect_no_retry(ask, error_of(status), status: status)
        expect(server.requests.size).to eq(1)
      end
    end

    def error_of(status)
      {400 => RAAF::Errors::InvalidRequestError, 401 => RAAF::Errors::AuthenticationError,
       403 => RAAF::Errors::PermissionError, 404 => RAAF::Errors::NotFoundError}.fetch(status)
    end

    it "does not begin again where the server says it should not" do
      server.script(status: 503, headers: {"x-should-retry" => "false"}).script(**answer)

      expect_no_retry(ask, RAAF::Errors::ServerError)
      expect(server.requests.size).to eq(1)
    end

    it "begins again where the server says it should" do
      server.script(status: 422, headers: {"x-should-retry" => "true"}).script(**answer)

      expect_answer(ask, retries: 1)
    end

    it "decides by itself where the server says something else" do
      ["yes", "", "falsehood", "1"].each do |garbage|
        server.script(status: 503, headers: {"x-should-retry" => garbage}).script(**answer)
        expect_answer(ask, retries: 1)
        server.script(status: 422, headers: {"x-should-retry" => garbage})
        expect_no_retry(ask, RAAF::Errors::InvalidRequestError)
      end
    end

    it "does not wait for a quota that is used up" do
      server.script(status: 429, body: {error: {message: "Pay", code: "insufficient_quota"}}).script(**answer)

      expect_no_retry(ask, RAAF::Errors::RateLimitError, retryable?: false)
    end
  end

  describe "without a response" do
    {"cut off" => {fault: :cut, after: :request}, "reset" => {fault: :reset, after: :request},
     "cut off within the headers" => {raw: "HTTP/1.1 200 OK\r\nContent-Ty"}}.each do |how, script|
      it "begins again where the connection is #{how}" do
        server.script(**script).script(**answer)

        run = ask
        expect_answer(run, retries: 1)
        expect(run.chunks.first.metadata).to include(reason: "connection lost")
        expect(server.requests.map(&:connection_id)).to eq([1, 2])
      end
    end

    it "begins again where the stream ends before it says anything" do
      server.script(deltas: [], finish_reason: nil, done: false).script(bytes: ": hello\n\n").script(**answer)

      run = ask
      expect_answer(run, retries: 2)
      expect(run.chunks.first.metadata).to include(reason: "stream ended early", http_status: 200)
    end

    it "is given up where the connection is refused again and again" do
      port = TCPServer.open("127.0.0.1", 0) { |socket| socket.local_address.ip_port }

      run = ask("http://127.0.0.1:#{port}/v1", max_retries: 3)

      expect(run.chunks.map(&:type)).to eq(%i[status status status error])
      expect(run.chunks.first.metadata).to include(reason: "connection refused")
      expect(run.error).to be_a(RAAF::Errors::ConnectionError).and have_attributes(reason: :connect, attempts: 4)
    end

    it "is given up where the name is not known again and again" do
      run = ask("http://no-such-host.invalid/v1", proxy: false, max_retries: 1)

      expect(run.chunks.first.metadata).to include(reason: "name not resolved")
      expect(run.error).to be_a(RAAF::Errors::ConnectionError).and have_attributes(reason: :resolve, attempts: 2)
    end

    it "begins again where the TLS handshake is cut off" do
      TCPServer.open("127.0.0.1", 0) do |listener|
        cutting = Thread.new { Array.new(2) { listener.accept.tap { |socket| socket.readpartial(1) && socket.close } } }
        run = ask("https://127.0.0.1:#{listener.local_address.ip_port}/v1", max_retries: 1)
        cutting.value

        expect(run.chunks.first.metadata).to include(reason: "connection lost")
        expect(run.error).to be_a(RAAF::Errors::ConnectionError)
          .and have_attributes(reason: :lost, attempts: 2, retryable?: true)
      end
    end

    it "does not begin again where the certificate is not trusted" do
      RAAF::Testing::ModelServer.start(tls: true) do |other|
        expect_no_retry(ask(other.base_url), RAAF::Errors::ConnectionError, reason: :tls)
        expect(other.connections).to eq(1)
      end
    end

    it "does not begin again where the model stays silent too long" do
      server.script(**no_answer)

      expect_no_retry(ask(first_token_timeout: 0.1), RAAF::Errors::TimeoutError, phase: :first_token)
      expect(server.requests.size).to eq(1)
    end

    it "does not begin again where the answer is none" do
      server.script(status: 200, content_type: "text/html", body: "<html>").script(**answer)

      expect_no_retry(ask, RAAF::Errors::ProtocolError)
    end
  end

  describe "by an error that the provider reports inside the stream" do
    {{type: "overloaded_error"} => "overloaded_error", {type: "rate_limit_error"} => "rate_limit_error",
     {type: "server_error"} => "server_error", {type: "api_error"} => "api_error",
     {code: 502, type: nil} => "502", {code: "429", type: nil} => "429",
     {code: "rate_limit_exceeded", type: "tokens"} => "rate_limit_exceeded"}.each do |error, reason|
      it "begins again where the provider is to blame: #{reason}" do
        server.script(deltas: [], error: {message: "No luck", **error}).script(**answer)

        run = ask
        expect_answer(run, retries: 1)
        expect(run.chunks.first.metadata).to include(reason: reason, http_status: 200)
      end
    end

    [{type: "invalid_request_error"}, {type: "authentication_error"}, {type: "something_else"},
      {code: "context_length_exceeded", type: "server_error"}, {code: 400, type: nil},
      {code: "insufficient_quota", type: "rate_limit_error"}].each do |error|
      it "does not begin again where it is not: #{error.values.compact.join(", ")}" do
        server.script(deltas: [], error: {message: "No luck", **error}).script(**answer)

        run = ask
        expect(run.error.attempts).to eq(1)
        expect(run.chunks.map(&:type)).to eq([:error])
        expect(server.requests.size).to eq(1)
      end
    end

    it "begins again where the error is all there is, as JSON with status 200" do
      server.script(status: 200, body: {error: {message: "No luck", type: "server_error"}}).script(**answer)

      expect_answer(ask, retries: 1)
    end

    it "does not begin again once something was delivered, whatever it was" do
      wire = RAAF::Testing::OpenAIChatWire.new
      failure = wire.error(message: "No luck", type: "server_error")
      [wire.content("Hel"), wire.reasoning("Hm"), wire.refusal("No"), wire.tool_call(name: "f").first].each do |event|
        server.script(bytes: wire.role + event + failure)
        expect_no_retry(ask, RAAF::Errors::ServerError)
        server.script(bytes: wire.role + event)
        expect_no_retry(ask, RAAF::Errors::TruncatedStreamError)
      end
      expect(server.requests.size).to eq(8)
    end

    it "does not show in a notice what an error quotes" do
      server.script(deltas: [], error: {message: "key", type: "the server_error of key", code: nil}).script(**answer)

      expect(ask.chunks.first.metadata).to include(reason: "server_error")
    end
  end

  describe "again and again" do
    before do
      3.times do |i|
        server.script(status: 500 + i, headers: {"x-request-id" => "req_#{i}"},
          body: {error: {message: "No luck #{i}"}})
      end
    end

    it "is given up after max_retries, with the last attempt's error and their number" do
      run = ask

      expect(run.chunks.map(&:type)).to eq(%i[status status error])
      expect(run.chunks).to be_a_proper_sequence
      expect(run.error).to be_a(RAAF::Errors::ServerError)
        .and have_attributes(status: 502, request_id: "req_2", attempts: 3)
      expect(run.error.message).to include("No luck 2").and include("after 3 attempts")
      expect(run.error.to_h).to include(attempts: 3)
      expect(run.error.inspect).to include("attempts=3")
      expect(run.chunks.last.exception).to equal(run.error)
      expect(server.requests.size).to eq(3)
    end

    it "is not repeated with max_retries 0, of the call, the runner or all" do
      expect_no_retry(ask(max_retries: 0), RAAF::Errors::ServerError)
      runner = runner_for(server.base_url, max_retries: 5)
      expect { runner.run_and_stream("Hi", max_retries: 0) }.to raise_error(RAAF::Errors::ServerError)
      RAAF::Streaming.configure { |config| config.max_retries = 0 }
      expect_no_retry(ask, RAAF::Errors::ServerError)
      expect(server.requests.size).to eq(3)
    ensure
      RAAF::Streaming.reset_configuration!
    end

    it "says at the first attempt that it was one" do
      server.clear_scripts.script(**answer)

      expect(ask.result.to_h).to include(attempts: 1)
    end
  end

  describe "and is told when to come again" do
    it "waits for so many milliseconds, whatever else is said" do
      server.script(status: 503, headers: {"retry-after" => "0", "retry-after-ms" => "60"}).script(**answer)

      run = ask
      expect_answer(run, retries: 1)
      expect(run.chunks.first.retry_after).to be_between(0.06, 0.075)
      expect(gap).to be >= 0.06
    end

    it "waits for so many seconds, and fractions of them" do
      server.script(status: 429, headers: {"retry-after" => "0.06"}).script(status: 503,
        headers: {"retry-after" => "1"})
        .script(**answer)

      expect_answer(ask, retries: 2)
      expect(gap).to be >= 0.06
      expect(gap(2)).to be >= 1
    end

    it "waits for a date" do
      date = Time.now + 2
      server.script(status: 503, headers: {"retry-after" => date.httpdate}).script(**answer)

      expect_answer(ask, retries: 1)
      since = Process.clock_gettime(Process::CLOCK_MONOTONIC) - server.requests.last.received_at
      expect(Time.now - since).to be >= Time.httpdate(date.httpdate) - 0.01 # two clocks
    end

    it "waits for the reset of a rate limit that is used up" do
      server.script(status: 429, headers: {
        "x-ratelimit-remaining-requests" => "0", "x-ratelimit-reset-requests" => "60ms",
        "x-ratelimit-remaining-tokens" => "100", "x-ratelimit-reset-tokens" => "6m0s"
      }).script(**answer)

      expect_answer(ask, retries: 1)
      expect(gap).to be >= 0.06
    end

    it "does not wait for the reset of a rate limit where that is not what failed" do
      server.script(status: 503, headers: {"x-ratelimit-reset-requests" => "6m0s"}).script(**answer)

      expect_answer(ask, retries: 1)
    end

    [{"retry-after" => "soon"}, {"retry-after-ms" => "1e3"}, {"retry-after" => "Thu, 99 Foo 2026 00:00:00 GMT"},
      {"x-ratelimit-reset-requests" => "later"}, {"retry-after" => "-5"}, {"retry-after" => "0"},
      {"retry-after" => (Time.now - 60).httpdate}].each do |headers|
      it "takes its own time where that makes no sense: #{headers}" do
        server.script(status: 429, headers: headers).script(**answer)

        run = ask
        expect_answer(run, retries: 1)
        expect(run.chunks.first.retry_after).to be_between(0, 0.002)
      end
    end

    it "does not come again where that is too long, and says so at once" do
      server.script(status: 429, headers: {"retry-after" => "61"}).script(**answer)

      expect_no_retry(ask, RAAF::Errors::RateLimitError, retry_after: 61)
      expect(server.requests.size).to eq(1)
    end

    it "takes max_retry_delay for what is too long" do
      server.script(status: 503, headers: {"retry-after-ms" => "60"}).script(status: 429,
        headers: {"x-ratelimit-reset-tokens" => "60ms"})

      expect_no_retry(ask(max_retry_delay: 0.05), RAAF::Errors::ServerError, retry_after: 0.06)
      expect_no_retry(ask(max_retry_delay: 0.05), RAAF::Errors::RateLimitError, retry_after: 0.06)
    end

    it "does not come again where the run would be over by then, and says so at once" do
      server.script(**busy_for_long)

      expect_no_retry(ask(stream_timeout: 20), RAAF::Errors::ServerError, retry_after: 30)
    end
  end

  it "takes no longer than stream_timeout, all attempts and waits together" do
    server.default_script(status: 503, headers: {"retry-after-ms" => "100"}, repeat: true)

    run = ask(stream_timeout: 0.45, max_retries: 1000)

    expect(run.error).to be_a(RAAF::Errors::ServerError).or be_a(RAAF::Errors::TimeoutError)
    expect(server.requests.size).to be <= 5
  end

  describe "while it waits" do
    before { server.script(**busy_for_long) }

    # Nothing is on its way any longer, and no further request came.
    def expect_the_end
      until_idle
      expect(server.requests.size).to eq(1)
    end

    it "has the status of a stream that connects" do
      stream = runner.stream("Hi")
      taking = take_up_to_the_wait(stream)

      expect(stream.status).to eq(:connecting)
      stream.cancel
      taking.join
    end

    it "ends with cancel, and the server sees no further request", :backends do
      stream = runner.stream("Hi")
      taking = take_up_to_the_wait(stream)
      until_asleep(taking.thread)

      stream.cancel

      expect(taking.types).to eq(%i[status error])
      expect(taking.error).to be_a(RAAF::Errors::CancelledError).and have_attributes(reason: :cancelled, attempts: 1)
      expect(stream.status).to eq(:cancelled)
      expect_the_end
    end

    {"Thread#kill" => :kill.to_proc, "Thread#raise" => ->(thread) { thread.raise(StopIteration) }}
      .each do |name, interrupt|
      it "ends with #{name}", :backends do
        notices = Queue.new
        thread = Thread.new { runner.run_and_stream("Hi") { |chunk| notices << chunk.status } }
        thread.report_on_exception = false
        expect(notices.pop).to eq(:retrying)
        until_asleep(thread)

        interrupt.call(thread)

        begin
          expect(thread.join(LifecycleHelpers::PATIENCE)).to be(thread)
        rescue StopIteration
          expect(name).to eq("Thread#raise")
        end
        expect_the_end
      end
    end

    it "ends with Timeout.timeout" do
      notices = []

      expect { Timeout.timeout(1) { runner.run_and_stream("Hi") { |chunk| notices << chunk.status } } }
        .to raise_error(Timeout::Error)
      expect(notices).to eq([:retrying])
      expect_the_end
    end

    it "ends where the block is left" do
      runner.run_and_stream("Hi") { |chunk| break if chunk.status? }

      expect_the_end
    end

    it "ends where nobody holds the stream any longer" do
      # On a thread of its own, so that no machine stack or register of this one still points to it.
      Thread.new { runner.stream("Hi") && nil }.join
      server.wait_for_request

      eventually("its collection") do
        Thread.new { Array.new(100) { Object.new } && nil }.join
        GC.start
        reactor_count(:running).zero?
      end
      expect_the_end
    end

    it "goes on with a new instruction after a redirect", :backends do
      server.script(**answer)
      stream = runner.stream("Hi")
      taking = take_up_to_the_wait(stream)

      stream.redirect("Shorter, please")

      expect(taking.types).to eq(%i[status status content content complete])
      expect(taking.chunks.map(&:status).compact).to eq(%i[retrying redirected])
      expect(taking.chunks).to be_a_proper_sequence
      said = server.requests.last.json[:messages].drop(1).map { |message| message.values_at(:role, :content) }
      expect(said).to eq([%w[user Hi], ["user", "Shorter, please"]])
      expect(server.requests.size).to eq(2)
    end

    it "ends with the shutdown of streaming" do
      stream = runner.stream("Hi")
      taking = take_up_to_the_wait(stream)

      expect(RAAF::Streaming.shutdown).to be(true)

      expect(taking.join.error).to be_a(RAAF::Errors::CancelledError).and have_attributes(reason: :shutdown)
      expect_the_end
    end

    it "waits on in the parent of a fork, and is none of the child's" do
      server.clear_scripts.script(status: 503, headers: {"retry-after-ms" => "300"}).script(**answer)
      stream = runner.stream("Hi")
      taking = take_up_to_the_wait(stream)

      expect(in_child { stream.each { nil } }).to eq(RAAF::Errors::ForkedError)
      expect(taking.types).to eq(%i[status content content complete])
      expect(server.requests.size).to eq(2)
    end
  end

  describe "is announced in every way that chunks are taken" do
    before { server.script(status: 503).script(status: 529).script(**answer) }

    let(:quick) { runner_for(server.base_url, retry_delay: 0.002) }

    it "by callbacks", :backends do
      heard = Queue.new
      stream = quick.stream("Hi")
      stream.on(:status) { |chunk| heard << chunk.metadata[:reason] }
      stream.on(:*) { |chunk| heard << chunk.type }

      expect(stream.result.final_output).to eq("Hello")
      expect(Array.new(heard.size) { heard.pop }.grep(String)).to eq(%w[503 529])
    end

    it "by callbacks that come when it is over" do
      heard = Queue.new
      stream = quick.stream("Hi").on(:complete) { nil }.wait

      stream.on(:status) { |chunk| heard << chunk.metadata[:attempt] }

      expect(Array.new(2) { heard.pop }).to eq([1, 2])
    end

    it "after a wait that was given up before" do
      stream = quick.stream("Hi")
      eventually("the end") { stream.wait(0.001) }

      expect(stream.result).to have_attributes(final_output: "Hello", attempts: 3)
    end

    it "in fibers, which do not wait for each other", valgrind: false do # see fiber_spec.rb
      server.clear_scripts
      failed = Hash.new(0)
      server.default_script(repeat: true) do |request, response|
        word = request.json[:messages].last[:content]
        if (failed[word] += 1) == 1
          response.start(503, {"retry-after-ms" => "50"}, transfer: :length, length: 0).finish
          next
        end

        response.start(200, "content-type" => "text/event-stream")
        response.event({choices: [{index: 0, delta: {content: word}, finish_reason: "stop"}]}).event("[DONE]").finish
      end

      results = Sync { Array.new(20) { |i| Async { quick.run_and_stream("s#{i}") } }.map(&:wait) }

      expect(results.map(&:final_output)).to eq(Array.new(20) { |i| "s#{i}" })
      expect(results.map(&:attempts)).to all(eq(2))
    end

    it "where text is gathered into larger chunks" do
      run = ask(chunk_buffer_size: 50)

      expect(run.chunks.map(&:type)).to eq(%i[status status content complete])
      expect(run.chunks[2].delta).to eq("Hello")
    end

    it "where no text is kept" do
      run = ask(retain_text: false)

      expect(run.chunks.map(&:type)).to eq(%i[status status content content complete])
      expect(run.chunks.map(&:cumulative)).to all(eq(""))
    end

    it "where chunks wait for a slow consumer" do
      run = ask(queue_max_items: 1)

      expect_answer(run, retries: 2)
    end
  end

  describe "in another turn of its run" do
    let(:agent) do
      weather = RAAF::Streaming::Tool.new(name: "weather") { |city:| "#{city}: rain" }
      RAAF::Agent.new(name: "Assistant", model: "gpt-4o", tools: [weather])
    end

    let(:runner) do
      RAAF::Streaming::AsyncRunner.new(agent: agent, retry_delay: 0.002,
        provider: RAAF::Models::OpenAIProvider.new(api_key: "key", base_url: server.base_url))
    end

    before { server.script(deltas: ["Let me see. "], tool_calls: [{name: "weather", arguments: {city: "Rome"}}]) }

    it "is sent again alone, and what the turn before said stands" do
      server.script(status: 503).script(deltas: %w[It rains.])
      chunks = []

      result = runner.run_and_stream("Rain?") { |chunk| chunks << chunk }

      expect(chunks.find(&:status?)).to have_attributes(status: :retrying, cumulative: "Let me see. ")
      expect(chunks).to be_a_proper_sequence
      expect(result).to have_attributes(final_output: "Let me see. Itrains.", turns: 2, attempts: 2)
      expect(chunks.count(&:tool_result?)).to eq(1)
      expect(server.requests.map { |request| request.json[:messages].size }).to eq([1, 3, 3])
    end

    it "can be cancelled while it waits" do
      server.script(**busy_for_long)
      stream = runner.stream("Rain?")
      taking = take(stream)
      nil until taking.next_chunk.status?

      stream.cancel

      expect(taking.join.error).to be_a(RAAF::Errors::CancelledError).and have_attributes(partial_text: "Let me see. ")
      expect(server.requests.size).to eq(2)
    end
  end

  it "does not begin again where text was gathered and not yet handed over" do
    wire = RAAF::Testing::OpenAIChatWire.new
    server.script(bytes: wire.content("Hel") + wire.error(message: "No luck", type: "server_error"))

    run = ask(chunk_buffer_size: 1000, chunk_buffer_timeout: 60_000)

    expect_no_retry(run, RAAF::Errors::ServerError, partial_text: "Hel")
  end

  it "is not a mock's: it fails as it was told to" do
    provider = RAAF::Testing::MockProvider.new
    provider.add_streaming_error(RAAF::Errors::ServerError.new("No luck"))
    provider.add_streaming_response(chunks: ["Hello"])

    expect { runner.run_and_stream("Hi", provider: provider) { |chunk| expect(chunk).not_to be_status } }
      .to raise_error(RAAF::Errors::ServerError, "No luck")
    expect(provider.responses_left).to eq(1)
  end
end
