# frozen_string_literal: true

require "raaf/testing"

# Anthropic's Messages over a socket: what nobody recorded, and the way there and back.
RSpec.describe "Streams of Anthropic's Messages" do
  include ReplayHelpers

  anthropic = {provider_class: RAAF::Streaming::Providers::Anthropic}

  def event(data)
    "event: #{data[:type]}\ndata: #{JSON.generate(data)}\n\n"
  end

  def error_event(type, message)
    event({type: "error", error: {details: nil, type: type, message: message}, request_id: "req_1"})
  end

  define_method(:run_bytes) do |bytes, settings = {}|
    stream_scripted({**anthropic, **settings}, bytes: bytes)
  end

  define_method(:run_script) do |**script|
    stream_scripted(anthropic, **script)
  end

  let(:wire) { RAAF::Testing::AnthropicWire.new }

  describe "an error inside the stream" do
    {"overloaded_error" => RAAF::Errors::OverloadedError, "rate_limit_error" => RAAF::Errors::RateLimitError,
     "api_error" => RAAF::Errors::ServerError, "timeout_error" => RAAF::Errors::ServerError,
     "authentication_error" => RAAF::Errors::AuthenticationError,
     "permission_error" => RAAF::Errors::PermissionError, "not_found_error" => RAAF::Errors::NotFoundError,
     "invalid_request_error" => RAAF::Errors::InvalidRequestError,
     "billing_error" => RAAF::Errors::InvalidRequestError,
     "brand_new_error" => RAAF::Errors::ProviderError}.each do |type, error_class|
      it "of the type #{type} is a #{error_class.name.split("::").last}" do
        run = run_bytes(wire.role + wire.content("Hel") + error_event(type, "It went wrong"))

        expect(run.error).to be_an_instance_of(error_class)
        expect(run.error).to have_attributes(provider: "anthropic", type: type, partial_text: "Hel")
        expect(run.error.message).to include("It went wrong")
        expect(run.chunks.map(&:type)).to eq(%i[content error])
      end
    end

    it "about a conversation that is too long is a ContextLengthError" do
      run = run_bytes(error_event("invalid_request_error", "prompt is too long: 210000 tokens > 200000 maximum"))
      expect(run.error).to be_a(RAAF::Errors::ContextLengthError)
    end

    it "quotes no key" do
      run = run_bytes(error_event("authentication_error", "invalid x-api-key: #{ReplayHelpers::KEY}"))
      expect(run.error.full_message).not_to include(ReplayHelpers::KEY)
    end
  end

  describe "a status" do
    {400 => RAAF::Errors::InvalidRequestError, 401 => RAAF::Errors::AuthenticationError,
     402 => RAAF::Errors::InvalidRequestError, 403 => RAAF::Errors::PermissionError,
     404 => RAAF::Errors::NotFoundError, 413 => RAAF::Errors::InvalidRequestError,
     429 => RAAF::Errors::RateLimitError, 500 => RAAF::Errors::ServerError, 504 => RAAF::Errors::ServerError,
     529 => RAAF::Errors::OverloadedError}.each do |status, error_class|
      it "of #{status} with Anthropic's body is a #{error_class.name.split("::").last}" do
        headers = {"retry-after" => "7", "x-request-id" => nil, "request-id" => "req_9"}
        run = run_script(status: status, headers: headers)

        expect(run.error).to be_an_instance_of(error_class)
        expect(run.error).to have_attributes(status: status, retry_after: 7, request_id: "req_9",
          type: JSON.parse(RAAF::Testing::AnthropicWire.error_body(status, "")).dig("error", "type"))
        expect(run.error.message).to include("scripted answer with status #{status}")
      end
    end
  end

  it "is truncated after every event before its stop reason, and whole with it" do
    events = [wire.role, wire.reasoning("Hm"), wire.content("Hi"), *wire.tool_call(name: "f", arguments: ["{", "}"]),
      wire.finish("tool_calls"), wire.done].join.split(/(?<=\n\n)/)
    outcomes = (1..events.size).map { |count| run_bytes(events.first(count).join) }

    expect(outcomes.map { |run| run.error.class })
      .to eq([RAAF::Errors::TruncatedStreamError] * (events.size - 2) + [NilClass] * 2)
    expect(outcomes.first(11).flat_map(&:chunks).select(&:tool_call?)).to be_empty
    expect(outcomes.last.result.tool_calls).to match([include(name: "f", arguments: {})])
  end

  it "goes on after [DONE], which ends nothing here" do
    run = run_bytes("#{wire.content("a")}data: [DONE]\n\n#{wire.content("b")}#{wire.finish}#{wire.done}")
    expect(run.text).to eq("ab")
    expect(run_bytes("#{wire.content("a")}data: [DONE]\n\n").error).to be_a(RAAF::Errors::TruncatedStreamError)
  end

  {"end_turn" => "stop", "stop_sequence" => "stop", "tool_use" => "tool_calls",
   "max_tokens" => "length", "model_context_window_exceeded" => "length", "refusal" => "content_filter",
   "compaction" => "compaction"}.each do |word, reason|
    it "ends with #{reason} where Anthropic says #{word}" do
      expect(run_bytes(wire.content("a") + wire.finish(word)).result)
        .to have_attributes(finish_reason: reason, raw_finish_reason: word)
    end
  end

  it "has the explanation of a refusal" do
    run = run_script(deltas: ["Well"], refusal: "Not this.")
    expect(run.result).to have_attributes(refusal: "Not this.", finish_reason: "content_filter", final_output: "Well")
    expect(run.deltas(:refusal)).to eq(["Not this."])
  end

  it "counts usage from the start to the end" do
    start = {input_tokens: 10, cache_read_input_tokens: 90, cache_creation_input_tokens: 5, output_tokens: 1,
             service_tier: "standard"}
    bytes = [event({type: "message_start", message: {usage: start}}), wire.content("a"),
      event({type: "message_delta", delta: {stop_reason: "end_turn"},
             usage: {output_tokens: 42, cache_read_input_tokens: nil, output_tokens_details: {thinking_tokens: 30}}})]
    expect(run_bytes(bytes.join).result.usage).to eq(
      prompt_tokens: 105, completion_tokens: 42, total_tokens: 147, cached_tokens: 90, cache_write_tokens: 5,
      reasoning_tokens: 30, raw: start.merge(output_tokens: 42, output_tokens_details: {thinking_tokens: 30})
    )
  end

  it "hands over events that are not known as :raw, where that is asked for" do
    bytes = event({type: "brand_new", x: 1}) + wire.content("a") + wire.finish
    expect(run_bytes(bytes).chunks.map(&:type)).to eq(%i[content complete])
    expect(run_bytes(bytes, raw_events: true).chunks.map(&:type)).to eq(%i[raw content complete])
  end

  it "fails at a malformed event, or goes on after it where that is asked for" do
    bytes = wire.content("a") + event({type: "content_block_delta", index: 0, delta: {type: "text_delta", text: 5}}) +
      wire.content("b") + wire.finish
    expect(run_bytes(bytes).error).to be_a(RAAF::Errors::ProtocolError)
    expect(run_bytes(bytes, malformed_events: :skip).text).to eq("ab")
  end

  it "has citations, and blocks of Anthropic's own tools, for the next turn" do
    search = {type: "server_tool_use", id: "srvtoolu_1", name: "web_search", input: {query: "x"}}
    found = {type: "web_search_tool_result", tool_use_id: "srvtoolu_1", content: [{url: "u", encrypted_content: "E"}]}
    cited = {type: "web_search_result_location", url: "u", encrypted_index: "I"}
    run = run_bytes([wire.content("I search."), wire.block(search), wire.block(found),
      wire.delta({type: "citations_delta", citation: cited}), wire.content("It is so."), wire.finish].join)

    expect(run.of(:citation).size).to eq(1)
    expect(run.result.final_output).to eq("I search.It is so.")
    expect(run.result.messages.last[:parts]).to eq(provider: "anthropic", dialect: :anthropic, items: [
      {at: 9, part: search}, {at: 9, part: found},
      {at: 18, part: {type: "text", text: "It is so.", citations: [cited]}}
    ])
  end

  it "goes on with its answer where Anthropic's own tools have paused it" do
    RAAF::Testing::ModelServer.start do |server|
      search = {type: "server_tool_use", id: "srvtoolu_1", name: "web_search", input: {query: "x"}}
      server.script(bytes: wire.content("I search. ") + wire.block(search) + wire.finish("pause_turn") + wire.done)
      server.script(deltas: ["Found."])
      run = stream_from(server, **anthropic)

      expect(run.chunks).to be_a_proper_sequence
      expect(run.result).to have_attributes(final_output: "I search. Found.", turns: 2, finish_reason: "stop")
      expect(server.requests.last.json[:messages].last[:content].last).to eq(search)
    end
  end

  it "goes on so with callbacks, too, and no further than max_turns" do
    RAAF::Testing::ModelServer.start do |server|
      paused = wire.content("a") + wire.finish("pause_turn") + wire.done
      server.script(bytes: paused, repeat: true)
      stream = runner_for(server, max_turns: 3, **anthropic).stream("Hello").on(:content) { |_| nil }

      expect { stream.result }.to raise_error(RAAF::Errors::MaxTurnsError, /3 turns/)
      expect(server.requests.size).to eq(3)
    end
  end

  describe "with a model server" do
    calls = [{id: "toolu_1", name: "weather", arguments: {city: "Oslo"}}, {id: "toolu_2", name: "now", arguments: ""}]
    usage = {prompt_tokens: 20, completion_tokens: 9, prompt_tokens_details: {cached_tokens: 5},
             completion_tokens_details: {reasoning_tokens: 4}}

    it "comes out as it was scripted, and goes back with the next request as Anthropic takes it" do
      RAAF::Testing::ModelServer.start do |server|
        server.default_script(deltas: ["Well."])
        server.script(reasoning: ["Let me ", "see"], deltas: ["I ", "look."], tool_calls: calls, usage: usage)
        result = stream_from(server, **anthropic).result

        expect(result).to have_attributes(reasoning: "Let me see", final_output: "I look.", finish_reason: "tool_calls")
        expect(result.usage).to include(prompt_tokens: 20, completion_tokens: 9, total_tokens: 29, cached_tokens: 5,
          reasoning_tokens: 4)
        expect(result.tool_calls.map { |call| call.slice(:id, :name, :arguments) })
          .to eq([{id: "toolu_1", name: "weather", arguments: {city: "Oslo"}},
            {id: "toolu_2", name: "now", arguments: {}}])

        results = [{role: "tool", tool_call_id: "toolu_1", content: "Rain"},
          {role: "tool", tool_call_id: "toolu_2", content: "Noon"}, {role: "user", content: "And?"}]
        expect(stream_from(server, result.to_input_list + results, **anthropic).error).to be_nil
        expect(server.requests.last.json[:messages]).to match([
          {role: "user", content: "Hello"},
          {role: "assistant", content: [
            {type: "thinking", thinking: "Let me see", signature: start_with("Sigmsg_")},
            {type: "text", text: "I look."},
            {type: "tool_use", id: "toolu_1", name: "weather", input: {city: "Oslo"}},
            {type: "tool_use", id: "toolu_2", name: "now", input: {}}
          ]},
          {role: "user", content: [{type: "tool_result", tool_use_id: "toolu_1", content: "Rain"},
            {type: "tool_result", tool_use_id: "toolu_2", content: "Noon"}, {type: "text", text: "And?"}]}
        ])
      end
    end

    it "sends the key in its header, and no other" do
      RAAF::Testing::ModelServer.start do |server|
        server.script(deltas: ["Well."])
        stream_from(server, **anthropic)
        headers = server.requests.last.headers
        expect(headers).to include("x-api-key" => ReplayHelpers::KEY, "anthropic-version" => "2023-06-01")
        expect(headers).not_to include("authorization")
        expect(server.requests.last.json).to include(stream: true, system: "Be brief.")
      end
    end

    it "answers by itself, the same as in any other format" do
      RAAF::Testing::ModelServer.start do |server|
        server.default_script(demo: true, delay: 0, first_delay: 0)
        answers = [stream_from(server, **anthropic), stream_from(server)]
        expect(answers.map(&:text).uniq.size).to eq(1)
        expect(answers.first.result).to have_attributes(finish_reason: "stop", usage: include(:total_tokens))
      end
    end

    it "refuses in Anthropic's form what is no conversation" do
      RAAF::Testing::ModelServer.start do |server|
        provider = RAAF::Streaming::Providers::Anthropic.new(api_key: "k", base_url: server.base_url,
          extra_body: {messages: nil})
        agent = RAAF::Agent.new(name: "Assistant", model: "claude-sonnet-5", provider: provider)
        expect { agent.run("Hi") }.to raise_error(RAAF::Errors::InvalidRequestError, /must be a list of messages/) { |e|
          expect(e).to have_attributes(type: "invalid_request_error", code: nil)
        }
      end
    end

    it "ends a run with an error event where one is scripted" do
      run = run_script(deltas: ["a"], error: {message: "Overloaded", type: "overloaded_error"})
      expect(run.error).to be_a(RAAF::Errors::OverloadedError)
    end

    it "waits a moment for usage behind the stop reason, and not for the end of the connection" do
      run = run_script(deltas: ["a"], usage: {prompt_tokens: 1, completion_tokens: 2}, done: false, keep_open: true)
      expect(run.result.usage).to include(total_tokens: 3)
    end
  end
end
