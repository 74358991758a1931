# frozen_string_literal: true

require "raaf/streaming/providers/ollama_messages"

RSpec.describe RAAF::Streaming::Providers::OllamaMessages do
  def translated(*messages)
    described_class.new(messages, provider: "ollama", model: "llava").to_a
  end

  def call(name, arguments = "{}", id: nil)
    {id: id, type: "function", function: {name: name, arguments: arguments}}
  end

  it "keep the system's words in their place" do
    expect(translated({role: "system", content: "A"}, {role: "developer", content: "B"}, {role: :user, content: "C"}))
      .to eq([{role: "system", content: "A"}, {role: "system", content: "B"}, {role: "user", content: "C"}])
  end

  it "put images beside the text, in bare Base64" do
    content = [{type: "text", text: "What "}, {type: "image_url", image_url: {url: "data:image/png;base64,aGk="}},
      {"type" => "text", "text" => "is it?"}]
    expect(translated({role: "user", content: content}))
      .to eq([{role: "user", content: "What is it?", images: ["aGk="]}])
  end

  it "take what has no words for empty" do
    expect(translated({role: "user", content: nil}, {role: "user", content: []}))
      .to eq([{role: "user", content: ""}, {role: "user", content: ""}])
  end

  {
    "an image by its address" => {type: "image_url", image_url: {url: "https://example.com/a.png"}},
    "input_audio" => {type: "input_audio", input_audio: {data: "aGk=", format: "wav"}},
    "file" => {type: "file", file: {file_data: "data:application/pdf;base64,aGk="}},
    "video" => {type: "video", video: "x"}
  }.each do |what, part|
    it "refuse #{what}, naming it" do
      expect { translated({role: "user", content: [part]}) }
        .to raise_error(RAAF::Errors::InvalidRequestError, /ollama \(llava\).*not .*#{what}/)
    end
  end

  it "have arguments as objects, and results with the function's name" do
    made = translated(
      {role: "assistant", content: "Wait.", tool_calls: [call("weather", '{"city":"Rome"}', id: "a"), call("time")]},
      {role: "tool", tool_call_id: "a", content: "20"}, {role: "tool", content: "noon"}
    )
    expect(made).to eq(
      [{role: "assistant", content: "Wait.", tool_calls: [
        {id: "a", function: {name: "weather", arguments: {"city" => "Rome"}}}, {function: {name: "time", arguments: {}}}
      ]},
        {role: "tool", content: "20", tool_name: "weather", tool_call_id: "a"},
        {role: "tool", content: "noon", tool_name: "time"}]
    )
  end

  it "leave out what other providers wanted to get back" do
    expect(translated({role: "assistant", content: "Hi", parts: {provider: "gemini", items: [{at: 0, part: {}}]}}))
      .to eq([{role: "assistant", content: "Hi"}])
  end
end
