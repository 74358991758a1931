# frozen_string_literal: true

require "open3"
require "rbconfig"
require "socket"

# Servers that never end what they have begun: in bytes, and in time.
RSpec.describe "A server without an end" do
  include ReplayHelpers

  library = File.expand_path("../../lib", __dir__)

  # Bytes by which a process may grow whatever a server sends.
  growth_limit = 64 << 20
  slow = ENV.key?("RAAF_SLOW")
  # Seconds that pass on purpose, and in which a busy machine still gets an answer going; and more than those.
  short = slow ? 8 : 1
  longer = short * 1.5
  piece = ("a" * 65_536).freeze
  stream = {"content-type" => "text/event-stream"}.freeze

  # A client in a process of its own, so that the peak of its memory can be read. It warms up first with a short answer.
  client = <<~'RUBY'
    require "raaf-streaming"
    require "json"

    agent = RAAF::Agent.new(name: "Assistant", model: "gpt-4o")
    settings = {max_retries: 0, **JSON.parse(ARGV.first, symbolize_names: true)}
    runner = RAAF::Streaming::AsyncRunner.new(agent: agent, **settings)
    runner.run_and_stream("Warm up")
    peak = -> { File.read("/proc/self/status")[/VmHWM:\s*(\d+) kB/, 1].to_i * 1024 }
    before = peak.call
    error = begin
      runner.run_and_stream("Hello") { |chunk| chunk }
    rescue RAAF::Errors::Error => e
      e
    end
    puts JSON.generate(class: error.class.name, message: error.message, growth: peak.call - before)
  RUBY

  # @return [Hash] :class, :message and :growth (bytes) of a client that asks such a server
  def ask_from_outside(client, library, settings, &script)
    RAAF::Testing::ModelServer.start do |server|
      server.script(deltas: ["Hello"], usage: true).script(&script)
      environment = {"OPENAI_BASE_URL" => server.base_url, "OPENAI_API_KEY" => ReplayHelpers::KEY}
      output, errors, status = Open3.capture3(environment, RbConfig.ruby, "-I", library, "-e", client,
        JSON.generate(settings))
      raise "the client failed: #{errors}" unless status.success?

      JSON.parse(output, symbolize_names: true)
    end
  end

  # @return [Integer] how many pieces the server could send before it was held back
  def writes_until_quiet(server, request)
    loop do
      count = request.writes.size
      server.wait_until(timeout: 0.3) { request.writes.size > count }
    end
  rescue RAAF::Testing::ModelServer::WaitTimeout
    request.writes.size
  end

  # Stays in the block for so many seconds.
  def take_time(server, duration)
    server.wait_until(timeout: duration) { false }
  rescue RAAF::Testing::ModelServer::WaitTimeout
    nil
  end

  # What is sent for ever; each block is called until the client goes away.
  endless = {
    "line" => ["ProtocolError", /line/, ->(response) { response.start(200, stream).write("data: ") },
      ->(response) { response.write(piece) }],
    "comment" => ["ProtocolError", /line/, ->(response) { response.start(200, stream).write(": ") },
      ->(response) { response.write(piece) }],
    "event" => ["ProtocolError", /event/, ->(response) { response.start(200, stream) },
      ->(response) { response.write("data: #{piece}\n") }],
    "tool call" => ["ProtocolError", /event/, ->(response) { response.start(200, stream) },
      ->(response) {
        call = {index: 0, id: "call_1", function: {name: "weather", arguments: piece}}
        response.event({choices: [{index: 0, delta: {tool_calls: [call]}}]})
      }],
    "header line" => ["ProtocolError", /header/, ->(response) { response.send_raw("HTTP/1.1 200 OK\r\nX-Long: ") },
      ->(response) { response.send_raw(piece) }],
    "status line" => ["ProtocolError", /header/, ->(response) { response.send_raw("HTTP/1.1 200 ") },
      ->(response) { response.send_raw(piece) }],
    "list of headers" => ["ProtocolError", /header/, ->(response) { response.send_raw("HTTP/1.1 200 OK\r\n") },
      ->(response) { response.send_raw("X-Some: #{"b" * 1000}\r\n" * 60) }],
    "row of interim responses" => ["ProtocolError", /header/, ->(_) {},
      ->(response) { response.send_raw("HTTP/1.1 100 Continue\r\n\r\n" * 1000) }],
    "error body" => ["ServerError", /HTTP 500/, ->(response) { response.start(500) },
      ->(response) { response.write(piece) }],
    "JSON body" => ["ProtocolError", /event stream/,
      ->(response) { response.start(200, {"content-type" => "application/json"}).write("{") },
      ->(response) { response.write(piece) }],
    "blank body" => ["ProtocolError", /event stream/,
      ->(response) { response.start(200, {"content-type" => "text/plain"}) },
      ->(response) { response.write(" " * 65_536) }],
    "list of trailers" => ["ProtocolError", /header/,
      ->(response) { response.start(200, stream).send_raw("0\r\n") },
      ->(response) { response.send_raw("X-Some: #{"b" * 1000}\r\n" * 60) }],
    "row of comments" => ["TimeoutError", /first token/, ->(response) { response.start(200, stream) },
      ->(response) { response.write(": #{piece}\n\n") }],
    "row of empty events" => ["TimeoutError", /first token/, ->(response) { response.start(200, stream) },
      ->(response) { response.event({choices: [{index: 0, delta: {content: ""}}], padding: piece}) }]
  }

  endless.each do |name, (error_class, words, first, more)|
    it "is an error, and no danger to memory, with an endless #{name}" do
      skip "the peak of memory is read from /proc" unless File.exist?("/proc/self/status")

      found = ask_from_outside(client, library, {first_token_timeout: short * 3}) do |_request, response|
        first.call(response)
        loop { more.call(response) }
      end

      expect(found).to include(class: "RAAF::Errors::#{error_class}", message: words)
      # A sanitizer keeps what was freed.
      expect(found[:growth]).to be < growth_limit unless slow
    end
  end

  it "is held to max_text_bytes where the text does not end" do
    run = stream_scripted({max_text_bytes: 100_000}) do |_request, response|
      response.start(200, stream)
      loop { response.event({choices: [{index: 0, delta: {content: "a" * 1000}}]}) }
    end

    expect(run.error).to be_a(RAAF::Errors::StreamLimitError).and have_attributes(limit: :max_text_bytes)
    expect(run.error.partial_text).to eq(run.text)
    expect(run.text.bytesize).to be_between(99_000, 100_000)
    expect(run.chunks).to be_a_proper_sequence
  end

  it "is held to the settings of lines and events" do
    long = RAAF::Testing::OpenAIChatWire.new.content("a" * 2000)

    run = stream_scripted({max_line_bytes: 1000}, bytes: long)
    expect(run.error).to be_a(RAAF::Errors::ProtocolError)
    expect(run.error.message).to include("max_line_bytes")
    run = stream_scripted({max_event_bytes: 1000}, bytes: long)
    expect(run.error).to be_a(RAAF::Errors::ProtocolError)
    expect(run.error.message).to include("max_event_bytes")
  end

  it "does not run ahead of a slow consumer" do
    RAAF::Testing::ModelServer.start do |server|
      total = 300
      server.script(deltas: [piece] * total)
      held = nil
      run = stream_from(server, queue_max_bytes: 65_536) do
        held ||= writes_until_quiet(server, server.wait_for_request)
      end

      expect(run.error).to be_nil
      expect(run.text.bytesize).to eq(total * piece.bytesize)
      expect(held).to be < total
    end
  end

  describe "in time" do
    def expect_timeout(run, phase, **attributes)
      expect(run.error).to be_an_instance_of(RAAF::Errors::TimeoutError)
      expect(run.error).to have_attributes(phase: phase, provider: "openai", model: "gpt-4o", partial_text: run.text,
        **attributes)
      expect(run.last).to be_error.and have_attributes(exception: run.error)
      expect(run.chunks).to be_a_proper_sequence
      expect(run.error.message).to include("timeout").and include("openai (gpt-4o)")
      expect(run.error.full_message).not_to include(ReplayHelpers::KEY)
    end

    # Far more than any of the times here, so that only the one that is meant can pass.
    patient = {connection_timeout: 500, first_token_timeout: 500, idle_timeout: 500, stream_timeout: 500}.freeze

    it "is a timeout to connect where the handshake of TLS is never answered" do
      TCPServer.open("127.0.0.1", 0) do |silent|
        run = stream_from("https://127.0.0.1:#{silent.local_address.ip_port}/v1", **patient, connection_timeout: short)

        expect_timeout(run, :connect, status: nil)
        expect(run.error).to be_retryable
      end
    end

    it "is a timeout to the first token where no answer comes" do
      run = stream_scripted({**patient, first_token_timeout: short}, fault: :no_response)

      expect_timeout(run, :first_token, status: nil)
    end

    it "is a timeout to the first token where nothing follows the headers" do
      run = stream_scripted({**patient, first_token_timeout: short}, deltas: ["a"], headers: {"x-request-id" => "r1"},
        fault: :stall)

      expect_timeout(run, :first_token, status: 200, request_id: "r1")
    end

    it "is a timeout to the first token where events come, but no token" do
      run = stream_scripted({**patient, first_token_timeout: short}, deltas: ["a"], fault: :stall, after: 1)

      expect_timeout(run, :first_token, status: 200)
    end

    it "is a timeout to the first token where the server only shows that it lives" do
      run = stream_scripted({**patient, first_token_timeout: short}) do |_request, response|
        response.start(200, stream)
        loop { response.write(": still here\n\n").sleep(0.02) }
      end

      expect_timeout(run, :first_token, status: 200)
    end

    it "is a timeout to the first token where the headers drip" do
      run = stream_scripted({**patient, first_token_timeout: short}, deltas: ["a"], fault: :drip, after: :request,
        delay: short)

      expect_timeout(run, :first_token, status: nil)
    end

    it "is an idle timeout where the answer stops in the middle" do
      run = stream_scripted({**patient, idle_timeout: short}, deltas: %w[a b c], fault: :stall, after: 3)

      expect_timeout(run, :idle, status: 200)
      expect(run.text).to eq("ab")
    end

    it "is a timeout of the whole where the answer does not end" do
      run = stream_scripted({**patient, stream_timeout: short}, deltas: ["a"].cycle, delay: 0.01)

      expect_timeout(run, :total, status: 200)
      expect(run.text).to match(/\Aa+\z/)
      expect(run.error).not_to be_retryable
    end

    it "is a timeout of the whole in whatever phase" do
      run = stream_scripted({**patient, stream_timeout: short}, fault: :no_response)
      expect_timeout(run, :total, status: nil)

      TCPServer.open("127.0.0.1", 0) do |silent|
        run = stream_from("https://127.0.0.1:#{silent.local_address.ip_port}/v1", **patient, stream_timeout: short)
        expect_timeout(run, :total, status: nil)
      end
    end

    it "closes the connection" do
      RAAF::Testing::ModelServer.start do |server|
        server.script(deltas: %w[a b c], fault: :stall, after: 3)

        expect_timeout(stream_from(server, **patient, idle_timeout: short), :idle)
        server.wait_for_close(server.requests.first, timeout: 20)
      end
    end

    it "is none where the answer is slow, but moves" do
      run = stream_scripted({**patient, idle_timeout: short}, deltas: %w[Hel lo], usage: true, fault: :drip, after: 1,
        delay: short * 0.003)

      expect(run.error).to be_nil
      expect(run.text).to eq("Hello")
      expect(run.result.timings[:total]).to be > short
    end

    it "is none where each limit is switched off" do
      run = stream_scripted({first_token_timeout: nil, idle_timeout: nil, stream_timeout: nil}, deltas: %w[Hel lo],
        first_delay: 0.05, delay: 0.05)

      expect(run.text).to eq("Hello")
    end

    it "does not count the consumer's own time" do
      run = RAAF::Testing::ModelServer.start do |server|
        server.script(deltas: [piece] * 40)
        pauses = 2
        stream_from(server, **patient, idle_timeout: short, queue_max_bytes: 65_536) do
          # With a full queue, so that nothing is read meanwhile.
          take_time(server, longer) if (pauses -= 1) >= 0
        end
      end

      expect(run.error).to be_nil
      expect(run.text.bytesize).to eq(40 * piece.bytesize)
    end
  end
end
