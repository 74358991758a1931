# frozen_string_literal: true

RSpec.describe RAAF::Streaming::ErrorBody do
  def read(body)
    parsed = described_class.new(body)
    [parsed.message, parsed.type, parsed.code, parsed.param]
  end

  it "reads OpenAI's shape" do
    body = '{"error":{"message":"No.","type":"invalid_request_error","param":"model","code":"model_not_found"}}'
    expect(read(body)).to eq(["No.", "invalid_request_error", "model_not_found", "model"])
  end

  it "reads Gemini's shape, whose code is a number and whose type is called status" do
    expect(read('{"error":{"code":503,"message":"Busy.","status":"UNAVAILABLE"}}'))
      .to eq(["Busy.", "UNAVAILABLE", "503", nil])
  end

  it "reads the first of an Array" do
    expect(read('[{"error":{"code":400,"message":"Bad.","status":"INVALID_ARGUMENT"}}]').first).to eq("Bad.")
  end

  it "reads an error that is a text" do
    expect(read('{"error":"model not found"}').first).to eq("model not found")
  end

  it "reads a message at the top" do
    expect(read('{"object":"error","message":"Too long","type":"BadRequestError","code":400}'))
      .to eq(["Too long", "BadRequestError", "400", nil])
  end

  it "reads a detail that is a list of complaints" do
    expect(read('{"detail":[{"loc":["body"],"msg":"field required"}]}').first).to eq("field required (body)")
  end

  it "reads such a list inside of a message" do
    body = '{"object":"error","message":{"detail":[{"loc":["body","user"],"msg":"Not permitted"}]},"type":"invalid"}'
    expect(read(body).first(2)).to eq(["Not permitted (body.user)", "invalid"])
  end

  it "takes the title of a page" do
    page = "<!DOCTYPE html><html><head><title>502 Bad\n Gateway</title></head><body>#{"<p>x</p>" * 5000}</body></html>"
    expect(read(page).first).to eq("502 Bad Gateway")
  end

  it "takes the first words of a page without a title" do
    expect(read("<html><style>p{}</style><body><h1>Blocked</h1> by the <b>firewall</b>").first)
      .to eq("Blocked by the firewall")
  end

  it "takes plain text as it is, on one line" do
    expect(read("upstream connect error\r\n or disconnect").first).to eq("upstream connect error or disconnect")
  end

  it "quotes no more than a few hundred characters" do
    expect(read("x" * 70_000).first.length).to eq(described_class::MAX_QUOTE)
  end

  it "says nothing where there is nothing" do
    [nil, "", "  \n", "{}", '{"error":null}'].each { |body| expect(read(body)).to eq([nil, nil, nil, nil]) }
  end

  it "takes JSON that was cut for text" do
    expect(read('{"error":{"message":"half').first).to start_with('{"error"')
  end

  it "does not choke on nesting or invalid UTF-8" do
    expect(read("[" * 10_000).first).to be_a(String)
    expect(read("{\"error\":\"caf\xE9\"}").first).to eq("caf\uFFFD")
  end
end
