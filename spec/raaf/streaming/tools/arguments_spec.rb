# frozen_string_literal: true

RSpec.describe RAAF::Streaming::Tool::Arguments do
  it "reads a JSON object with symbol keys, at any depth" do
    expect(described_class.parse('{"a":{"b":[1]}}')).to eq(a: {b: [1]})
  end

  it "takes no text for no arguments" do
    expect(described_class.parse(" ")).to eq({})
  end

  it "refuses what is no JSON, or no object" do
    expect { described_class.parse("{") }.to raise_error(JSON::ParserError)
    expect { described_class.parse("[1]") }.to raise_error(ArgumentError, /JSON object/)
  end

  schema = {
    type: "object", additionalProperties: false, required: ["city"],
    properties: {
      city: {type: "string"}, days: {type: "integer"}, unit: {"type" => "string", "enum" => %w[C F]},
      spots: {type: "array", items: {type: "object", required: [:x], properties: {x: {type: "number"}}}},
      maybe: {type: %w[string null]}, anything: {}
    }
  }

  {
    {city: "Rome"} => nil, {city: "Rome", days: 2, unit: "C", maybe: nil, anything: [1]} => nil,
    {city: "Rome", days: 2.0} => nil, {city: "Rome", spots: [{x: 1}, {x: 2.5}]} => nil,
    {} => "city is missing", {city: 1} => "city must be string", {city: "R", days: 1.5} => "days must be integer",
    {city: "R", unit: "K"} => "unit must be one of C, F", {city: "R", town: 1} => "town is not a parameter",
    {city: "R", spots: [{x: 1}, {}]} => "spots.1.x is missing",
    {city: "R", spots: [{x: "1"}]} => "spots.0.x must be number",
    {city: "R", maybe: 1} => "maybe must be string or null", {city: "R", spots: {}} => "spots must be array"
  }.each do |arguments, complaint|
    it "#{complaint ? "complains of" : "takes"} #{arguments}" do
      check = -> { described_class.check(arguments, schema) }
      complaint ? expect(&check).to(raise_error(ArgumentError,
        "wrong arguments: #{complaint}")) : expect(&check).not_to(raise_error)
    end
  end

  it "complains of all that is wrong, up to five things" do
    expect { described_class.check({days: "x", unit: "K"}, schema) }
      .to raise_error(ArgumentError, "wrong arguments: city is missing; days must be integer; unit must be one of C, F")
  end
end
