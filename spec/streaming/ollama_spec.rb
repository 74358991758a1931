# frozen_string_literal: true

# Ollama's format where nobody has recorded it, and a conversation with it over a socket.
RSpec.describe "Ollama" do
  include ReplayHelpers

  def line(message, **fields)
    {model: "m", message: {role: "assistant", **message}, done: false, **fields}
  end

  def body(*lines)
    lines.map { |line| "#{line.is_a?(String) ? line : JSON.generate(line)}\n" }.join
  end

  # @return [ReplayHelpers::Run]
  def run(*lines, **script)
    stream_scripted({provider_class: RAAF::Models::OllamaProvider}, bytes: body(*lines), **script)
  end

  whole = [
    {message: {thinking: "Hm", content: ""}, done: false},
    {message: {content: "It is "}, done: false},
    {message: {content: "", tool_calls: [{function: {name: "weather", arguments: {city: "Rome"}}}]}, done: false},
    {message: {content: "20."}, done: false},
    {message: {content: ""}, done: true, done_reason: "stop", prompt_eval_count: 4, eval_count: 12, eval_duration: 7}
  ]

  it "gives text, thoughts, calls and usage, each in its place" do
    run = run(*whole)
    expect(run.chunks[0..-2].map { |chunk| [chunk.type, chunk.delta] }).to eq(
      [[:reasoning, "Hm"], [:content, "It is "], [:tool_call_delta, '{"city":"Rome"}'], [:tool_call, ""],
        [:content, "20."]]
    )
    expect(run.result.usage).to eq(prompt_tokens: 4, completion_tokens: 12, total_tokens: 16,
      raw: {prompt_eval_count: 4, eval_count: 12, eval_duration: 7})
    expect([run.result.finish_reason, run.result.raw_finish_reason, run.last.finish_reason])
      .to eq(%w[tool_calls stop tool_calls])
  end

  whole.each_index.drop(1).each do |count|
    it "is truncated, and never a success, when the stream ends behind line #{count} of #{whole.size}" do
      run = run(*whole.first(count))
      expect(run.error).to be_a(RAAF::Errors::TruncatedStreamError)
      expect(run.error.partial_text).to eq(run.text)
    end
  end

  it "is truncated when the last line is cut" do
    run = stream_scripted({provider_class: RAAF::Models::OllamaProvider}, bytes: "#{body(line({content: "a"}))}{\"do")
    expect(run.error).to be_a(RAAF::Errors::TruncatedStreamError)
  end

  it "is whole although the last line has no end" do
    run = stream_scripted({provider_class: RAAF::Models::OllamaProvider}, bytes: body(*whole).chomp)
    expect(run.result.text).to eq("It is 20.")
  end

  [nil, "application/json", "application/json; charset=utf-8", "text/plain"].each do |type|
    it "is read by lines with content-type #{type.inspect}" do
      run = run(line({content: "Hi"}), {done: true}, **{content_type: type}.compact, writes: :bytewise)
      expect(run.result.text).to eq("Hi")
    end
  end

  ["<html>Proxy</html>", "[1]", "hello\n", "data: {}\n\n"].each do |bytes|
    it "is a ProtocolError where the body is #{bytes.inspect}" do
      run = stream_scripted({provider_class: RAAF::Models::OllamaProvider}, bytes: bytes, content_type: "text/plain")
      expect(run.error).to be_a(RAAF::Errors::ProtocolError)
    end
  end

  it "raises what an error line says, with what had come before" do
    run = run(line({content: "Hel"}), {error: "an error was encountered while running the model"},
      line({content: "no"}))
    expect(run.error).to be_an_instance_of(RAAF::Errors::ProviderError)
    expect(run.error.message).to include("an error was encountered while running the model")
    expect([run.error.partial_text, run.text]).to eq(%w[Hel Hel])
  end

  {404 => RAAF::Errors::NotFoundError, 400 => RAAF::Errors::InvalidRequestError, 500 => RAAF::Errors::ServerError,
   401 => RAAF::Errors::AuthenticationError, 429 => RAAF::Errors::RateLimitError}.each do |status, error_class|
    it "raises #{error_class.name.split("::").last} for the status #{status}, with Ollama's words" do
      run = stream_scripted({provider_class: RAAF::Models::OllamaProvider}, status: status,
        body: {error: "model 'x' not found", signin_url: "https://ollama.com/connect"})
      expect(run.error).to be_an_instance_of(error_class)
      expect(run.error.message).to include("model 'x' not found")
    end
  end

  describe "with a model server" do
    let(:tools) do
      [{name: "weather", parameters: {type: "object", properties: {city: {type: "string"}}}}, {name: "time"}]
    end

    def ask(server, messages, tools: self.tools, **options)
      agent = RAAF::Agent.new(name: "A", instructions: "Be brief.", model: "ollama/llama3.2", tools: tools)
      with_env("OLLAMA_HOST" => server.base_url, "OLLAMA_API_KEY" => nil) do
        RAAF::Streaming::AsyncRunner.new(agent: agent).run_and_stream(messages, **options)
      end
    end

    it "answers with what was scripted, and is asked again with all of it" do
      RAAF::Testing::ModelServer.start do |server|
        server.script(reasoning: ["Hm, ", "two"], deltas: ["Let me ", "look."],
          tool_calls: [{name: "weather", id: "c1", arguments: {city: "Rome"}}, {name: "time", index: false}],
          usage: {prompt_tokens: 10, completion_tokens: 7})
        server.script(deltas: ["20 degrees at noon."])

        first = ask(server, "Weather and time?")
        expect([first.reasoning, first.text, first.finish_reason]).to eq(["Hm, two", "Let me look.", "tool_calls"])
        expect(first.tool_calls.map { |call| call.values_at(:name, :arguments) })
          .to eq([["weather", {city: "Rome"}], ["time", {}]])
        ids = first.tool_calls.map { |call| call[:id] }
        expect(ids.first).to eq("c1")
        expect(first.usage).to include(prompt_tokens: 10, completion_tokens: 7, total_tokens: 17)

        second = ask(server, first.messages + [{role: "tool", tool_call_id: "c1", content: "20"},
          {role: "tool", tool_call_id: ids[1], content: "noon"}])
        expect(second.text).to eq("20 degrees at noon.")
        request = server.requests.last
        expect(request.route).to end_with("/api/chat")
        expect(request.headers).not_to include("authorization")
        expect(request.json).to include(model: "llama3.2", messages: [
          {role: "system", content: "Be brief."}, {role: "user", content: "Weather and time?"},
          {role: "assistant", content: "Let me look.",
           tool_calls: [{id: "c1", function: {name: "weather", arguments: {city: "Rome"}}},
             {id: ids[1], function: {name: "time", arguments: {}}}]},
          {role: "tool", content: "20", tool_name: "weather", tool_call_id: "c1"},
          {role: "tool", content: "noon", tool_name: "time", tool_call_id: ids[1]}
        ])
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
        server.script(tool_calls: [{name: "weather", arguments: {city: "Rome"}},
          {name: "weather", arguments: {city: "Oslo"}}])
        server.script(deltas: ["The same."])
        result = ask(server, "Rome or Oslo?", tools: [weather])
        expect([result.text, result.finish_reason, result.turns]).to eq(["The same.", "stop", 2])
        expect(server.requests.last.json[:messages].last(2).map { |message| message.except(:tool_call_id) }).to eq(
          %w[Rome Oslo].map { |city| {role: "tool", tool_name: "weather", content: "20 degrees in #{city}"} }
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

    it "gets errors in Ollama's own form" do
      RAAF::Testing::ModelServer.start do |server|
        server.script(status: 500)
        expect { ask(server, "Hi", max_retries: 0) }.to raise_error(RAAF::Errors::ServerError) { |error|
          expect(JSON.parse(error.body)).to eq("error" => "scripted answer with status 500")
        }
      end
    end
  end
end
