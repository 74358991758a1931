# frozen_string_literal: true

require "raaf/streaming/providers/gemini_contents"

RSpec.describe RAAF::Streaming::Providers::GeminiContents do
  def contents(*messages)
    described_class.new(messages, provider: "gemini").to_a
  end

  def parts(content)
    contents({role: "user", content: content}).first[:parts]
  end

  def call(name, arguments = "{}", id: nil)
    {id: id, type: "function", function: {name: name, arguments: arguments}}
  end

  # What a model said, as a result has it.
  def said(text, calls: [], parts: [], provider: "gemini")
    message = {role: "assistant", content: text}
    message[:tool_calls] = calls unless calls.empty?
    message[:parts] = {provider: provider, items: parts.map { |at, part| {at: at, part: part} }} unless parts.empty?
    message
  end

  describe "roles" do
    it "are user and model, and the system's words stand apart" do
      made = described_class.new([{role: "system", content: "A"}, {role: "user", content: "Hi"},
        {role: "developer", content: "B"}, {role: "assistant", content: "Yes?"}], provider: "gemini")
      expect(made.system).to eq(parts: [{text: "A\n\nB"}])
      expect(made.to_a).to eq([{role: "user", parts: [{text: "Hi"}]}, {role: "model", parts: [{text: "Yes?"}]}])
    end

    it "without words of the system have none" do
      expect(described_class.new([{role: "user", content: "Hi"}], provider: "gemini").system).to be_nil
    end

    it "leave out what says nothing, since the API refuses it" do
      expect(contents({role: "user", content: ""}, {role: "assistant", content: nil}, {role: "user", content: []}))
        .to eq([])
    end
  end

  describe "media" do
    it "given as data stand in the request" do
      content = [{type: "text", text: "See"}, {type: "image_url", image_url: {url: "data:image/png;base64,aGk="}},
        {"type" => "input_audio", "input_audio" => {"data" => "c28=", "format" => "wav"}},
        {type: "file", file: {file_data: "data:application/pdf;base64,cGRm", filename: "a.pdf"}}]
      expect(parts(content)).to eq(
        [{text: "See"}, {inlineData: {mimeType: "image/png", data: "aGk="}},
          {inlineData: {mimeType: "audio/wav", data: "c28="}},
          {inlineData: {mimeType: "application/pdf", data: "cGRm"}}]
      )
    end

    it "given by an address stay there; their type is told by its end" do
      content = [{type: "image_url", image_url: {url: "https://example.com/a.JPG?x=1"}},
        {type: "file", file: {file_id: "https://generativelanguage.googleapis.com/v1beta/files/abc"}}]
      expect(parts(content)).to eq(
        [{fileData: {mimeType: "image/jpeg", fileUri: "https://example.com/a.JPG?x=1"}},
          {fileData: {fileUri: "https://generativelanguage.googleapis.com/v1beta/files/abc"}}]
      )
    end

    it "in Gemini's own form go as they are" do
      expect(parts([{inlineData: {mimeType: "video/mp4", data: "dg=="}},
        {type: "part", fileData: {fileUri: "gs://b"}}]))
        .to eq([{inlineData: {mimeType: "video/mp4", data: "dg=="}}, {fileData: {fileUri: "gs://b"}}])
    end
  end

  describe "tool calls and results" do
    it "name the function in both, by the call's id" do
      made = contents(said("", calls: [call("weather", '{"city":"Rome"}', id: "a"), call("time", id: "b")]),
        {role: "tool", tool_call_id: "b", content: "noon"}, {role: "tool", tool_call_id: "a", content: '{"t":20}'})
      expect(made).to eq(
        [{role: "model", parts: [{functionCall: {id: "a", name: "weather", args: {"city" => "Rome"}}},
          {functionCall: {id: "b", name: "time", args: {}}}]},
          {role: "user", parts: [{functionResponse: {id: "b", name: "time", response: {output: "noon"}}},
            {functionResponse: {id: "a", name: "weather", response: {"t" => 20}}}]}]
      )
    end

    it "without ids are told apart by name, else by their order" do
      made = contents(said("", calls: [call("weather"), call("time")]),
        {role: "tool", name: "time", content: "noon"}, {role: "tool", content: "[1]"})
      expect(made.last[:parts]).to eq([{functionResponse: {name: "time", response: {output: "noon"}}},
        {functionResponse: {name: "weather", response: {output: "[1]"}}}])
    end

    it "of one turn do not answer those of another" do
      made = contents(said("", calls: [call("old")]), {role: "user", content: "Never mind"},
        said("", calls: [call("new")]), {role: "tool", content: "x"})
      expect(made.last[:parts]).to eq([{functionResponse: {name: "new", response: {output: "x"}}}])
    end

    it "keep the results apart from what the user says next" do
      made = contents(said("", calls: [call("f", id: "a")]), {role: "tool", tool_call_id: "a", content: "x"},
        {role: "user", content: "And?"})
      expect(made.map { |content| content[:parts].size }).to eq([1, 1, 1])
    end

    it "name a function nobody called by what the message has" do
      made = contents({role: "tool", tool_call_id: "lost", content: "x"}, {role: "tool", name: "f", content: ""})
      expect(made.first[:parts].map { |part| part[:functionResponse][:name] }).to eq(%w[lost f])
    end

    it "may have an image as result" do
      image = [{type: "text", text: "See"}, {type: "image_url", image_url: {url: "data:image/png;base64,aGk="}}]
      made = contents(said("", calls: [call("draw", id: "a")]), {role: "tool", tool_call_id: "a", content: image})
      expect(made.last[:parts]).to eq([{functionResponse: {id: "a", name: "draw", response: {output: "See"},
                                                           parts: [{inlineData: {mimeType: "image/png",
                                                                                 data: "aGk="}}]}}])
    end
  end

  describe "parts that were kept" do
    it "stand where they were, between the pieces of text" do
      code = {executableCode: {language: "PYTHON", code: "1"}}
      made = contents(said("Let me see. It is 1.", parts: [[12, code], [12, {codeExecutionResult: {output: "1"}}]]))
      expect(made.first[:parts]).to eq([{text: "Let me see. "}, code, {codeExecutionResult: {output: "1"}},
        {text: "It is 1."}])
    end

    it "of another provider are left out" do
      made = contents(said("Yes", parts: [[0, {thinking: "x"}]], provider: "anthropic"))
      expect(made.first[:parts]).to eq([{text: "Yes"}])
    end

    it "carry the signature of a call, which is not sent again from the calls" do
      signed = {functionCall: {name: "weather", args: {city: "Rome", days: [1]}}, thoughtSignature: "c2ln"}
      made = contents(said("Wait.", parts: [[5, signed]],
        calls: [call("weather", '{"city": "Rome", "days": [1]}'), call("time")]))
      expect(made.first[:parts]).to eq([{text: "Wait."}, signed, {functionCall: {name: "time", args: {}}}])
    end

    it "keep the order of calls with a signature and without" do
      signed = {functionCall: {id: "b", name: "f", args: {}}, thoughtSignature: "c2ln"}
      made = contents(said("", parts: [[0, signed]],
        calls: [call("f", id: "a"), call("f", id: "b"), call("f", id: "c")]))
      expect(made.first[:parts].map { |part| part[:functionCall][:id] }).to eq(%w[a b c])
    end

    it "without an id say that those of the conversation are not Gemini's: calls and results have none" do
      signed = {functionCall: {name: "f", args: {}}, thoughtSignature: "c2ln"}
      made = contents(said("", parts: [[0, signed]], calls: [call("f", id: "made-up"), call("g", id: "too")]),
        {role: "tool", tool_call_id: "too", content: "y"}, {role: "tool", tool_call_id: "made-up", content: "x"})
      expect(made.first[:parts].last).to eq(functionCall: {name: "g", args: {}})
      expect(made.last[:parts]).to eq([{functionResponse: {name: "g", response: {output: "y"}}},
        {functionResponse: {name: "f", response: {output: "x"}}}])
    end

    it "of a call that was taken out of the conversation are left out" do
      signed = {functionCall: {name: "f", args: {}}, thoughtSignature: "c2ln"}
      expect(contents(said("Yes", parts: [[3, signed]])).first[:parts]).to eq([{text: "Yes"}])
    end

    it "carry the signature of a text, which is not sent twice" do
      made = contents(said("Hello there", parts: [[5, {text: "lo", thoughtSignature: "YQ=="}],
        [11, {text: "", thoughtSignature: "Yg=="}]]))
      expect(made.first[:parts]).to eq([{text: "Hel"}, {text: "lo", thoughtSignature: "YQ=="}, {text: " there"},
        {text: "", thoughtSignature: "Yg=="}])
    end

    it "carry the signature of the whole text" do
      made = contents(said("Hello", parts: [[5, {text: "Hello", thoughtSignature: "YQ=="}]]))
      expect(made.first[:parts]).to eq([{text: "Hello", thoughtSignature: "YQ=="}])
    end

    it "bring no text back that was changed since" do
      made = contents(said("[removed]", parts: [[5, {text: "Hello", thoughtSignature: "YQ=="}]]))
      expect(made.first[:parts]).to eq([{text: "[remo"}, {text: "", thoughtSignature: "YQ=="}, {text: "ved]"}])
    end

    it "of thoughts are sent as they came" do
      thought = {text: "Hm", thought: true, thoughtSignature: "YQ=="}
      expect(contents(said("Yes", parts: [[0, thought]])).first[:parts]).to eq([thought, {text: "Yes"}])
    end
  end
end
