# frozen_string_literal: true

# What the servers of the OpenAI family add to its streams, over a socket.
RSpec.describe "A stream of the OpenAI family" do
  include ReplayHelpers

  # @return [ReplayHelpers::Run] of these events
  def stream(events, line_end: "\n", settings: {}, **script)
    stream_scripted(settings, bytes: FamilyStreams.sse(events, line_end), **script)
  end

  def parts(run)
    (run.result.messages.last[:parts] || {items: []})[:items].map { |item| item[:part] }
  end

  # What a run came to, for comparing one with another.
  def summary(chunks)
    chunks.map { |chunk| [chunk.type, chunk.delta, chunk.cumulative, chunk.tool_name, chunk.citation] }
  end

  def decoded(pieces, **options)
    decoder = RAAF::Streaming::Decoder.new(:openai_chat, **options)
    [pieces.flat_map { |piece| decoder.feed(piece) } + decoder.finish, decoder.outcome]
  end

  FamilyStreams::NAMES.each do |name|
    describe "like that of #{name}" do
      events = FamilyStreams.public_send(name)

      {"LF" => "\n", "CRLF" => "\r\n", "CR" => "\r"}.each do |line_end, bytes|
        it "gives the same however it is cut, with #{line_end}" do
          whole = summary(stream(events, line_end: bytes).chunks)

          [:bytewise, {random: 1, max: 9}, {random: 2, max: 60}].each do |writes|
            expect(summary(stream(events, line_end: bytes, writes: writes).chunks)).to eq(whole)
          end
          expect(whole.last.first).to eq(:complete)
        end
      end

      it "is whole only with its finish reason or terminal mark, cut behind any event" do
        (0..events.size).each do |count|
          sent = events.first(count)
          chunks, outcome = decoded([FamilyStreams.sse(sent)])
          finished = sent.any? { |event| event == "[DONE]" || JSON.generate(event).match?(/"finish_reason":"\w/) }

          expect([count, outcome[:code]]).to eq([count, finished ? :ok : :truncated])
          expect(chunks.none?(&:tool_call?)).to be(true) unless finished
          expect(outcome[:parts].to_s).not_to include("reasoning.") unless finished
        end
      end
    end
  end

  describe "of OpenRouter" do
    subject(:run) { stream(FamilyStreams.openrouter) }

    it "has its reasoning once, though it comes in two spellings" do
      expect(run.deltas(:reasoning)).to eq(["Let me ", "look."])
      expect(run.result.reasoning).to eq("Let me look.")
    end

    it "keeps the reasoning with its signature, and what is encrypted, for the next turn" do
      expect(parts(run)).to eq([
        {type: "reasoning.text", text: "Let me look.", signature: "c2lnbmF0dXJl", format: "anthropic-claude-v1",
         index: 0},
        {type: "reasoning.encrypted", data: "ZW5j", id: "rs_1", format: "openai-responses-v1", index: 1}
      ])
    end

    it "has text, tool call and costs" do
      expect(run.result).to have_attributes(text: "Łódź", finish_reason: "tool_calls")
      expect(run.result.tool_calls.map { |call| call[:name] }).to eq(["weather"])
      expect(run.result.usage).to include(total_tokens: 14, raw: include(cost: 0.001))
    end

    {"at the top" => {error: {code: 502, message: "Upstream failed", metadata: {error_type: "provider_unavailable"}}},
     "in its choice" => {}}.each do |place, more|
      it "that fails in the middle is an error with what had come, reported #{place}" do
        failed = FamilyStreams.delta(finish_reason: "error", content: "", more: more)
        failed[:choices].first[:error] = {code: 502, message: "Upstream failed"} if more.empty?
        run = stream([FamilyStreams.delta(content: "Hel"), failed, "[DONE]"])

        expect(run.error).to be_a(RAAF::Errors::ProviderError).and be_retryable
        expect(run.error).to have_attributes(code: "502", partial_text: "Hel", status: 200)
        expect(run.error.message).to include("Upstream failed")
        expect(run.last).to be_error
      end
    end

    it "knows from the type which error it is" do
      error = {code: 503, message: "Busy", metadata: {error_type: "provider_overloaded"}}
      expect(stream([{error: error, choices: []}]).error).to be_a(RAAF::Errors::OverloadedError)
    end
  end

  describe "of Perplexity" do
    it "has each source once, and its text without the repetitions" do
      run = stream(FamilyStreams.perplexity, line_end: "\r\n")

      expect(run.text).to eq("Warszawa[1][2]")
      expect(run.of(:citation).map(&:citation)).to eq([
        {title: "A", url: "https://a.example/", date: "2026-01-01"}, {title: "B", url: "https://b.example/"}
      ])
    end

    it "has a source that is listed by its address alone" do
      run = stream([FamilyStreams.delta(content: "a", more: {citations: ["https://a.example/"]}),
        FamilyStreams.delta(finish_reason: "stop", more: {citations: ["https://a.example/", "https://b.example/"]})])

      expect(run.of(:citation).map(&:citation)).to eq([{url: "https://a.example/"}, {url: "https://b.example/"}])
    end
  end

  describe "of Mistral" do
    subject(:run) { stream(FamilyStreams.mistral) }

    it "has thinking and text in arrays" do
      expect(run.result).to have_attributes(text: "It rains.", reasoning: "Hm, so", finish_reason: "tool_calls")
      expect(run.of(:citation).map(&:citation)).to eq([{type: "reference", reference_ids: [3]}])
      expect(run.result.tool_calls.first).to include(id: "A1b2C3d4E", arguments: {city: "Łódź"})
    end

    it "keeps signed thinking for the next turn" do
      expect(parts(run)).to eq([{type: "thinking", thinking: [{type: "text", text: "Hm, so"}], signature: "c2ln"}])
    end
  end

  describe "of Azure" do
    it "is not disturbed by the filter's results" do
      run = stream(FamilyStreams.azure)

      expect(run.result).to have_attributes(text: "Hello", finish_reason: "stop")
      expect(run.result.usage).to include(total_tokens: 3)
      expect(run.of(:raw)).to be_empty
    end

    it "shows them where they are asked for" do
      run = stream(FamilyStreams.azure, settings: {raw_events: true})

      raw = run.of(:raw).map(&:raw)
      expect(raw.map { |event| event[:event] }).to eq(["", "keepalive", ""])
      expect(raw.map { |event| event[:data] }.join).to include("prompt_filter_results").and include("check_offset")
      expect(run.text).to eq("Hello")
    end

    it "is had at the deployment's address" do
      RAAF::Testing::ModelServer.start do |server|
        server.script(bytes: FamilyStreams.sse(FamilyStreams.azure))
        provider = RAAF::Models::AzureOpenAIProvider.new(api_key: "azure-key-1", deployment: "mine",
          endpoint: server.base_url.delete_suffix("/v1"), api_version: "2024-10-21")
        agent = RAAF::Agent.new(name: "Assistant", model: "gpt-4o", provider: provider)

        expect(agent.run("Hello").text).to eq("Hello")
        expect(server.requests.last.path).to eq("/openai/deployments/mine/chat/completions?api-version=2024-10-21")
        expect(server.requests.last.headers).to include("api-key" => "azure-key-1")
      end
    end

    it "that the filter ends says so" do
      error = {message: "The response was filtered", code: "content_filter", type: nil, param: "prompt"}
      run = stream([FamilyStreams.delta(content: "He"), {error: error}])

      expect(run.error).to be_a(RAAF::Errors::InvalidRequestError).and have_attributes(code: "content_filter")
      expect(stream([FamilyStreams.delta(finish_reason: "content_filter")]).result.finish_reason)
        .to eq("content_filter")
    end
  end

  describe "of Gemini's compatible server" do
    it "has tool calls without an index, and keeps the signatures for the next turn" do
      run = stream(FamilyStreams.gemini)

      expect(run.result.tool_calls.map { |call| [call[:id], call[:name]] }).to eq([%w[f1 weather], %w[f2 time]])
      expect(parts(run)).to eq([
        {extra_content: {google: {thought_signature: "VGV4dA"}}},
        {tool_call_id: "f1", extra_content: {google: {thought_signature: "U2ln"}}}
      ])
    end
  end

  describe "of Groq" do
    it "has reasoning, an annotation, what Groq's tools did, and its counts" do
      run = stream(FamilyStreams.groq)

      expect(run.result).to have_attributes(text: "Yes.", reasoning: "Search.")
      expect(run.of(:citation).map { |chunk| chunk.citation[:type] }).to eq(["document_citation"])
      expect(parts(run)).to eq([{executed_tool: {index: 0, type: "search", arguments: "{}", output: "found"}}])
      expect(run.result.usage).to include(prompt_tokens: 4, reasoning_tokens: 2)
    end

    it "that fails to call a tool is an error which holds what the model wrote" do
      failed = {error: {message: "Failed to call a function", type: "invalid_request_error", code: "tool_use_failed",
                        failed_generation: "<weather>", status_code: 400}}
      run = stream([FamilyStreams.delta(content: "", role: "assistant"), ["error", failed]])

      expect(run.error).to be_a(RAAF::Errors::InvalidRequestError).and have_attributes(code: "tool_use_failed")
      expect(JSON.parse(run.error.body)).to include("failed_generation" => "<weather>")
    end

    it "that stops early says why" do
      run = stream([FamilyStreams.delta(content: "He"),
        FamilyStreams.delta(finish_reason: "stop", more: {x_groq: {error: "over capacity"}})])

      expect(run.error).to be_a(RAAF::Errors::ProviderError)
      expect(run.error.message).to include("over capacity")
    end
  end

  describe "of DeepSeek" do
    it "has reasoning, tool call and the cache's counts" do
      run = stream(FamilyStreams.deepseek)

      expect(run.result).to have_attributes(text: "One moment.", reasoning: "I need the date.")
      expect(run.result.tool_calls.map { |call| call[:name] }).to eq(["date"])
      expect(run.result.usage).to include(cached_tokens: 12, reasoning_tokens: 5, completion_tokens: 8)
    end
  end

  describe "of vLLM and gpustack" do
    it "ends without [DONE], with the last of its counts" do
      run = stream(FamilyStreams.vllm)

      expect(run.result).to have_attributes(text: "Hello", finish_reason: "stop")
      expect(run.result.usage).to include(completion_tokens: 3, raw: include(ttft_ms: 1.5))
    end
  end

  it "may leave out the space behind data:" do
    bytes = FamilyStreams.sse(FamilyStreams.vllm).gsub("data: ", "data:")

    expect(stream_scripted({}, bytes: bytes).text).to eq("Hello")
  end

  it "may end with [DONE] and no finish reason" do
    run = stream([FamilyStreams.delta(content: "Hi"), "[DONE]"])

    expect(run.error).to be_nil
    expect(run.result).to have_attributes(text: "Hi", finish_reason: nil)
  end

  it "has the transcript of speech for its text" do
    sound = [{id: "audio_1", transcript: "Hel"}, {data: "UklG"}, {transcript: "lo"}]
    run = stream(sound.map { |audio| FamilyStreams.delta(audio: audio) } + [FamilyStreams.delta(finish_reason: "stop")])

    expect(run.text).to eq("Hello")
  end

  describe "with several answers" do
    def answers(*deltas)
      {choices: deltas.each_with_index.map { |delta, index| {index: index, finish_reason: nil, **delta} }}
    end

    let(:events) do
      [answers({delta: {content: "Hel"}}, {delta: {content: "Gu"}}), answers({delta: {content: "lo"}}, {delta: {}}),
        answers({delta: {}}, {delta: {content: "ten Tag"}}), answers({delta: {}, finish_reason: "stop"}),
        answers({delta: {}}, {delta: {}, finish_reason: "length"}), "[DONE]"]
    end

    it "keeps them apart" do
      run = stream(events)

      expect(run.result.choices).to eq([{index: 0, text: "Hello", finish_reason: "stop"},
        {index: 1, text: "Guten Tag", finish_reason: "length"}])
      expect(run.result).to have_attributes(text: "Hello", finish_reason: "stop")
      expect(run.of(:content).map { |chunk| [chunk.choice, chunk.delta, chunk.cumulative] })
        .to eq([[0, "Hel", "Hel"], [1, "Gu", "Gu"], [0, "lo", "Hello"], [1, "ten Tag", "Guten Tag"]])
    end

    it "is whole only when each has its finish reason" do
      expect(stream(events.first(4)).error).to be_a(RAAF::Errors::TruncatedStreamError)
    end

    it "has one choice where there is one answer" do
      expect(stream(FamilyStreams.vllm).result.choices).to eq([{index: 0, text: "Hello", finish_reason: "stop"}])
    end
  end
end
