# frozen_string_literal: true

require "open3"
require "rbconfig"
require "tempfile"

# The first thing a reader of the guide runs, taken out of the guide itself and run by a Ruby of its own.
RSpec.describe "The guide's first example" do
  include ReplayHelpers

  guide = File.expand_path("../../../shared/guide.md", __dir__)
  library = File.expand_path("../../lib", __dir__)

  # @return [String] the first Ruby block below that heading
  def ruby_block(guide, heading)
    File.read(guide).split("#{heading}\n", 2).last[/^```ruby\n(.*?)^```$/m, 1]
  end

  def run_example(code, library, server)
    Tempfile.create(["first_example", ".rb"]) do |file|
      file.write(code)
      file.close
      environment = {"OPENAI_BASE_URL" => server.base_url, "OPENAI_API_KEY" => ReplayHelpers::KEY}
      output, errors, status = Open3.capture3(environment, RbConfig.ruby, "-I", library, file.path)
      [output.force_encoding(Encoding::UTF_8), errors.force_encoding(Encoding::UTF_8), status]
    end
  end

  before { skip "no guide at ../shared/guide.md" unless File.file?(guide) }

  let(:code) { ruby_block(guide, "### Streaming Agent Responses") }

  around { |example| RAAF::Testing::ModelServer.start { |server| (@server = server) && example.run } }

  it "is in the guide as this spec expects it" do
    expect(code).to include("require 'raaf-core'").and include("run_and_stream").and include("[Response complete]")
  end

  it "prints the answer and says that it is complete" do
    @server.script(deltas: ["Once", " upon", " a time, in Łódź …"], usage: true)

    output, errors, status = run_example(code, library, @server)

    expect(errors).to eq("")
    expect(output).to eq("Once upon a time, in Łódź …\n[Response complete]\n")
    expect(status).to be_success
  end

  it "asks as its agent is set up, with the key of the environment" do
    @server.script(deltas: ["Hi"])

    run_example(code, library, @server)

    request = @server.wait_for_request
    expect(request.headers["authorization"]).to eq("Bearer #{ReplayHelpers::KEY}")
    expect(request.json).to include(model: "gpt-4o", stream: true)
    expect(request.json[:messages]).to eq([
      {role: "system", content: "Provide helpful responses. Stream your thoughts as you work."},
      {role: "user", content: "Tell me a story"}
    ])
  end

  it "shows a tool that is called, once" do
    weather = {id: "call_1", name: "weather", arguments: ['{"city":', '"Rome"}']}
    @server.script(deltas: ["Let me see."], tool_calls: [weather])

    output, _, status = run_example(code, library, @server)

    expect(output).to eq("Let me see.\n[Using tool: weather]\n\n[Response complete]\n")
    expect(status).to be_success
  end

  it "fails with the provider's words where the key is wrong, and does not show the key" do
    @server.script(status: 401, body: {error: {message: "Incorrect API key provided", code: "invalid_api_key"}})

    output, errors, status = run_example(code, library, @server)

    expect(status).not_to be_success
    expect(output).to eq("")
    expect(errors).to include("AuthenticationError").and include("Incorrect API key provided")
    expect(errors).not_to include(ReplayHelpers::KEY)
  end
end
