# frozen_string_literal: true

# OpenAI's chat format and what its family makes of it: bytes in, chunks out, the same in every split.
RSpec.describe RAAF::Streaming::Decoder do
  # @return [Array(Array<RAAF::Streaming::Chunk>, Hash)] all chunks, and the outcome
  def decode(pieces, **options)
    decoder = described_class.new(:openai_chat, **options)
    chunks = pieces.flat_map { |piece| decoder.feed(piece) } + decoder.finish
    [chunks, decoder.outcome]
  end

  # Everything about them that a split must not change.
  def summary(chunks, outcome)
    known = chunks.map do |chunk|
      [chunk.type, chunk.choice, chunk.delta, chunk.cumulative, chunk.seq, chunk.tool_index, chunk.tool_id,
        chunk.tool_name, chunk.raw_arguments]
    end
    [known, outcome.except(:timings)]
  end

  # Decodes in every split, and compares.
  # @return [Array(Array<RAAF::Streaming::Chunk>, Hash)]
  def decoded(bytes, **options)
    results = []
    ReplaySplits.each(bytes) { |pieces| results << decode(pieces, **options) }
    expect(results.map { |result| summary(*result) }.uniq.size).to eq(1)
    expect(results.first.first).to be_a_proper_sequence
    results.first
  end

  # @param events [Array<Hash, String>] written as events; a String as it is
  def body(*events)
    events.map { |event| "data: #{event.is_a?(String) ? event : JSON.generate(event)}\n\n" }.join
  end

  def delta(fields, finish_reason: nil, index: 0)
    {choices: [{index: index, delta: fields, finish_reason: finish_reason}]}
  end

  def call(**fields)
    fragment = {index: fields[:index], id: fields[:id]}.compact
    delta({tool_calls: [fragment.merge(function: fields.slice(:name, :arguments))]})
  end

  # @return [Array<Array(Symbol, String)>] type and delta of every chunk but the last
  def pieces(*events, **options)
    decoded(body(*events, "[DONE]"), **options).first[0..-2].map(&:deconstruct)
  end

  # @return [Array<Array>] index, id, name and arguments (String) of every whole call
  def calls(*events)
    chunks, = decoded(body(*events, delta({}, finish_reason: "tool_calls"), "[DONE]"))
    chunks.select(&:tool_call?).map { |c| [c.tool_index, c.tool_id, c.tool_name, c.raw_arguments] }
  end

  describe "content" do
    it "is a chunk for each piece, and none for an empty one" do
      expect(pieces(delta({role: "assistant", content: ""}), delta({content: "Hel"}), delta({content: nil}),
        delta({content: "lo"}), delta({}))).to eq([[:content, "Hel"], [:content, "lo"]])
    end

    it "may be a list of parts, thinking among them" do
      parts = [{type: "thinking", thinking: [{type: "text", text: "Hm"}]}, {type: "text", text: "Hel"},
        {type: "text", text: "lo"}]

      expect(pieces(delta({content: parts}))).to eq([[:reasoning, "Hm"], [:content, "Hello"]])
    end

    it "is malformed where it is something else" do
      [1, true].each do |content|
        chunks, outcome = decoded(body(delta({content: content}), "[DONE]"))
        expect(chunks.map(&:type)).to eq([:error])
        expect(outcome[:code]).to eq(:invalid_event)
      end
    end

    it "is kept apart for each choice" do
      chunks, outcome = decoded(body(delta({content: "a"}), delta({content: "b"}, index: 1), delta({content: "c"}),
        "[DONE]"))

      expect(chunks[0..-2].map { |chunk| [chunk.choice, chunk.cumulative] }).to eq([[0, "a"], [1, "b"], [0, "ac"]])
      expect(outcome[:choices]).to eq(0 => "ac", 1 => "b")
    end
  end

  describe "reasoning" do
    {
      "reasoning_content" => {reasoning_content: "Hm"}, "reasoning" => {reasoning: "Hm"},
      "reasoning_details" => {reasoning_details: [{type: "reasoning.text", text: "Hm"}]},
      "a summary" => {reasoning_details: [{type: "reasoning.summary", summary: "Hm"}]},
      "all of them at once" => {reasoning: "Hm", reasoning_content: "Hm", reasoning_details: [{text: "Hm"}]}
    }.each do |name, fields|
      it "is read from #{name}, once" do
        chunks, outcome = decoded(body(delta(fields), delta({content: "Yes"}), "[DONE]"))

        expect(chunks.map(&:deconstruct)).to eq([[:reasoning, "Hm"], [:content, "Yes"], [:complete, ""]])
        expect(chunks.map(&:cumulative)).to eq(["", "Yes", "Yes"])
        expect(outcome[:reasoning]).to eq("Hm")
      end
    end
  end

  it "reads a refusal" do
    chunks, outcome = decoded(body(delta({refusal: "I "}), delta({refusal: "can't"}), "[DONE]"))

    expect(chunks.map(&:deconstruct)).to eq([[:refusal, "I "], [:refusal, "can't"], [:complete, ""]])
    expect(outcome[:refusal]).to eq("I can't")
  end

  describe "a tool call" do
    it "is handed over piece by piece, and whole with the finish reason" do
      chunks, = decoded(body(call(index: 0, id: "c1", name: "weather", arguments: ""),
        call(index: 0, arguments: '{"city":'), call(index: 0, arguments: '"Łódź"}'),
        delta({}, finish_reason: "tool_calls"), "[DONE]"))

      expect(chunks.map(&:deconstruct)).to eq([[:tool_call_delta, ""], [:tool_call_delta, '{"city":'],
        [:tool_call_delta, '"Łódź"}'], [:tool_call, ""], [:complete, ""]])
      expect(chunks[3]).to have_attributes(tool_id: "c1", tool_name: "weather", tool_index: 0,
        raw_arguments: '{"city":"Łódź"}', arguments: {city: "Łódź"})
    end

    it "may be mixed with others, and keeps their order" do
      expect(calls(call(index: 1, id: "b", name: "two", arguments: "{"), call(index: 0, id: "a", name: "one"),
        call(index: 1, arguments: "}"), call(index: 0, arguments: "{}")))
        .to eq([[1, "b", "two", "{}"], [0, "a", "one", "{}"]])
    end

    it "may have any number for an index, which is a key and no size" do
      [2_000_000_000, -1, 9_007_199_254_740_993].each do |index|
        expect(calls(call(index: index, id: "a", name: "one", arguments: "{"), call(index: index, arguments: "}")))
          .to eq([[index, "a", "one", "{}"]])
      end
    end

    it "may have no index: a new id, or a new name, is a new call" do
      expect(calls(call(id: "a", name: "one", arguments: "{"), call(arguments: "}"), call(id: "b", name: "two"),
        call(arguments: "{}"))).to eq([[0, "a", "one", "{}"], [1, "b", "two", "{}"]])
      expect(calls(call(name: "one", arguments: "{}"), call(name: "two", arguments: "[]")))
        .to eq([[0, nil, "one", "{}"], [1, nil, "two", "[]"]])
    end

    it "is another one where a server gives each the index 0" do
      expect(calls(call(index: 0, id: "a", name: "one", arguments: "{}"),
        call(index: 0, id: "b", name: "two", arguments: "[]")).map { |c| c.drop(1) })
        .to eq([["a", "one", "{}"], ["b", "two", "[]"]])
    end

    it "may come in the old form" do
      expect(calls(delta({function_call: {name: "one", arguments: "{"}}), delta({function_call: {arguments: "}"}})))
        .to eq([[0, nil, "one", "{}"]])
    end

    it "may have an object for arguments" do
      expect(calls(call(index: 0, id: "a", name: "one", arguments: {city: "Łódź", list: [1, {x: nil}]})))
        .to eq([[0, "a", "one", '{"city":"Łódź","list":[1,{"x":null}]}']])
    end

    it "may have arguments that are no JSON, which are handed over as they came" do
      chunks, = decoded(body(call(index: 0, id: "a", name: "one", arguments: "{not JSON"), "[DONE]"))

      expect(chunks[-2]).to have_attributes(type: :tool_call, raw_arguments: "{not JSON", arguments: {})
    end

    it "is none where the answer was cut off" do
      chunks, outcome = decoded(body(call(index: 0, id: "a", name: "one", arguments: '{"city":')))

      expect(chunks.map(&:type)).to eq(%i[tool_call_delta error])
      expect(outcome[:code]).to eq(:truncated)
    end
  end

  describe "usage" do
    counts = {prompt_tokens: 9, completion_tokens: 12, total_tokens: 21}

    it "is read wherever it stands" do
      places = [{choices: [], usage: counts}, {usage: counts}, {choices: nil, usage: counts},
        {x_groq: {id: "r", usage: counts}}, delta({}, finish_reason: "stop").merge(usage: counts)]
      places.each do |event|
        _, outcome = decoded(body(delta({content: "a"}).merge(usage: nil), event, "[DONE]"))

        expect(outcome[:usage]).to eq(counts)
        expect(JSON.parse(outcome[:usage_json], symbolize_names: true)).to eq(counts)
      end
    end

    it "has the details, and the last one counts" do
      details = counts.merge(prompt_tokens_details: {cached_tokens: 3, audio_tokens: 1},
        completion_tokens_details: {reasoning_tokens: 5, audio_tokens: 0}, cost: 0.25)
      _, outcome = decoded(body({choices: [], usage: {prompt_tokens: 1}}, {choices: [], usage: details}, "[DONE]"))

      expect(outcome[:usage]).to eq(counts.merge(cached_tokens: 3, reasoning_tokens: 5, audio_prompt_tokens: 1,
        audio_completion_tokens: 0))
    end

    it "leaves out numbers that are none" do
      usage = '{"choices":[],"usage":{"prompt_tokens":1e400,"completion_tokens":123456789012345678901234567890,' \
              '"total_tokens":-5,"prompt_tokens_details":null}}'
      chunks, outcome = decoded(body(usage, "[DONE]"))

      expect(chunks.last).to be_complete
      expect(outcome[:usage]).to eq({})
    end
  end

  describe "the end" do
    it "is known step by step" do
      decoder = described_class.new
      steps = [delta({content: "a"}), delta({}, finish_reason: "stop"), {choices: [], usage: {total_tokens: 1}},
        "[DONE]"]

      expect(decoder.progress).to eq(:open)
      progress = steps.map { |event| decoder.feed(body(event)) && decoder.progress }
      expect(progress).to eq(%i[open finished settled done])
    end

    it "is no empty finish reason" do
      chunks, outcome = decoded(body(delta({content: "a"}, finish_reason: ""), delta({content: "b"})))

      expect(outcome[:code]).to eq(:truncated)
      expect(chunks.last.cumulative).to eq("ab")
    end

    it "takes nothing more after [DONE]" do
      decoder = described_class.new
      chunks = decoder.feed(body(delta({content: "a"}), "[DONE]", delta({content: "b"})))

      expect(chunks.map(&:type)).to eq(%i[content complete])
      expect(decoder.feed(body(delta({content: "c"})))).to eq([])
      expect(decoder.finish).to eq([])
    end

    it "is unknown before it has come" do
      decoder = described_class.new
      decoder.feed(body(delta({content: "a"})))

      expect(decoder.outcome).to be_nil
      decoder.finish
      expect(decoder.outcome).to include(code: :truncated, events: 1)
    end
  end

  describe "text" do
    # Pieces as they stand in JSON, escapes and all.
    def text_of(*pieces)
      chunks, = decoded(body(*pieces.map { |piece| %({"choices":[{"index":0,"delta":{"content":"#{piece}"}}]}) },
        "[DONE]"))
      expect(chunks.map(&:delta)).to all(be_valid_encoding)
      chunks.last.cumulative
    end

    it "is made of every escape of JSON" do
      expect(text_of('\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\ud83d\\udc4b')).to eq("\"\\/\b\f\n\r\té👋")
    end

    it "joins a pair of surrogates, and a character, that two deltas share" do
      expect(text_of("a\\ud83d", "\\udc4bb")).to eq("a👋b")
      expect(text_of("a\xF0\x9F".b, "\x91\x8Bb".b)).to eq("a👋b")
    end

    it "has a replacement for what is no character" do
      expect(text_of('a\\ud83d', "b")).to eq("a\uFFFDb")
      expect(text_of('a\\udc4bb')).to eq("a\uFFFDb")
      expect(text_of('\\ud800A')).to eq("\uFFFDA")
      expect(text_of('a\\ud83d')).to eq("a\uFFFD")
      expect(text_of("a\xFFb".b)).to eq("a\uFFFDb")
    end

    it "may hold a NUL" do
      expect(text_of('a\\u0000b')).to eq("a\0b")
    end
  end

  describe "a malformed event" do
    malformed = {
      "no JSON" => ["{nonsense", :invalid_json], "half a JSON" => ['{"choices":[', :invalid_json],
      "two JSONs" => ['{"choices":[]}{"choices":[]}', :invalid_json], "a word" => ["hello", :invalid_json],
      "far too deep" => ["#{"[" * 5000}#{"]" * 5000}", :too_deep],
      "choices that are none" => ['{"choices":"none"}', :invalid_event]
    }

    malformed.each do |name, (data, code)|
      it "ends the stream: #{name}" do
        chunks, outcome = decoded(body(delta({content: "a"}), data, delta({content: "b"}), "[DONE]"))

        expect(chunks.map(&:deconstruct)).to eq([[:content, "a"], [:error, ""]])
        expect(outcome).to include(code: code, events: 2)
      end

      it "is counted and left out where that was asked for: #{name}" do
        chunks, outcome = decoded(body(delta({content: "a"}), data, delta({content: "b"}), "[DONE]"),
          skip_malformed: true)

        expect(chunks.map(&:deconstruct)).to eq([[:content, "a"], [:content, "b"], [:complete, ""]])
        expect(outcome).to include(code: :ok, malformed_events: 1)
      end
    end
  end

  describe "a whole message" do
    def message(content, **fields)
      {choices: [{index: 0, message: {role: "assistant", content: content}, **fields}]}
    end

    it "is passed over beside the deltas that say the same" do
      expect(pieces(message("a", delta: {content: "a"}), message("ab", delta: {content: "b"}),
        message("ab", finish_reason: "stop"))).to eq([[:content, "a"], [:content, "b"]])
    end

    it "in the place of deltas ends the stream in an error, also where malformed events are left out" do
      [false, true].each do |skip|
        chunks, outcome = decoded(body(message("a", finish_reason: "stop"), "[DONE]"), skip_malformed: skip)

        expect(chunks.map(&:type)).to eq([:error])
        expect(outcome).to include(code: :whole_message, malformed_events: 0)
      end
    end
  end

  it "passes over what it does not know" do
    events = [{object: "", choices: [], prompt_filter_results: [{index: 0}]}, {unknown: {choices: [1, 2]}},
      {choices: [{index: 0, delta: {content: "a", unknown: [[[{}]]]}, logprobs: {content: [{token: "x"}]}}]}, {}]
    bytes = ": OPENROUTER PROCESSING\n\n#{body(*events)}event: ping\ndata: {\"type\":\"ping\"}\n\ndata:\n\n"

    expect(decoded("#{bytes}#{body("[DONE]")}").first.map(&:deconstruct)).to eq([[:content, "a"], [:complete, ""]])
  end

  it "reads an event named error, and an error in an event" do
    bytes = ["event: error\ndata: {\"error\":{\"message\":\"No\",\"code\":429}}\n\n",
      "data: {\"error\":{\"message\":\"No\",\"code\":429,\"type\":null}}\n\n"]

    bytes.each do |event|
      chunks, outcome = decoded("#{body(delta({content: "a"}))}#{event}#{body("[DONE]")}")
      expect(chunks.map(&:type)).to eq(%i[content error])
      expect(outcome).to include(code: :provider_error, error_message: "No", error_code: "429", error_type: nil)
    end
  end

  it "says the same in every split, and valid UTF-8, for streams that were damaged" do
    good = body(delta({content: "Łódź 👋"}), delta({reasoning: "Hm"}),
      call(index: 0, id: "a", name: "one", arguments: "{}"), delta({}, finish_reason: "stop"),
      {choices: [], usage: {total_tokens: 3}}, "[DONE]").b
    300.times do |seed|
      generator = Random.new(seed)
      bad = good.dup
      generator.rand(1..4).times { bad.setbyte(generator.rand(bad.bytesize), generator.rand(256)) }

      chunks, = decoded(bad, skip_malformed: seed.odd?)
      texts = chunks.flat_map { |chunk| [chunk.delta, chunk.cumulative, chunk.tool_name, chunk.raw_arguments].compact }
      expect(texts).to all(be_valid_encoding)
    end
  end

  it "is made for a dialect that is known, and once" do
    expect { described_class.new(:morse) }.to raise_error(ArgumentError, /morse/)
    expect { described_class.new.send(:initialize) }.to raise_error(ArgumentError)
    expect { described_class.allocate.feed("") }.to raise_error(ArgumentError)
    expect { described_class.new.feed(nil) }.to raise_error(TypeError)
  end
end
