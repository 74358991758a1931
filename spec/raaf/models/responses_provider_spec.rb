# frozen_string_literal: true

require "json"

RSpec.describe RAAF::Models::ResponsesProvider do
  around do |example|
    with_env("OPENAI_API_KEY" => nil, "OPENAI_BASE_URL" => nil, "OPENAI_ORG_ID" => nil, "OPENAI_PROJECT_ID" => nil) do
      example.run
    end
  end

  subject(:provider) { described_class.new(api_key: "sk-test-key-1") }

  def request(asked = provider, messages: [{role: "user", content: "Hello"}], model: "gpt-4o", **options)
    asked.build_request(messages: messages, model: model, **options)
  end

  def body(...)
    JSON.parse(request(...)[:body], symbolize_names: true)
  end

  def input(*messages, **options)
    body(messages: messages, **options)[:input]
  end

  def settings(**settings)
    body(settings: settings)
  end

  describe "the request" do
    it "goes to OpenAI's Responses" do
      expect(request).to include(url: "https://api.openai.com/v1/responses", dialect: :openai_responses,
        provider: "openai", model: "gpt-4o")
    end

    it "has the headers that a stream needs, and no others" do
      expect(request[:headers]).to eq(
        "Authorization" => "Bearer sk-test-key-1", "Content-Type" => "application/json",
        "Accept" => "text/event-stream", "User-Agent" => "raaf-streaming/#{RAAF::Streaming::VERSION}"
      )
    end

    it "asks for a stream that the server does not keep, and for nothing that was not set" do
      expect(body).to eq(model: "gpt-4o", input: [{role: "user", content: "Hello"}], stream: true, store: false)
    end

    it "takes account, address and key from the environment, under OpenAI's names" do
      with_env("OPENAI_API_KEY" => "sk-env-key-1", "OPENAI_BASE_URL" => "http://localhost:1234/v1/",
        "OPENAI_ORG_ID" => "org-1", "OPENAI_PROJECT_ID" => "proj-1") do
        expect(request(described_class.new)).to match(include(
          url: "http://localhost:1234/v1/responses", secrets: include("sk-env-key-1"),
          headers: include("Authorization" => "Bearer sk-env-key-1", "OpenAI-Organization" => "org-1",
            "OpenAI-Project" => "proj-1")
        ))
      end
    end
  end

  it_behaves_like "a provider that demands a key", "OPENAI_API_KEY"
  it_behaves_like "a provider that refuses line breaks", "OPENAI_API_KEY"
  it_behaves_like "a provider that keeps its secrets", api_key: "sk-test-key-1", headers: {"X-Token" => "hidden-token"}

  describe "settings" do
    it "are sent as they are where the field is the same" do
      same = {temperature: 0.2, top_p: 1, user: "u1"}
      expect(settings(**same)).to include(same)
    end

    it "limit the output's tokens" do
      expect(settings(max_tokens: 50)[:max_output_tokens]).to eq(50)
    end

    it "are left out where there is no field for them" do
      expect(settings(seed: 7, frequency_penalty: 0.1, presence_penalty: 0.1)).to eq(body)
    end

    it "refuse a stop, without which the answer would go on" do
      expect { settings(stop: ["x"]) }.to raise_error(RAAF::Errors::ConfigurationError, /have no stop/)
      expect(settings(stop: [])).to eq(body)
    end

    it "with extra_body override, and the stream stays a stream" do
      extra = {"store" => true, :previous_response_id => "resp_1", :include => nil, :stream => false}
      expect(settings(extra_body: extra))
        .to include(store: true, previous_response_id: "resp_1", stream: true)
    end

    it "describe the form of the answer" do
      schema = {name: "city", strict: true, schema: {type: "object", properties: {}}}
      expect(settings(response_format: {type: "json_schema", json_schema: schema})[:text])
        .to eq(format: {type: "json_schema", **schema})
      expect(settings(response_format: {"type" => "json_object"})[:text]).to eq(format: {type: "json_object"})
      flat = {type: "json_schema", name: "city", schema: {type: "object"}}
      expect(settings(response_format: flat)[:text]).to eq(format: flat)
    end
  end

  describe "reasoning" do
    def asked(model, provider = self.provider, **settings)
      body(provider, model: model, settings: settings).slice(:include, :reasoning)
    end

    encrypted = {include: ["reasoning.encrypted_content"]}

    %w[o1 o3-mini o4-mini gpt-5 gpt-5-mini gpt-5.4 codex-mini-latest openai/gpt-5.1-codex].each do |model|
      it "comes encrypted from #{model}" do
        expect(asked(model)).to eq(encrypted)
      end
    end

    %w[gpt-4o gpt-4.1 gpt-3.5-turbo gpt-5-chat-latest gpt-5.1-chat-latest llama-3o1 grok-4].each do |model|
      it "is not asked of #{model}, which would refuse" do
        expect(asked(model)).to eq({})
      end
    end

    it "has an effort, and comes encrypted from any model that has one" do
      expect(asked("my-model", reasoning_effort: "low")).to eq(**encrypted, reasoning: {effort: "low"})
    end

    it "is told in a summary only where the provider was told so" do
      telling = described_class.new(api_key: "k", reasoning_summary: "auto")
      expect(asked("gpt-5", telling)).to eq(**encrypted, reasoning: {summary: "auto"})
      expect(asked("gpt-5", telling, reasoning_effort: "high"))
        .to eq(**encrypted, reasoning: {summary: "auto", effort: "high"})
    end
  end

  describe "tools" do
    let(:function) { {name: "weather", description: "Looks", parameters: {type: "object"}} }
    let(:tools) { [{type: "function", function: function}] }

    def chosen(choice)
      body(tools: tools, settings: {tool_choice: choice})[:tool_choice]
    end

    it "are flat, and not strict where nothing is said" do
      expect(body(tools: tools)[:tools]).to eq([{type: "function", strict: false, **function}])
      strict = [{"type" => "function", "function" => {"name" => "weather", "strict" => true}}]
      expect(body(tools: strict)[:tools]).to eq([{type: "function", strict: true, name: "weather"}])
    end

    it "of the provider's own are sent as they are" do
      expect(body(tools: [{type: "web_search"}])[:tools]).to eq([{type: "web_search"}])
    end

    it "are chosen by a word, by name, or in OpenAI's chat form" do
      expect(chosen("required")).to eq("required")
      expect(chosen(:none)).to eq("none")
      expect(chosen("weather")).to eq(type: "function", name: "weather")
      expect(chosen({type: "function", function: {"name" => "weather"}})).to eq(type: "function", name: "weather")
      expect(chosen({type: "web_search"})).to eq(type: "web_search")
    end

    it "may be called side by side or not" do
      expect(body(tools: tools, settings: {parallel_tool_calls: false})[:parallel_tool_calls]).to be(false)
    end

    it "are not mentioned where there are none" do
      expect(settings(tool_choice: "auto", parallel_tool_calls: true)).to eq(body)
    end
  end

  describe "messages" do
    it "of the system are the instructions" do
      messages = [{role: "system", content: "Be brief."}, {role: "user", content: "Hello"},
        {role: "developer", content: [{type: "text", text: "Be kind."}]}]
      expect(body(messages: messages)).to include(instructions: "Be brief.\n\nBe kind.",
        input: [{role: "user", content: "Hello"}])
    end

    it "of the user have text, images, files and sounds" do
      sound = {type: "input_audio", input_audio: {data: "AA", format: "wav"}}
      content = [{type: "text", text: "See"}, {type: "image_url", image_url: {url: "https://x/a.png", detail: "low"}},
        {type: "image_url", image_url: {"url" => "data:image/png;base64,AAEC"}},
        {type: "file", file: {file_data: "data:application/pdf;base64,AA", filename: "a.pdf"}},
        {type: "file", file: {file_id: "file_1"}}, {type: "file", file: {file_data: "https://x/a.pdf"}}, sound,
        {type: "input_image", file_id: "file_2"}]

      expect(input({role: "user", content: content}).first[:content]).to eq(
        [{type: "input_text", text: "See"}, {type: "input_image", image_url: "https://x/a.png", detail: "low"},
          {type: "input_image", image_url: "data:image/png;base64,AAEC"},
          {type: "input_file", filename: "a.pdf", file_data: "data:application/pdf;base64,AA"},
          {type: "input_file", file_id: "file_1"}, {type: "input_file", file_url: "https://x/a.pdf"}, sound,
          {type: "input_image", file_id: "file_2"}]
      )
    end

    it "of the assistant have text, and calls behind it" do
      calls = [{id: "a", type: "function", function: {name: "f", arguments: '{"x":1}'}},
        {"id" => "b", "function" => {"name" => "g", "arguments" => {"y" => 2}}},
        {id: "c", function: {name: "h", arguments: ""}}]
      expect(input({role: "assistant", content: "Well", tool_calls: calls})).to eq(
        [{type: "message", role: "assistant", content: [{type: "output_text", text: "Well"}]},
          {type: "function_call", call_id: "a", name: "f", arguments: '{"x":1}'},
          {type: "function_call", call_id: "b", name: "g", arguments: '{"y":2}'},
          {type: "function_call", call_id: "c", name: "h", arguments: "{}"}]
      )
      expect(input({role: "assistant", content: ""}, {role: "user", content: "Go on"}).size).to eq(1)
    end

    it "of tools are the outputs of calls" do
      parts = [{type: "text", text: "See "}, {type: "text", text: "this"}]
      image = {type: "image_url", image_url: {url: "https://x/a.png"}}
      expect(input({role: "tool", tool_call_id: "a", content: "1"},
        {role: "tool", tool_call_id: "b", name: "g", content: parts},
        {role: "tool", tool_call_id: "c", content: [*parts, image]}, {role: "tool", tool_call_id: "d"})).to eq(
          [{type: "function_call_output", call_id: "a", output: "1"},
            {type: "function_call_output", call_id: "b", output: "See this"},
            {type: "function_call_output", call_id: "c", output: [{type: "input_text", text: "See "},
              {type: "input_text", text: "this"}, {type: "input_image", image_url: "https://x/a.png"}]},
            {type: "function_call_output", call_id: "d", output: ""}]
        )
    end

    it "with a type are items in the provider's own form" do
      item = {type: "custom_tool_call_output", call_id: "c", output: "4"}
      expect(input({role: "tool", **item}, {role: "user", type: "message", content: "Hi"}))
        .to eq([item, {role: "user", content: "Hi"}])
    end
  end

  describe "what an answer held besides text and calls" do
    let(:reasoning) { {type: "reasoning", id: "rs_1", summary: [], encrypted_content: "gAAA"} }
    let(:search) { {type: "web_search_call", id: "ws_1", status: "completed"} }

    def call(id, arguments = "{}")
      {type: "function_call", id: "fc_#{id}", call_id: id, name: "f", arguments: arguments}
    end

    def asked(id, arguments = "{}")
      {id: id, type: "function", function: {name: "f", arguments: arguments}}
    end

    def text(text)
      {type: "message", role: "assistant", content: [{type: "output_text", text: text}]}
    end

    def answer(content, *items, provider: "openai", **message)
      items = items.map { |at, part| {at: at, part: part} }
      {role: "assistant", content: content, parts: {provider: provider, items: items}, **message}
    end

    it "is sent back in its place" do
      expect(input(answer("ab", [0, reasoning], [1, search]))).to eq([reasoning, text("a"), search, text("b")])
    end

    it "is not sent to another provider" do
      expect(input(answer("ab", [0, reasoning], provider: "anthropic"))).to eq([text("ab")])
    end

    it "keeps each call behind the reasoning that led to it" do
      second = reasoning.merge(id: "rs_2")
      message = answer("", [0, reasoning], [0, call("a")], [0, second], [0, call("b")],
        tool_calls: [asked("a"), asked("b")])
      expect(input(message)).to eq([reasoning, call("a"), second, call("b")])
    end

    it "gives way to what the message says of its calls" do
      message = answer("", [0, reasoning], [0, call("a", '{"pin":1}')], [0, call("b")],
        tool_calls: [asked("a", '{"pin":0}'), asked("c")])
      expect(input(message)).to eq([reasoning, call("a", '{"pin":0}'),
        {type: "function_call", call_id: "c", name: "f", arguments: "{}"}])
    end

    it "is a whole message where that has a phase, unless its text was changed" do
      said = ->(words) { text(words).merge(id: "msg_1", phase: "commentary") }
      expect(input(answer("ab", [1, said["a"]], [2, said["b"]]))).to eq([said["a"], said["b"]])
      expect(input(answer("Xb", [1, said["a"]], [2, said["b"]]))).to eq([text("X"), said["b"]])
    end

    it "has no reasoning that the server cannot know" do
      bare = reasoning.except(:encrypted_content)
      open = bare.merge(content: [{type: "reasoning_text", text: "Hm"}])
      expect(input(answer("a", [0, bare]))).to eq([text("a")])
      expect(input(answer("a", [0, open]))).to eq([open, text("a")])
      expect(input(answer("a", [0, bare]), settings: {extra_body: {"store" => true}})).to eq([bare, text("a")])
    end

    it "has no reasoning from which nothing follows, which would be refused" do
      expect(input(answer("", [0, search], [0, reasoning], [0, call("a")]))).to eq([search])
    end
  end
end
