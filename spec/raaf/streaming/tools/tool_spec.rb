# frozen_string_literal: true

RSpec.describe RAAF::Streaming::Tool do
  def weather(city:, days: 1, context: nil)
    [city, days, context]
  end

  def distance(from, to, unit = "km")
    [from, to, unit]
  end

  describe ".wrap" do
    it "makes a tool of a method, named and described by its signature" do
      tool = described_class.wrap(method(:weather))
      expect(tool.to_h).to eq(type: "function", function: {
        name: "weather", parameters: {type: "object", properties: {city: {}, days: {}},
                                      required: ["city"]}
      })
      expect(tool.call(city: "Rome")).to eq(["Rome", 1, nil])
    end

    it "makes a tool of an object with call, and of a class of such objects" do
      klass = Class.new do
        def self.description = "Adds"

        def call(a:, b:) = a + b
      end
      stub_const("Some::Adder", klass)
      expect(described_class.wrap(klass)).to have_attributes(name: "Adder", description: "Adds")
      expect(described_class.wrap(klass).call(a: 1, b: 2)).to eq(3)
      expect(described_class.wrap(klass.new).name).to eq("Adder")
    end

    it "takes name, description, parameters and timeout of an object that has them" do
      schema = {type: "object", properties: {q: {type: "string"}}}
      search = Struct.new(:name, :description, :parameters, :timeout) { def call(q:) = q.upcase }
      tool = described_class.wrap(search.new("search", "Finds", schema, 3))
      expect(tool).to have_attributes(name: "search", description: "Finds", parameters: schema, timeout: 3)
      expect(tool.call(q: "a")).to eq("A")
    end

    it "makes a tool of a Hash with something to call, and none of one without" do
      expect(described_class.wrap({name: "x", call: ->(a:) { a }}).call(a: 1)).to eq(1)
      expect(described_class.wrap({"type" => "function", "function" => {"name" => "x"}, "call" => -> {
        2
      }}).call).to eq(2)
      expect(described_class.wrap({name: "x"})).to be_nil
      expect(described_class.wrap(Struct.new(:name, :description).new("x", "y"))).to be_nil
    end

    it "refuses a Proc, which has no name" do
      expect { described_class.wrap(-> {}) }.to raise_error(ArgumentError, /name/)
    end

    it "gives way to an object's own enabled?" do
      klass = Class.new do
        def call = nil

        def name = "x"

        def enabled?(context) = context[:admin]
      end
      expect(described_class.wrap(klass.new).enabled?({admin: true})).to be(true)
      expect(described_class.wrap(klass.new).enabled?({admin: false})).to be(false)
    end
  end

  describe "#call" do
    it "gives positional arguments by their names, optional ones only as far as they go" do
      tool = described_class.wrap(method(:distance))
      expect(tool.call(to: "B", from: "A")).to eq(%w[A B km])
      expect(tool.call(from: "A", to: "B", unit: "mi")).to eq(%w[A B mi])
      expect { tool.call(to: "B") }.to raise_error(ArgumentError)
      expect { tool.call(from: "A", to: "B", by: "car") }.to raise_error(ArgumentError, /by/)
    end

    it "takes a block for what is to be called" do
      expect(described_class.new(name: :twice) { |n:| n * 2 }.call(n: 2)).to eq(4)
    end
  end

  describe "#invoke" do
    it "adds the context for code that has a keyword of that name" do
      expect(described_class.wrap(method(:weather)).invoke({city: "Rome"}, {user: 1})).to eq(["Rome", 1, {user: 1}])
    end

    it "does not where context is a parameter of the tool's" do
      schema = {type: "object", properties: {context: {type: "string"}}}
      tool = described_class.new(name: "x", parameters: schema) { |context: "none"| context }
      expect(tool.invoke({}, {user: 1})).to eq("none")
      expect(tool.invoke({context: "given"}, {user: 1})).to eq("given")
    end
  end

  it "is made only of something to call, with a name" do
    expect { described_class.new(name: "x") }.to raise_error(ArgumentError, /something to call/)
    expect { described_class.new(3, name: "x") }.to raise_error(ArgumentError, /something to call/)
  end

  it "is left out where it is not enabled" do
    expect(described_class.new(name: "x", is_enabled: false) {}).not_to be_enabled
    expect(described_class.new(name: "x", is_enabled: ->(context) { context[:a] }) {}.enabled?({a: 1})).to be_truthy
    expect(described_class.new(name: "x", is_enabled: -> { false }) {}.enabled?({a: 1})).to be(false)
  end
end
