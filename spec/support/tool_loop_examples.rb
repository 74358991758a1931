# frozen_string_literal: true

# A run whose model calls tools, over a socket, in the format of a provider. The including group gives `provider_for`:
# a provider that asks the server it is given.
RSpec.shared_examples "a run with tools" do
  include ReplayHelpers

  weather = {type: "object", properties: {city: {type: "string"}}, required: ["city"]}

  let(:calls) { Queue.new }
  let(:tools) do
    seen = calls
    [
      RAAF::Streaming::Tool.new(name: "weather", description: "The weather", parameters: weather) { |city:|
        seen << city
        {city: city, sky: "blue"}
      },
      RAAF::Streaming::Tool.new(name: "broken") { raise IOError, "no network" },
      RAAF::Streaming::Tool.new(name: "slow", timeout: 0.05) { sleep }
    ]
  end
  let(:agent) { RAAF::Agent.new(name: "Assistant", instructions: "Be brief.", model: "some-model", tools: tools) }

  # Runs to the end against a server with these scripts, one a request.
  def tool_run(*scripts, agent: self.agent, **settings)
    RAAF::Testing::ModelServer.start do |server|
      scripts.each { |script| server.script(**script) }
      chunks = []
      runner = RAAF::Streaming::AsyncRunner.new(agent: agent, provider: provider_for(server), **settings)
      result = begin
        runner.run_and_stream("Rain?") { |chunk| chunks << chunk }
      rescue RAAF::Errors::Error => e
        error = e
        nil
      end
      raise server.errors.first if server.errors.any?

      yield server if block_given?
      ReplayHelpers::Run.new(chunks, result, error)
    end
  end

  def call(name, arguments, id: "call_#{name}", **more)
    {name: name, id: id, arguments: arguments, **more}
  end

  it "runs two tools at once and goes on with what they came to" do
    meeting = Queue.new
    both = Mutex.new
    arrived = ConditionVariable.new
    count = 0
    meet = RAAF::Streaming::Tool.new(name: "meet", parameters: weather) do |city:|
      both.synchronize do
        count += 1
        arrived.broadcast
        arrived.wait(both) until count == 2 # neither gets on without the other
      end
      meeting << city
      "met in #{city}"
    end
    agent = RAAF::Agent.new(name: "Assistant", model: "some-model", tools: [meet])
    requests = nil
    run = tool_run(
      {deltas: ["Let me ", "look."], usage: {prompt_tokens: 10, completion_tokens: 5},
       tool_calls: [call("meet", {city: "Rome"}, id: "call_a"), call("meet", {city: "Oslo"}, id: "call_b")]},
      {deltas: [" Both ", "fine."], usage: {prompt_tokens: 30, completion_tokens: 7}}, agent: agent
    ) { |server| requests = server.requests }

    expect(run.error).to be_nil
    expect(meeting.size).to eq(2)
    expect(run.chunks).to be_a_proper_sequence
    expect(run.text).to eq("Let me look. Both fine.")
    expect(run.of(:tool_call).map(&:arguments)).to eq([{city: "Rome"}, {city: "Oslo"}])
    expect(run.of(:tool_result).map(&:result)).to contain_exactly("met in Rome", "met in Oslo")
    types = run.chunks.map(&:type).chunk_while { |a, b| a == b }.map(&:first) - [:tool_call_delta]
    expect(types.uniq).to eq(%i[content tool_call tool_result complete])
    expect(run.last.final_response).to eq("Let me look. Both fine.")
    expect(run.result).to have_attributes(turns: 2, final_output: "Let me look. Both fine.", finish_reason: "stop")
    expect(run.result.usage).to include(prompt_tokens: 40, completion_tokens: 12)
    expect(run.result.messages.map { |message| message[:role] }).to eq(%w[user assistant tool tool assistant])
    expect(run.result.messages.last[:content]).to eq(" Both fine.")
    expect(requests.size).to eq(2)
    expect(requests.last.body).to include("met in Rome").and include("met in Oslo")
  end

  it "tells the model of a tool that raises, and goes on" do
    body = nil
    run = tool_run({tool_calls: [call("broken", {})]}, {deltas: ["Sorry."]}) { |server|
      body = server.requests.last.body
    }

    result = run.of(:tool_result).first
    expect(result).to have_attributes(tool_name: "broken", error: /no network/)
    expect(result.exception).to be_a(RAAF::Errors::ToolError)
    expect(result.exception.cause).to be_a(IOError)
    expect(body).to include("no network")
    expect(run.text).to eq("Sorry.")
    expect(run.result.tool_results).to match([hash_including(tool_name: "broken", error: /no network/)])
  end

  it "interrupts a tool whose time is over, and goes on" do
    run = tool_run({tool_calls: [call("slow", {})]}, {deltas: ["Too slow."]})

    expect(run.of(:tool_result).first).to have_attributes(tool_name: "slow", error: /longer than 0.05 s/)
    expect(run.text).to eq("Too slow.")
  end

  it "tells the model of a tool that does not exist" do
    body = nil
    run = tool_run({tool_calls: [call("wether", {city: "Rome"})]}, {deltas: ["Oh."]}) do |server|
      body = server.requests.last.body
    end

    expect(run.of(:tool_result).first.error).to match(/wether does not exist; there are: weather, broken, slow/)
    expect(body).to include("does not exist")
    expect(run.text).to eq("Oh.")
  end

  it "tells the model of arguments that do not fit the schema" do
    run = tool_run({tool_calls: [call("weather", {town: 1})]}, {deltas: ["Oh."]})

    expect(run.of(:tool_result).first.error).to match(/city is missing/)
    expect(calls).to be_empty
  end

  it "stops an endless loop at max_turns" do
    looping = Array.new(4) { |i| {deltas: ["#{i} "], tool_calls: [call("weather", {city: "Rome"}, id: "call_#{i}")]} }
    asked = nil
    run = tool_run(*looping, max_turns: 3) { |server| asked = server.requests.size }

    expect(asked).to eq(3)
    expect(run.error).to be_a(RAAF::Errors::MaxTurnsError).and have_attributes(partial_text: "0 1 2 ",
      message: /3 turns/)
    expect(run.last).to be_error
    expect(run.chunks).to be_a_proper_sequence
    expect(calls.size).to eq(2)
  end

  it "goes through any number of turns" do
    turns = Array.new(5) { |i| {deltas: ["#{i} "], tool_calls: [call("weather", {city: "Rome"}, id: "call_#{i}")]} }
    run = tool_run(*turns, {deltas: ["done"]})

    expect(run.text).to eq("0 1 2 3 4 done")
    expect(run.result.turns).to eq(6)
    expect(run.chunks).to be_a_proper_sequence
  end
end
