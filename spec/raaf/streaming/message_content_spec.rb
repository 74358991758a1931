# frozen_string_literal: true

RSpec.describe RAAF::Streaming::MessageContent do
  describe ".parts" do
    it "makes one text of a String, and none of nothing" do
      expect(described_class.parts("Hi")).to eq([{type: "text", text: "Hi"}])
      expect(described_class.parts(nil)).to eq([])
      expect(described_class.parts("")).to eq([])
    end

    it "gives parts Symbol keys and leaves those of the provider as they are" do
      own = {"type" => "document", "source" => {"type" => "url"}}
      expect(described_class.parts(["Hi", own])).to eq([{type: "text", text: "Hi"}, own.transform_keys(&:to_sym)])
    end
  end

  describe ".text" do
    it "is all the text of all parts" do
      content = [{type: "text", text: "a"}, {type: "image_url", image_url: {url: "https://x"}},
        {"type" => "text", "text" => "b"}]
      expect(described_class.text(content)).to eq("ab")
    end
  end

  describe ".media" do
    def media(part)
      described_class.media(part)&.to_h&.compact
    end

    it "reads an image by its address" do
      expect(media({type: "image_url", image_url: {url: "https://example.com/a.png", detail: "low"}}))
        .to eq(kind: :image, url: "https://example.com/a.png")
      expect(media({type: "image_url", image_url: "https://example.com/a.png"}))
        .to eq(kind: :image, url: "https://example.com/a.png")
    end

    it "reads an image out of a data URL" do
      expect(media({type: "image_url", image_url: {"url" => "data:image/png;base64,AAEC"}}))
        .to eq(kind: :image, media_type: "image/png", data: "AAEC")
    end

    it "reads a sound and a file" do
      expect(media({type: "input_audio", input_audio: {data: "AA", format: "wav"}}))
        .to eq(kind: :audio, media_type: "audio/wav", data: "AA")
      expect(media({type: "file", file: {file_data: "data:application/pdf;base64,AA", filename: "a.pdf"}}))
        .to eq(kind: :file, media_type: "application/pdf", data: "AA", filename: "a.pdf")
      expect(media({type: "file", file: {file_id: "file_1"}})).to eq(kind: :file, file_id: "file_1")
    end

    it "knows nothing of text and of a provider's own parts" do
      expect(media({type: "text", text: "a"})).to be_nil
      expect(media({type: "document", source: {}})).to be_nil
    end
  end

  describe ".split_system" do
    it "takes the system's words out of the conversation" do
      messages = [{role: "system", content: "Be brief."}, {role: "user", content: "Hi"},
        {role: "developer", content: [{type: "text", text: "Be kind."}]}]
      expect(described_class.split_system(messages)).to eq(["Be brief.\n\nBe kind.", [messages[1]]])
    end
  end

  describe ".with_provider_parts" do
    let(:message) do
      {role: "assistant", content: "grün und blau", parts: {provider: "anthropic", items: [
        {at: 0, part: {type: "thinking"}}, {at: 5, part: {type: "one"}}, {at: 99, part: {type: "two"}}
      ]}}
    end

    it "puts them where they stood, counted in bytes" do
      expect(described_class.with_provider_parts(message, "anthropic"))
        .to eq([{type: "thinking"}, "grün", {type: "one"}, " und blau", {type: "two"}])
    end

    it "does not cut a character of a text that was changed since" do
      changed = message.merge(content: "grau über")
      pieces = described_class.with_provider_parts(changed, "anthropic")
      expect(pieces.grep(String)).to all(be_valid_encoding)
      expect(pieces.grep(String).join).to eq("grau über")
    end

    it "leaves out those of another provider" do
      expect(described_class.with_provider_parts(message, "gemini")).to eq(["grün und blau"])
    end
  end

  describe ".tool_calls" do
    it "parses the arguments" do
      calls = [{id: "a", type: "function", function: {name: "f", arguments: '{"x":1}'}},
        {"id" => "b", "function" => {"name" => "g", "arguments" => "nonsense"}}]
      expect(described_class.tool_calls({tool_calls: calls}))
        .to eq([{id: "a", name: "f", arguments: {"x" => 1}}, {id: "b", name: "g", arguments: {}}])
    end
  end
end
