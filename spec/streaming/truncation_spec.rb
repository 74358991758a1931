# frozen_string_literal: true

# Whether an answer is whole: never taken for whole where it is not, and never waited for where it is.
RSpec.describe "The end of a stream" do
  include ReplayHelpers

  pieces = ["Hel", "lo", ", Łódź", " 👋"]
  # Events before the one with the finish reason: the role, and each piece.
  unfinished = pieces.size + 1
  wire = RAAF::Testing::OpenAIChatWire.new(model: "gpt-4o")
  events = [wire.role, *pieces.map { |piece| wire.content(piece) }, wire.finish("stop"),
    wire.usage({prompt_tokens: 3, completion_tokens: 4}), wire.done]
  weather = {id: "call_1", name: "weather", arguments: ['{"city":', '"Łódź"}']}

  def expect_truncated(run)
    expect(run.error).to be_a(RAAF::Errors::TruncatedStreamError)
    expect(run.error.partial_text).to eq(run.text)
    expect(run.error).to be_retryable
    expect(run.error.status).to eq(200)
    expect(run.last).to be_error
    expect(run.last.exception).to equal(run.error)
    expect(run.chunks).to be_a_proper_sequence
  end

  def expect_complete(run, text)
    expect(run.error).to be_nil
    expect(run.text).to eq(text)
    expect(run.last).to be_complete
    expect(run.result.finish_reason).to eq("stop")
    expect(run.chunks).to be_a_proper_sequence
  end

  # A reset throws away what the client has not read, so it waits until the client has the last piece.
  def stream_reset(events, last, **settings)
    arrived = Queue.new
    RAAF::Testing::ModelServer.start do |server|
      server.script do |_request, response|
        response.start(200, {"content-type" => "text/event-stream"}).write(events.join)
        arrived.pop
        response.reset
      end
      stream_from(server, **settings) { |chunk| arrived << true if chunk.delta == last }
    end
  end

  # @return [Array<RAAF::Streaming::Chunk>] of a body that ends after these bytes
  def decode(bytes)
    decoder = RAAF::Streaming::Decoder.new(:openai_chat)
    decoder.feed(bytes) + decoder.finish
  end

  # @return [Integer] how many bytes it takes for the finish reason to be there
  def finished_at(bytes)
    bytes.index("\n".b, bytes.index(/"finish_reason": ?"/n))
  end

  # @return [Boolean] whether they say that the answer is whole
  def whole?(chunks)
    raise "more than one end" if chunks.count(&:terminal?) != 1

    chunks.last.complete?
  end

  describe "cut before the finish reason" do
    (0..unfinished).each do |count|
      it "is an error with what was delivered, after #{count} of #{events.size} events" do
        %i[chunked close].each do |transfer|
          run = stream_scripted(deltas: pieces, usage: true, transfer: transfer, fault: :cut, after: count)

          expect_truncated(run)
          expect(run.text).to eq(pieces.first([count - 1, 0].max).join)
        end
      end
    end

    (1..pieces.size).each do |count|
      it "is the same where the connection is reset after #{count} pieces have arrived" do
        run = stream_reset(events.first(count + 1), pieces[count - 1])

        expect_truncated(run)
        expect(run.text).to eq(pieces.first(count).join)
      end
    end

    it "is an error where the server ends its answer properly, but too early" do
      %i[chunked close length].each do |transfer|
        expect_truncated(stream_scripted(bytes: events.first(3).join, transfer: transfer))
      end
    end

    it "is an error at every byte, over a socket" do
      bytes = events.join.b
      finished = finished_at(bytes)
      RAAF::Testing::ModelServer.start do |server|
        (0...finished).step(7) do |count|
          server.script(bytes: bytes, fault: :cut, after: count)
          run = stream_from(server)

          expect_truncated(run)
          expect(pieces.join).to start_with(run.text)
        end
      end
    end

    it "is an error at every byte up to the finish reason, and whole from there on" do
      bytes = events.join.b
      finished = finished_at(bytes)

      (0..bytes.bytesize).each do |count|
        chunks = decode(bytes.byteslice(0, count))
        expect([count, whole?(chunks)]).to eq([count, count >= finished])
        expect(chunks).to be_a_proper_sequence
      end
    end

    it "is an error although the usage came" do
      run = stream_scripted(bytes: [*events.first(3), wire.usage({prompt_tokens: 1, completion_tokens: 2})].join)

      expect_truncated(run)
    end

    it "delivers what was gathered for a larger chunk" do
      run = stream_scripted({chunk_buffer_size: 100, chunk_buffer_timeout: 60_000}, deltas: pieces, fault: :cut,
        after: 3)

      expect_truncated(run)
      expect(run.deltas(:content)).to eq(["Hello"])
    end

    it "hands over no tool call as whole, at whatever event" do
      (1..3).each do |count|
        run = stream_scripted(deltas: ["Well"], tool_calls: [weather], fault: :cut, after: count)

        expect_truncated(run)
        expect(run.of(:tool_call)).to be_empty
      end
    end

    it "hands over no tool call as whole where the connection falls silent" do
      run = stream_scripted({idle_timeout: 0.2}, tool_calls: [weather], fault: :stall, after: 2)

      expect(run.error).to be_a(RAAF::Errors::TimeoutError)
      expect(run.of(:tool_call)).to be_empty
    end
  end

  describe "of a recorded stream" do
    recordings = ReplayRecordings.openai_chat

    before { skip ReplayRecordings::ABSENT if recordings.empty? }

    it "is an error after every event before the finish reason" do
      recordings.each do |recording|
        bytes = recording.bytes
        finished = finished_at(bytes)
        ends = bytes.enum_for(:scan, "\n\n").map { Regexp.last_match.end(0) }

        ends.each do |count|
          expect([recording.file, count, whole?(decode(bytes.byteslice(0, count)))])
            .to eq([recording.file, count, count >= finished])
        end
      end
    end

    it "is an error at every byte before the finish reason of the short ones" do
      recordings.select { |recording| recording.bytes.bytesize < 4000 }.each do |recording|
        bytes = recording.bytes
        finished = finished_at(bytes)

        (0..bytes.bytesize).each do |count|
          expect([recording.file, count, whole?(decode(bytes.byteslice(0, count)))])
            .to eq([recording.file, count, count >= finished])
        end
      end
    end
  end

  describe "that has come" do
    # Seconds by which a run has returned that waits for nothing; no time limit of ours is that short here.
    at_once = 15

    around do |example|
      start = seconds
      example.run
      expect(seconds - start).to be < at_once
    end

    it "is not waited past: [DONE], and the connection stays open" do
      expect_complete(stream_scripted(deltas: pieces, keep_open: true), pieces.join)
    end

    it "is not waited past: finish reason and usage without [DONE], and the connection stays open" do
      run = stream_scripted({finish_grace: 60}, deltas: pieces, usage: {prompt_tokens: 3, completion_tokens: 4},
        done: false, keep_open: true)

      expect_complete(run, pieces.join)
      expect(run.result.usage).to include(prompt_tokens: 3, completion_tokens: 4)
    end

    it "is a finish reason alone after the grace, and the connection stays open" do
      run = stream_scripted({finish_grace: 0.05}, deltas: pieces, done: false, keep_open: true)

      expect_complete(run, pieces.join)
      expect(run.result.usage).to eq({})
    end

    it "is a finish reason alone where the server then ends the answer, without any grace" do
      %i[chunked close].each do |transfer|
        run = stream_scripted({finish_grace: 60}, deltas: pieces, done: false, transfer: transfer)

        expect_complete(run, pieces.join)
      end
    end

    it "is a finish reason after which the connection breaks" do
      run = stream_scripted({finish_grace: 60}, deltas: pieces, done: false, fault: :cut, after: unfinished + 1)
      expect_complete(run, pieces.join)

      run = stream_reset(events.first(unfinished + 1), pieces.last, finish_grace: 60)
      expect_complete(run, pieces.join)
    end

    it "is [DONE] without a finish reason" do
      run = stream_scripted(deltas: pieces, finish_reason: nil, keep_open: true)

      expect(run.error).to be_nil
      expect(run.text).to eq(pieces.join)
      expect(run.result.finish_reason).to be_nil
    end

    it "is taken together with usage that comes within the grace" do
      run = stream_scripted({finish_grace: 60}) do |_request, response|
        response.start(200, {"content-type" => "text/event-stream"})
        response.write(events.first(unfinished + 1).join).sleep(0.2)
        response.write(events[unfinished + 1]).hold
      end

      expect_complete(run, pieces.join)
      expect(run.result.usage).to include(prompt_tokens: 3, completion_tokens: 4)
    end

    it "is [DONE] although the connection breaks after it" do
      expect_complete(stream_scripted(deltas: pieces, fault: :cut, after: events.size - 1), pieces.join)
    end

    it "is not the end of one choice while another goes on" do
      first, second = [0, 1].map { |index| {index: index, delta: {content: index.to_s}, finish_reason: nil} }
      ended = ->(index) { {index: index, delta: {}, finish_reason: "stop"} }
      bytes = [[first, second], [ended[0]]].map { |choices| "data: #{JSON.generate(choices: choices)}\n\n" }.join

      expect_truncated(stream_scripted(bytes: bytes))
      run = stream_scripted(bytes: "#{bytes}data: #{JSON.generate(choices: [ended[1]])}\n\n")
      expect(run.error).to be_nil
      expect(run.deltas(:content)).to eq(%w[0 1])
    end

    it "lets go of the connection of a server that keeps it open" do
      RAAF::Testing::ModelServer.start do |server|
        server.script(deltas: pieces, keep_open: true)

        expect_complete(stream_from(server), pieces.join)
        server.wait_for_close(server.requests.first, timeout: 20)
      end
    end
  end

  describe "that is an error inside the stream" do
    reports = {
      "an object" => ['data: {"error":{"message":"It broke","type":"server_error","code":null,"param":null}}',
        RAAF::Errors::ServerError, {type: "server_error"}],
      "a string" => ['data: {"error":"It broke"}', RAAF::Errors::ProviderError, {}],
      "an event named error" => [%(event: error\ndata: {"error":{"message":"It broke","type":"overloaded_error"}}),
        RAAF::Errors::OverloadedError, {type: "overloaded_error"}],
      "an event named error without the word" => [
        %(event: error\ndata: {"message":"It broke","type":"invalid_request_error","code":"tool_use_failed"}),
        RAAF::Errors::InvalidRequestError, {code: "tool_use_failed"}
      ],
      "an event named error that is no JSON" => ["event: error\ndata: It broke", RAAF::Errors::ProviderError, {}],
      "an object with a number for a code" => ['data: {"error":{"message":"It broke","code":429}}',
        RAAF::Errors::RateLimitError, {code: "429"}],
      "an object beside a choice" => [
        'data: {"choices":[{"index":0,"delta":{"content":""},"finish_reason":"error"}],' \
        '"error":{"code":502,"message":"It broke","metadata":{"provider_name":"X"}}}',
        RAAF::Errors::ServerError, {code: "502"}
      ],
      "a conversation that is too long" => [
        'data: {"error":{"message":"It broke","code":"context_length_exceeded","param":"messages"}}',
        RAAF::Errors::ContextLengthError, {code: "context_length_exceeded", param: "messages"}
      ]
    }

    reports.each do |name, (event, error_class, details)|
      [[], pieces].each do |said|
        it "is typed where it is #{name}, #{said.empty? ? "before" : "after"} any text" do
          bytes = "#{said.map { |piece| wire.content(piece) }.join}#{event}\n\n#{wire.content("never")}#{wire.done}"
          run = stream_scripted(bytes: bytes, keep_open: true)

          expect(run.error).to be_an_instance_of(error_class)
          expect(run.error.message).to include("It broke").and include("openai (gpt-4o)")
          expect(run.error).to have_attributes(status: 200, partial_text: said.join, **details)
          expect(run.error.request_id).to start_with("req_")
          expect(run.text).to eq(said.join)
          expect(run.last).to be_error.and have_attributes(exception: run.error, error: run.error.message)
          expect(run.chunks).to be_a_proper_sequence
        end
      end
    end

    it "is an error even after the finish reason" do
      run = stream_scripted(bytes: "#{events.first(unfinished + 1).join}data: {\"error\":\"It broke\"}\n\n")

      expect(run.error).to be_a(RAAF::Errors::ProviderError)
      expect(run.error.partial_text).to eq(pieces.join)
    end

    it "hands over no tool call as whole" do
      run = stream_scripted(tool_calls: [weather], finish_reason: nil, error: "It broke")

      expect(run.error).to be_a(RAAF::Errors::ProviderError)
      expect(run.of(:tool_call)).to be_empty
    end
  end
end
