# frozen_string_literal: true

RSpec.describe RAAF::Streaming::ToolSchema do
  parameters = {type: "object", properties: {city: {type: "string"}}}
  whole = {type: "function", function: {name: "weather", description: "The weather", parameters: parameters}}
  described = Struct.new(:name, :description, :parameters)

  {
    "OpenAI's Hash" => whole,
    "OpenAI's Hash with String keys" => {
      "type" => "function",
      "function" => {"name" => "weather", "description" => "The weather", "parameters" => parameters}
    },
    "the inner Hash alone" => whole[:function],
    "an object that describes itself" => described.new("weather", "The weather", parameters),
    "a class that describes itself" => Class.new {
      define_singleton_method(:name) { "weather" }
      define_singleton_method(:description) { "The weather" }
      define_singleton_method(:parameters) { parameters }
    },
    "a class whose instances do" => Class.new {
      define_method(:name) { "weather" }
      define_method(:description) { "The weather" }
      define_method(:parameters) { parameters }
    },
    "what raaf-core's FunctionTool converts to, its name standing twice" => Struct.new(:to_h).new(
      {type: "function", name: "weather", function: whole[:function]}
    )
  }.each do |what, tool|
    it "describes #{what}" do
      expect(described_class.of(tool)).to eq(whole)
    end
  end

  {
    "a Hash of a tool that the provider runs" => {type: "web_search", size: 1},
    "such a Hash with Strings" => {"type" => "web_search", "size" => 1},
    "raaf-core's Tool::Native" => Struct.new(:name, :description) {
      def to_tool_definition = {type: "web_search", size: 1}
    }.new("web_search", "d")
  }.each do |what, tool|
    it "leaves #{what} as it is" do
      expect(described_class.of(tool)).to eq(type: "web_search", size: 1)
      expect(described_class.name_of(tool)).to eq("web_search")
    end
  end

  it "takes what a tool says of itself as its definition, as raaf-core's Tool does" do
    tool = Struct.new(:name) { def to_tool_definition = {type: "function", name: name, function: {name: "f"}} }
    expect(described_class.of(tool.new("other"))[:function][:name]).to eq("f")
  end

  it "keeps strict" do
    expect(described_class.of(name: "w", strict: true)[:function]).to include(strict: true)
  end

  it "sends no key that a strict server does not know" do
    expect(described_class.of(name: "w", handler: 1,
      type: "function")[:function].keys).to match_array(%i[name parameters])
  end

  it "gives a tool without parameters an empty object" do
    expect(described_class.of(name: "w")[:function][:parameters]).to eq(type: "object", properties: {})
  end

  it "knows a tool's name" do
    expect(described_class.name_of(name: :w)).to eq("w")
  end

  {
    "a Hash without a name" => {description: "x"}, "a Proc" => -> {},
    "a number" => 1, "a class that needs arguments" => Class.new { def initialize(_) = super() }
  }.each do |what, tool|
    it "refuses #{what}" do
      expect { described_class.of(tool) }.to raise_error(ArgumentError, /name/)
    end
  end
end
