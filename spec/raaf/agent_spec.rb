# frozen_string_literal: true

RSpec.describe RAAF::Agent do
  subject(:agent) { described_class.new(name: "Assistant", instructions: "Be brief.") }

  it "has the guide's model and raaf-core's number of turns where none is given" do
    expect([agent.model, agent.max_turns, agent.tools, agent.handoffs, agent.provider])
      .to eq(["gpt-4o", 10, [], [], nil])
  end

  it "takes settings, and has them as accessors" do
    agent = described_class.new(name: "A", temperature: 0.2, stop: ["\n"])
    agent.seed = 7
    expect([agent.temperature, agent.settings]).to eq([0.2, {temperature: 0.2, stop: ["\n"], seed: 7}])
  end

  it "names every setting that it does not know" do
    expect { described_class.new(name: "A", temprature: 1, colour: 2) }
      .to raise_error(ArgumentError, /unknown settings of an agent: temprature, colour/)
  end

  it "can be set up in a block" do
    expect(described_class.new(name: "A") { |new_agent| new_agent.model = "o3" }.model).to eq("o3")
  end

  it "does not share its lists with what it was made from, or with a copy" do
    tools = []
    agent = described_class.new(name: "A", tools: tools)
    copy = agent.dup
    copy.add_tool({name: "w"})
    copy.temperature = 1
    expect([tools, agent.tools, agent.temperature]).to eq([[], [], nil])
  end

  it "refuses a tool that no model could be told of" do
    expect { agent.add_tool(1) }.to raise_error(ArgumentError)
  end

  it "can be copied with changes" do
    agent = described_class.new(name: "A", tools: [{name: "f"}], temperature: 0.2)
    copy = agent.clone(name: "B", temperature: 0.5)
    copy.tools << {name: "g"}
    expect([copy.name, copy.temperature, agent.name, agent.temperature,
      agent.tools.size]).to eq(["B", 0.5, "A", 0.2, 1])
  end

  it "takes what raaf-core's agents bring along" do
    agent = described_class.new(name: "A", handoff_description: "d", model_settings: {top_p: 0.1}, temperature: 0.2)
    expect([agent.handoff_description, agent.request_settings]).to eq(["d", {top_p: 0.1, temperature: 0.2}])
  end

  it "says whether it has tools and handoffs" do
    agents = [described_class.new(name: "A"), described_class.new(name: "A", tools: [{name: "f"}], handoffs: [subject])]
    expect(agents.map { |one| [one.tools?, one.handoffs?] }).to eq([[false, false], [true, true]])
  end

  it "keeps handoffs" do
    other = described_class.new(name: "B")
    expect(agent.add_handoff(other).handoffs).to eq([other])
  end

  it "shows no key, header or instruction in inspect" do
    agent.provider = RAAF::Models::OpenAIProvider.new(api_key: "sk-secret-key")
    agent.extra_headers = {"X-Token" => "hidden"}
    expect(agent.inspect)
      .to eq('#<RAAF::Agent "Assistant" model="gpt-4o" provider=openai tools=0 handoffs=0>')
  end

  describe "#run" do
    it "returns the whole answer" do
      agent.provider = RAAF::Testing::MockProvider.new
        .tap { |mock| mock.add_streaming_response(chunks: %w[Hel lo], delay: 0) }
      expect(agent.run("Hi").messages.last[:content]).to eq("Hello")
    end
  end
end
