# frozen_string_literal: true

require "raaf/testing"

# What a server sent for the next turn goes back to it, and to nobody else.
RSpec.describe "The next turn" do
  around { |example| RAAF::Testing::ModelServer.start { |server| (@server = server) && example.run } }

  attr_reader :server

  def provider(name, **options)
    RAAF::Streaming::Providers.const_get(name).new(api_key: "key", base_url: server.base_url, **options)
  end

  def ask(provider, messages)
    agent = RAAF::Agent.new(name: "Assistant", model: "some-model")
    RAAF::Streaming::AsyncRunner.new(agent: agent, provider: provider).run_and_stream(messages)
  end

  # The first answer is this stream; the second question has it and the results of its tools.
  # @return [Array<Hash>] the messages of the second request
  def second_request(stream, first, second = first)
    server.script(bytes: FamilyStreams.sse(stream)).script(deltas: ["Done"])
    answer = ask(first, "Hello")
    results = answer.tool_calls.map { |call| {role: "tool", tool_call_id: call[:id], content: "rain"} }
    ask(second, answer.messages + results)
    server.requests.last.json[:messages]
  end

  # The assistant's message in the second request.
  def given_back(...)
    second_request(...)[1]
  end

  it "of OpenRouter has its reasoning, signed and encrypted, unchanged" do
    expect(given_back(FamilyStreams.openrouter, provider(:OpenRouter))).to eq(
      role: "assistant", content: "Łódź",
      tool_calls: [{id: "call_1", type: "function", function: {name: "weather", arguments: "{}"}}],
      reasoning_details: [
        {type: "reasoning.text", text: "Let me look.", signature: "c2lnbmF0dXJl", format: "anthropic-claude-v1",
         index: 0},
        {type: "reasoning.encrypted", data: "ZW5j", id: "rs_1", format: "openai-responses-v1", index: 1}
      ]
    )
  end

  it "of DeepSeek has its reasoning, and later messages have the field too" do
    provider = provider(:DeepSeek)
    messages = second_request(FamilyStreams.deepseek, provider)
    expect(messages[1]).to eq(
      role: "assistant", content: "One moment.", reasoning_content: "I need the date.",
      tool_calls: [{id: "call_0", type: "function", function: {name: "date", arguments: "{}"}}]
    )

    server.script(bytes: FamilyStreams.sse(FamilyStreams.deepseek)).script(deltas: ["Done"])
    first = ask(provider, [{role: "assistant", content: "Before"}, {role: "user", content: "Hello"}])
    ask(provider, first.messages + [{role: "assistant", content: "After"}, {role: "user", content: "And?"}])
    assistants = server.requests.last.json[:messages].select { |message| message[:role] == "assistant" }
    expect(assistants.map { |message| message[:reasoning_content] }).to eq([nil, "I need the date.", ""])
  end

  it "of Mistral has its signed thinking before the text" do
    expect(given_back(FamilyStreams.mistral, provider(:Mistral))).to eq(
      role: "assistant",
      content: [{type: "thinking", thinking: [{type: "text", text: "Hm, so"}], signature: "c2ln"},
        {type: "text", text: "It rains."}],
      tool_calls: [{id: "A1b2C3d4E", type: "function",
                    function: {name: "weather", arguments: '{"city": "Łódź"}'}}]
    )
  end

  it "of Gemini's compatible server has its signatures where they were" do
    calls = %w[f1 f2].zip(%w[weather time]).map do |id, name|
      {id: id, type: "function", function: {name: name, arguments: '{"city":"Łódź"}'}}
    end
    calls.first[:extra_content] = {google: {thought_signature: "U2ln"}}

    expect(given_back(FamilyStreams.gemini, provider(:OpenAICompatible))).to eq(
      role: "assistant", content: "Look: ", extra_content: {google: {thought_signature: "VGV4dA"}}, tool_calls: calls
    )
  end

  it "of any server has its reasoning in the field that it is told to use" do
    expect(given_back(FamilyStreams.vllm.dup.insert(1, FamilyStreams.delta(reasoning_content: "Hm")),
      provider(:OpenAICompatible, reasoning_field: :reasoning_content)))
      .to eq(role: "assistant", content: "Hello", reasoning_content: "Hm")
  end

  it "of Groq has nothing of what its tools did" do
    expect(given_back(FamilyStreams.groq, provider(:Groq))).to eq(role: "assistant", content: "Yes.")
  end

  it "of another provider has text and tool calls only" do
    message = given_back(FamilyStreams.openrouter, provider(:OpenRouter), provider(:DeepSeek))

    expect(message.keys).to contain_exactly(:role, :content, :tool_calls)
  end

  it "of DeepSeek has its reasoning within a run, after the tools that the model called" do
    date = {name: "date", description: "Today", parameters: {type: "object"}}
    tool = Struct.new(:name, :description, :parameters) { def call = "2026-01-01" }.new(*date.values)
    server.script(bytes: FamilyStreams.sse(FamilyStreams.deepseek)).script(deltas: ["Done"])
    agent = RAAF::Agent.new(name: "Assistant", model: "some-model", provider: provider(:DeepSeek), tools: [tool])

    expect(agent.run("Hello").turns).to eq(2)
    expect(server.requests.last.json[:messages].drop(1)).to match([
      include(role: "assistant", content: "One moment.", reasoning_content: "I need the date."),
      include(role: "tool", tool_call_id: "call_0", content: "2026-01-01")
    ])
  end

  it "goes on from a scripted answer with reasoning, text, two tool calls and usage" do
    server.script(reasoning: ["Think"], deltas: ["Look"], usage: true, tool_calls: [
      {id: "call_1", name: "weather", arguments: {city: "Łódź"}}, {id: "call_2", name: "time", arguments: {}}
    ]).script(deltas: ["Done"])
    answer = ask(provider(:DeepSeek), "Hello")

    expect(answer).to have_attributes(text: "Look", reasoning: "Think", finish_reason: "tool_calls")
    expect(answer.tool_calls.map { |call| call[:arguments] }).to eq([{city: "Łódź"}, {}])
    expect(answer.usage).to include(:prompt_tokens, :completion_tokens, :total_tokens)

    results = %w[call_1 call_2].map { |id| {role: "tool", tool_call_id: id, content: "rain"} }
    ask(provider(:DeepSeek), answer.messages + results)
    expect(server.requests.last.json[:messages]).to match([
      {role: "user", content: "Hello"},
      include(role: "assistant", reasoning_content: "Think",
        tool_calls: [include(id: "call_1"), include(id: "call_2")]),
      *results
    ])
  end
end
