# frozen_string_literal: true

# Gemini's format where nobody has recorded it, and a conversation with it over a socket.
RSpec.describe "Gemini" do
  include ReplayHelpers

  # @return [Hash] a candidate's parts as an event
  def parts(*parts)
    {candidates: [{content: {parts: parts, role: "model"}, index: 0}]}
  end

  def finish(reason = "STOP", **more)
    {candidates: [{finishReason: reason, index: 0}], **more}
  end

  def body(*events)
    events.map { |event| "data: #{JSON.generate(event)}\r\n\r\n" }.join
  end

  # @return [ReplayHelpers::Run]
  def run(*events, **script)
    stream_scripted({provider_class: RAAF::Models::GeminiProvider}, bytes: body(*events), **script)
  end

  whole = [
    {candidates: [{content: {parts: [{text: "Hm", thought: true}]}}], usageMetadata: {promptTokenCount: 4}},
    {candidates: [{content: {parts: [{text: "It is "}]}}]},
    {candidates: [{content: {parts: [{functionCall: {name: "weather", args: {city: "Rome"}},
                                      thoughtSignature: "c2ln"}]}}]},
    {candidates: [{content: {parts: [{text: "20."}]}, groundingMetadata: {groundingChunks: [{web: {uri: "u"}}]}}]},
    {candidates: [{finishReason: "STOP"}], usageMetadata: {promptTokenCount: 4, candidatesTokenCount: 9,
                                                           thoughtsTokenCount: 3, totalTokenCount: 16}}
  ]

  it "gives text, thoughts, calls, sources and usage, each in its place" do
    run = run(*whole)
    expect(run.chunks[0..-2].map { |chunk| [chunk.type, chunk.delta] }).to eq(
      [[:reasoning, "Hm"], [:content, "It is "], [:tool_call_delta, '{"city":"Rome"}'], [:tool_call, ""],
        [:content, "20."], [:citation, ""]]
    )
    expect(run.of(:citation).first.citation).to eq(web: {uri: "u"})
    expect(run.result.usage).to include(prompt_tokens: 4, completion_tokens: 12, reasoning_tokens: 3, total_tokens: 16)
    expect([run.result.finish_reason, run.result.raw_finish_reason, run.last.finish_reason])
      .to eq(%w[tool_calls STOP tool_calls])
  end

  whole.each_index.drop(1).each do |count|
    it "is truncated, and never a success, when the stream ends behind event #{count} of #{whole.size}" do
      run = run(*whole.first(count))
      expect(run.error).to be_a(RAAF::Errors::TruncatedStreamError)
      expect(run.error.partial_text).to eq(run.text)
      expect(run.last).to be_terminal
    end
  end

  it "keeps choices apart, and knows which of them calls a tool" do
    run = run({candidates: [{index: 0, content: {parts: [{text: "a"}]}, finishReason: "STOP"},
      {index: 1, content: {parts: [{functionCall: {name: "f"}}]}, finishReason: "STOP"},
      {index: 2, content: {parts: [{text: "c"}]}, finishReason: "MAX_TOKENS"}]})
    expect(run.result.choices).to eq([{index: 0, text: "a", finish_reason: "stop"},
      {index: 1, text: "", finish_reason: "tool_calls"}, {index: 2, text: "c", finish_reason: "length"}])
    expect(run.result.finish_reason).to eq("stop")
  end

  it "ends well, with nothing said, where the prompt is blocked" do
    result = run({promptFeedback: {blockReason: "OTHER"}, usageMetadata: {promptTokenCount: 9, totalTokenCount: 9}})
      .result
    expect([result.final_output, result.finish_reason, result.raw_finish_reason])
      .to eq(["", "content_filter", "BLOCK_REASON_OTHER"])
    expect(result.usage).to include(prompt_tokens: 9, completion_tokens: 0)
  end

  {
    "SAFETY" => "content_filter", "RECITATION" => "content_filter", "IMAGE_PROHIBITED_CONTENT" => "content_filter",
    "MAX_TOKENS" => "length", "UNEXPECTED_TOOL_CALL" => "error", "LANGUAGE" => "LANGUAGE"
  }.each do |word, reason|
    it "has the finish reason #{reason.inspect} for #{word}" do
      expect(run(finish(word)).result.finish_reason).to eq(reason)
    end
  end

  {
    {code: 429, status: "RESOURCE_EXHAUSTED"} => RAAF::Errors::RateLimitError,
    {code: 503, status: "UNAVAILABLE", message: "The model is overloaded."} => RAAF::Errors::OverloadedError,
    {code: 500, status: "INTERNAL"} => RAAF::Errors::ServerError,
    {code: 403, status: "PERMISSION_DENIED"} => RAAF::Errors::PermissionError,
    {code: 400, status: "INVALID_ARGUMENT"} => RAAF::Errors::InvalidRequestError,
    {code: 400, status: "INVALID_ARGUMENT",
     message: "The input token count (9) exceeds the maximum"} => RAAF::Errors::ContextLengthError
  }.each do |error, error_class|
    it "raises #{error_class.name.split("::").last} for #{error} in the middle of a stream" do
      run = run(parts({text: "Hel"}), {error: error})
      expect(run.error).to be_an_instance_of(error_class)
      expect([run.error.partial_text, run.error.type]).to eq(["Hel", error[:status]])
    end

    it "raises #{error_class.name.split("::").last} for #{error} as the response" do
      run = stream_scripted({provider_class: RAAF::Models::GeminiProvider}, status: error[:code], body: {error: error})
      expect(run.error).to be_an_instance_of(error_class)
    end
  end

  it "reads an error that comes as JSON with status 200" do
    run = stream_scripted({provider_class: RAAF::Models::GeminiProvider},
      body: {error: {code: 429, status: "RESOURCE_EXHAUSTED", message: "Slow down"}})
    expect(run.error).to be_a(RAAF::Errors::RateLimitError)
  end

  describe "with a model server" do
    let(:tools) do
      [{name: "weather", parameters: {type: "object", properties: {city: {type: "string"}}}}, {name: "time"}]
    end

    def ask(server, messages, tools: self.tools, **options)
      provider = RAAF::Models::GeminiProvider.new(api_key: "goog-test-key", base_url: server.base_url)
      agent = RAAF::Agent.new(name: "A", instructions: "Be brief.", model: "gemini-2.5-flash", tools: tools)
      RAAF::Streaming::AsyncRunner.new(agent: agent, provider: provider).run_and_stream(messages, **options)
    end

    it "answers with what was scripted, and is asked again with all of it" do
      RAAF::Testing::ModelServer.start do |server|
        server.script(reasoning: ["Hm, ", "two"], deltas: ["Let me ", "look.", {text: "", thoughtSignature: "dHh0"}],
          tool_calls: [{name: "weather", arguments: {city: "Rome"}, signature: "c2ln"}, {name: "time"}],
          usage: {prompt_tokens: 10, completion_tokens: 7, reasoning_tokens: 2})
        server.script(deltas: ["20 degrees at noon."])

        first = ask(server, "Weather and time?")
        expect([first.reasoning, first.text, first.finish_reason]).to eq(["Hm, two", "Let me look.", "tool_calls"])
        expect(first.tool_calls.map { |call| call.values_at(:name, :arguments) })
          .to eq([["weather", {city: "Rome"}], ["time", {}]])
        expect(first.usage).to include(prompt_tokens: 10, completion_tokens: 7, reasoning_tokens: 2, total_tokens: 17)

        ids = first.tool_calls.map { |call| call[:id] }
        second = ask(server, first.messages + [{role: "tool", tool_call_id: ids[0], content: '{"t":20}'},
          {role: "tool", tool_call_id: ids[1], content: "noon"}])
        expect(second.text).to eq("20 degrees at noon.")
        request = server.requests.last
        expect(request.path).to end_with("/models/gemini-2.5-flash:streamGenerateContent?alt=sse")
        expect(request.headers).to include("x-goog-api-key" => "goog-test-key")
        expect(request.json[:contents]).to eq(
          [{role: "user", parts: [{text: "Weather and time?"}]},
            {role: "model", parts: [{text: "Let me look."}, {text: "", thoughtSignature: "dHh0"},
              {functionCall: {name: "weather", args: {city: "Rome"}}, thoughtSignature: "c2ln"},
              {functionCall: {name: "time", args: {}}}]},
            {role: "user", parts: [{functionResponse: {name: "weather", response: {t: 20}}},
              {functionResponse: {name: "time", response: {output: "noon"}}}]}]
        )
        expect(request.json[:systemInstruction]).to eq(parts: [{text: "Be brief."}])
      end
    end

    # A tool that can be called.
    def weather
      Class.new do
        def name = "weather"
        def parameters = {type: "object", properties: {city: {type: "string"}}}
        def call(city:) = "20 degrees in #{city}"
      end.new
    end

    it "goes on by itself with what tools came to" do
      RAAF::Testing::ModelServer.start do |server|
        server.script(tool_calls: [{name: "weather", arguments: {city: "Rome"}, signature: "c2ln"},
          {name: "weather", arguments: {city: "Oslo"}}])
        server.script(deltas: ["The same."])
        result = ask(server, "Rome or Oslo?", tools: [weather])
        expect([result.text, result.finish_reason, result.turns]).to eq(["The same.", "stop", 2])
        expect(server.requests.last.json[:contents].drop(1)).to eq(
          [{role: "model", parts: [
            {functionCall: {name: "weather", args: {city: "Rome"}}, thoughtSignature: "c2ln"},
            {functionCall: {name: "weather", args: {city: "Oslo"}}}
          ]},
            {role: "user", parts: %w[Rome Oslo].map do |city|
              {functionResponse: {name: "weather", response: {output: "20 degrees in #{city}"}}}
            end}]
        )
      end
    end

    it "is answered by itself where nothing is scripted" do
      RAAF::Testing::ModelServer.start do |server|
        server.script(demo: true, tokens: 5, delay: 0, first_delay: 0)
        result = ask(server, "What is a heron?")
        expect(result.text).not_to be_empty
        expect(result.usage[:completion_tokens]).to eq(5)
      end
    end

    it "gets errors in Gemini's own form" do
      RAAF::Testing::ModelServer.start do |server|
        server.script(status: 429)
        expect { ask(server, "Hi", max_retries: 0) }.to raise_error(RAAF::Errors::RateLimitError) { |error|
          expect([error.type, error.code]).to eq(%w[RESOURCE_EXHAUSTED 429])
        }
      end
    end
  end
end
