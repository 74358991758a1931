# frozen_string_literal: true

require "json"
require "net/http"

# OpenAI's Responses over a socket: a scripted answer comes out as it went in, and goes back in the next turn.
RSpec.describe "OpenAI's Responses" do
  include ReplayHelpers

  weather = {id: "call_1", name: "weather", arguments: ['{"city":', '"Łódź"}']}
  time = {id: "call_2", name: "time", arguments: "{}"}
  answer = {reasoning: ["Hm", ", so"], deltas: ["Hel", "lo 👋"], tool_calls: [weather, time],
            usage: {prompt_tokens: 30, completion_tokens: 12, prompt_tokens_details: {cached_tokens: 20},
                    completion_tokens_details: {reasoning_tokens: 8}}}

  def run(settings = {}, **script, &block)
    stream_scripted({provider_class: RAAF::Models::ResponsesProvider, **settings}, **script, &block)
  end

  # The bytes of an answer, event for event.
  def events_of(wire = RAAF::Testing::OpenAIResponsesWire.new)
    yield(wire).join.scan(/.*?\n\n/m)
  end

  def bytes_of(*events)
    events.map { |event| "data: #{JSON.generate(event)}\n\n" }.join
  end

  def run_events(*events, **settings)
    run(settings, bytes: bytes_of(*events))
  end

  def completed(*output, **fields)
    {type: "response.completed", response: {status: "completed", error: nil, output: output, **fields}}
  end

  def message(*parts, **fields)
    {type: "message", role: "assistant", content: parts, **fields}
  end

  describe "a scripted answer" do
    it "comes out as it went in" do
      answered = run(**answer)
      result = answered.result

      expect(answered.deltas(:reasoning)).to eq(["Hm", ", so"])
      expect(answered.deltas(:content)).to eq(["Hel", "lo 👋"])
      expect(answered.of(:tool_call).map(&:arguments)).to eq([{city: "Łódź"}, {}])
      expect(result).to have_attributes(text: "Hello 👋", reasoning: "Hm, so", finish_reason: "tool_calls",
        raw_finish_reason: "completed", refusal: nil)
      expect(result.tool_calls.map { |call| call.slice(:id, :name) })
        .to eq([{id: "call_1", name: "weather"}, {id: "call_2", name: "time"}])
      expect(result.usage).to include(prompt_tokens: 30, completion_tokens: 12, total_tokens: 42, cached_tokens: 20,
        reasoning_tokens: 8, raw: include(input_tokens: 30))
      expect(answered.chunks).to be_a_proper_sequence
    end

    it "goes back in the next turn, with its reasoning and what the tools gave" do
      RAAF::Testing::ModelServer.start do |server|
        server.script(**answer)
        server.script(deltas: ["Fine"])
        messages = stream_from(server, provider_class: RAAF::Models::ResponsesProvider).result.messages
        results = [{role: "tool", tool_call_id: "call_1", content: "rain"},
          {role: "tool", tool_call_id: "call_2", content: "noon"}]
        result = stream_from(server, messages + results, provider_class: RAAF::Models::ResponsesProvider).result

        expect(result.text).to eq("Fine")
        expect(server.requests.last.path).to eq("/v1/responses")
        expect(server.requests.last.json).to include(instructions: "Be brief.", store: false)
        expect(server.requests.last.json[:input]).to match(
          [{role: "user", content: "Hello"},
            include(type: "reasoning", encrypted_content: /\Aencrypted-rs_/,
              summary: [{type: "summary_text", text: "Hm, so"}]),
            {type: "message", role: "assistant", content: [{type: "output_text", text: "Hello 👋"}]},
            include(type: "function_call", call_id: "call_1", name: "weather", arguments: '{"city":"Łódź"}'),
            include(type: "function_call", call_id: "call_2", name: "time", arguments: "{}"),
            {type: "function_call_output", call_id: "call_1", output: "rain"},
            {type: "function_call_output", call_id: "call_2", output: "noon"}]
        )
      end
    end

    it "keeps the provider's own items where they were" do
      search = {type: "web_search_call", id: "ws_1", status: "completed"}
      bytes = events_of { |wire| [wire.role, wire.content("ab"), wire.item(search), wire.content("c"), wire.done] }.join
      result = run(bytes: bytes).result

      expect(result.text).to eq("abc")
      expect(result.messages.last[:parts]).to eq(provider: "openai", dialect: :openai_responses,
        items: [{at: 2, part: search}])
    end

    it "has sources" do
      bytes = events_of { |wire| [wire.content("a"), wire.annotation(url: "https://x"), wire.done] }.join
      expect(run(bytes: bytes).of(:citation).map(&:citation)).to match([include(url: "https://x")])
    end

    it "may be refused, cut by a limit, or filtered" do
      expect(run(refusal: ["I can", "not"]).result).to have_attributes(refusal: "I cannot", finish_reason: "stop")
      expect(run(deltas: ["a"], finish_reason: "length").result)
        .to have_attributes(finish_reason: "length", raw_finish_reason: "max_output_tokens")
      expect(run(deltas: ["a"], finish_reason: "content_filter").result.finish_reason).to eq("content_filter")
    end

    it "needs no end of the connection" do
      expect(run(**answer, keep_open: true).result.text).to eq("Hello 👋")
    end
  end

  describe "cut after any event but the last" do
    events = RAAF::Testing::OpenAIResponsesWire.new.then do |wire|
      [wire.role, wire.reasoning("Hm"), wire.content("Hel"), wire.content("lo"), wire.refusal("No"),
        wire.tool_call(**weather), wire.finish, wire.done].join.scan(/.*?\n\n/m)
    end
    calls_done_at = events.index { |event| event.include?('"status":"completed","arguments"') } + 1

    (0...events.size).each do |count|
      it "is an error with what was delivered, after #{count} of #{events.size} events" do
        cut = run(bytes: events.first(count).join, transfer: :close)

        expect(cut.error).to be_a(RAAF::Errors::TruncatedStreamError)
        expect(cut.error.partial_text).to eq(cut.text)
        expect("Hello").to start_with(cut.text)
        expect(cut.of(:tool_call).size).to eq((count >= calls_done_at) ? 1 : 0)
        expect(cut.chunks).to be_a_proper_sequence
      end
    end

    it "is whole with the last one" do
      expect(run(bytes: events.join, transfer: :close).result.text).to eq("Hello")
    end

    it "is an error although [DONE] came" do
      expect(run(bytes: "#{events[0..-2].join}data: [DONE]\n\n").error).to be_a(RAAF::Errors::TruncatedStreamError)
    end

    it "is an error at every byte" do
      bytes = events.join.b
      ((bytes.bytesize - 700)...(bytes.bytesize - 1)).step(13) do |count|
        decoder = RAAF::Streaming::Decoder.new(:openai_responses)
        chunks = decoder.feed(bytes.byteslice(0, count)) + decoder.finish
        expect([count, chunks.last.type]).to eq([count, :error])
      end
    end
  end

  describe "errors inside the stream" do
    def failed(**error)
      {type: "response.failed", response: {status: "failed", error: error}}
    end

    it "keep what was delivered" do
      failure = run(deltas: ["Hel"], error: {message: "Busy", type: "server_error", code: "server_error"})

      expect(failure.error).to be_a(RAAF::Errors::ServerError).and have_attributes(partial_text: "Hel", status: 200)
      expect(failure.error.message).to include("Busy")
      expect(failure.last.exception).to equal(failure.error)
    end

    {
      "server_error" => RAAF::Errors::ServerError, "vector_store_timeout" => RAAF::Errors::ServerError,
      "rate_limit_exceeded" => RAAF::Errors::RateLimitError, "insufficient_quota" => RAAF::Errors::RateLimitError,
      "server_is_overloaded" => RAAF::Errors::OverloadedError, "slow_down" => RAAF::Errors::OverloadedError,
      "context_length_exceeded" => RAAF::Errors::ContextLengthError,
      "invalid_prompt" => RAAF::Errors::InvalidRequestError, "invalid_image_url" => RAAF::Errors::InvalidRequestError,
      "image_file_not_found" => RAAF::Errors::InvalidRequestError, "new_code" => RAAF::Errors::ProviderError
    }.each do |code, error_class|
      it "of a failed response are a #{error_class.name.split("::").last} for #{code}" do
        expect(run_events(failed(code: code, message: "Oh")).error)
          .to be_an_instance_of(error_class).and have_attributes(code: code, message: /Oh/)
      end
    end

    it "lead to another attempt where no words came, of which alone the next turn hears" do
      items = %w[rs_1 rs_2].map { |id| {type: "reasoning", id: id, summary: [], encrypted_content: "g"} }
      done = items.map { |item| {type: "response.output_item.done", item: item} }
      last = [failed(code: "server_error", message: "Oh"), completed(message({type: "output_text", text: "Hi"}))]
      RAAF::Testing::ModelServer.start do |server|
        done.zip(last) { |events| server.script(bytes: bytes_of(*events)) }
        result = stream_from(server, provider_class: RAAF::Models::ResponsesProvider, max_retries: 1,
          retry_delay: 0.002)
          .result

        expect(result).to have_attributes(text: "Hi", attempts: 2)
        expect(result.messages.last[:parts][:items]).to eq([{at: 0, part: items.last}])
      end
    end

    it "may stand at the top of an event, or below" do
      top = run_events({type: "error", code: "rate_limit_exceeded", message: "Slow", param: nil})
      below = run_events({type: "error", error: {type: "invalid_request_error", code: "context_length_exceeded",
                                                 message: "Long", param: "input"}})

      expect(top.error).to be_a(RAAF::Errors::RateLimitError)
      expect(below.error).to be_a(RAAF::Errors::ContextLengthError).and have_attributes(param: "input")
    end

    it "are none where they are null" do
      expect(run_events({type: "response.created", response: {error: nil}}, completed).result.text).to eq("")
    end

    it "in a body have their class by the status" do
      body = {error: {message: "Bad key", type: "invalid_request_error", code: "invalid_api_key", param: nil}}
      expect(run(status: 401, body: body).error).to be_a(RAAF::Errors::AuthenticationError)
    end
  end

  describe "text and calls that come whole only" do
    let(:text) { {type: "output_text", text: "Hello", annotations: []} }
    let(:call) { {type: "function_call", id: "fc_1", call_id: "a", name: "f", arguments: '{"x":1}'} }

    it "are handed over once, wherever they first stand" do
      item = {type: "response.output_item.done", output_index: 0, item: message(text)}
      part = {type: "response.content_part.done", output_index: 0, content_index: 0, part: text}
      all = {type: "response.output_text.done", output_index: 0, content_index: 0, text: "Hello"}
      last = completed(message(text), call)

      [[all, part, item, last], [part, item, last], [item, last], [last]].each do |events|
        answered = run_events(*events)
        expect(answered.deltas(:content)).to eq(["Hello"])
        expect(answered.of(:tool_call).map(&:arguments)).to eq([{x: 1}])
      end
    end

    it "are known by the event's name where the data has no type" do
      bytes = "event: response.output_text.delta\ndata: {\"delta\":\"Hi\"}\n\n" \
              "event: response.completed\ndata: {\"response\":{}}\n\n"
      expect(run(bytes: bytes).result.text).to eq("Hi")
    end
  end

  describe "events that say nothing" do
    events = [{type: "response.created", response: {id: "resp_1"}}, {type: "keepalive", sequence_number: 1},
      {type: "response.web_search_call.searching", output_index: 0}]

    it "pass" do
      expect(run_events(*events, completed).chunks.map(&:type)).to eq([:complete])
    end

    it "are shown where asked for, the response's id among them" do
      raw = run_events(*events, completed, raw_events: true).of(:raw)
      expect(raw.map { |chunk| JSON.parse(chunk.raw[:data], symbolize_names: true) }).to eq(events)
    end
  end

  it "are answered by the model server without a script, as a stream or as one object" do
    RAAF::Testing::ModelServer.start do |server|
      server.default_script(demo: true, delay: 0, first_delay: 0)
      streamed = stream_from(server, "Tell me about owls", provider_class: RAAF::Models::ResponsesProvider)
      body = JSON.generate({model: "m", stream: false, input: "Tell me about owls"})
      whole = JSON.parse(Net::HTTP.post(URI("#{server.base_url}/responses"), body).body)

      expect(streamed.text).to include("owls")
      expect(whole.dig("output", 0, "content", 0, "text")).to eq(streamed.text)
      expect(streamed.result.usage[:completion_tokens]).to eq(streamed.of(:content).size)
    end
  end
end
