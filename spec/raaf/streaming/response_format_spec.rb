# frozen_string_literal: true

RSpec.describe RAAF::Streaming::ResponseFormat do
  schema = {type: "object", properties: {a: {type: "string"}}}
  whole = {type: "json_schema", json_schema: {name: "x", strict: true, schema: schema}}

  {
    nil => nil, :json => {type: "json_object"}, "json_object" => {type: "json_object"},
    {"type" => "json_object"} => {type: "json_object"}, {type: "text"} => {type: "text"}, whole => whole,
    schema => {type: "json_schema", json_schema: {name: "answer", schema: schema}},
    {"properties" => {}} => {type: "json_schema", json_schema: {name: "answer", schema: {properties: {}}}}
  }.each do |given, expected|
    it "makes #{expected.inspect} of #{given.inspect}" do
      expect(described_class.of(given)).to eq(expected)
    end
  end

  ["yaml", 1, {}, {schema: {}}].each do |given|
    it "refuses #{given.inspect}, and says what it takes" do
      expect { described_class.of(given) }.to raise_error(ArgumentError, /JSON Schema/)
    end
  end

  it "is how an agent's is sent" do
    agent = RAAF::Agent.new(name: "A", response_format: schema)
    expect(agent.request_settings[:response_format]).to include(type: "json_schema")
  end
end
