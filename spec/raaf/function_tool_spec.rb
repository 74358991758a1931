# frozen_string_literal: true

RSpec.describe RAAF::FunctionTool do
  def weather(city:, unit: "celsius")
    "22 #{unit} in #{city}"
  end

  it "reads name and parameters off a method, as raaf-core does" do
    tool = described_class.new(method(:weather))
    expect(tool).to have_attributes(name: "weather", description: "A function tool", callable: method(:weather),
      callable?: true, parameters?: true, required_parameters?: true)
    expect(tool.parameters).to eq(type: "object", required: ["city"], additionalProperties: false,
      properties: {city: {type: "string"}, unit: {type: "string"}})
    expect(tool.call(city: "Rome")).to eq("22 celsius in Rome")
  end

  it "takes what it is told" do
    parameters = {type: "object", properties: {x: {type: "integer"}}}
    tool = described_class.new(proc { |x:| x + 1 }, name: "more", description: "One more", parameters: parameters)
    expect(tool.call(x: 1)).to eq(2)
    expect(tool.required_parameters?).to be(false)
    expect(tool.to_h).to eq(type: "function", name: "more",
      function: {name: "more", description: "One more", parameters: parameters})
  end

  it "names what has no name by its class, and gives a Proc its arguments by their places" do
    looking = Class.new do
      def self.name = "Shop::Looking"
      def call(**) = "looked"
    end
    expect(described_class.new(looking.new)).to have_attributes(name: "looking", call: "looked")
    tool = described_class.new(proc { |a, b| [a, b] })
    expect([tool.name, tool.call(a: 1, b: 2), tool.parameters?]).to eq(["proc", [1, 2], true])
    expect(described_class.new(-> { "here" })).to have_attributes(call: "here", parameters?: false)
  end

  it "refuses what cannot be called" do
    expect { described_class.new("weather") }.to raise_error(ArgumentError, /something to call/)
  end

  it "raises raaf-core's ToolError, whatever its code raises" do
    tool = described_class.new(proc { raise IOError, "no network" }, name: "broken")
    expect { tool.call }.to raise_error(RAAF::ToolError, "Error executing tool 'broken': no network") { |error|
      expect(error.cause).to be_a(IOError)
    }
  end

  describe "that is enabled by code" do
    def tool(is_enabled)
      described_class.new(proc {}, name: "t", is_enabled: is_enabled)
    end

    it "asks it, with the context where it takes one" do
      asked = tool(->(context) { context[:admin] })
      expect([asked.enabled?(admin: true), asked.enabled?, tool(-> { true }).enabled?, tool(nil).enabled?,
        tool(false).enabled?]).to eq([true, nil, true, true, false])
      asked.is_enabled = true
      expect(asked).to be_enabled
    end

    it "is not where asking raises, which is logged" do
      log = StringIO.new
      RAAF::Streaming.logger = Logger.new(log)
      expect(tool(->(context) { context.fetch(:user) }).enabled?).to be(false)
      expect(log.string).to match(/the tool t is enabled could not be asked: KeyError/)
    ensure
      RAAF::Streaming.logger = nil
    end

    it "is left out of those that are" do
      on, off, hosted = tool(true), tool(false), {type: "web_search"}
      expect(described_class.enabled_tools([on, off, hosted])).to eq([on, hosted])
    end
  end

  it "is run by an agent, which is told of its parameters" do
    RAAF::Testing::ModelServer.start do |server|
      server.script(tool_calls: [{name: "weather", id: "1", arguments: {city: "Rome"}},
        {name: "weather", id: "2", arguments: {town: "Rome"}}])
      server.script(deltas: ["Warm."])
      provider = RAAF::Models::OpenAIProvider.new(api_key: "test", base_url: server.base_url)
      agent = RAAF::Agent.new(name: "A", tools: [described_class.new(method(:weather))], provider: provider)
      result = agent.run("Rain?")

      expect(result.tool_results.map { |one| one[:result] || one[:error] })
        .to match(["22 celsius in Rome", /city is missing; town is not a parameter/])
      expect(server.requests.first.json[:tools].first[:function][:parameters][:required]).to eq(["city"])
    end
  end
end
