# frozen_string_literal: true

require "json"
require "open3"
require "rbconfig"
require "tempfile"
require "raaf/testing"

# Runs the guide's own services, unchanged, in a process of their own against a model server of the spec's.
module GuideServices
  GUIDE = File.expand_path("../../../shared/guide.md", __dir__)
  PRELUDE = File.expand_path("../fixtures/guide_services/prelude.rb", __dir__)
  LIBRARY = File.expand_path("../../lib", __dir__)

  # How models fail, and the error that this is.
  FAILURES = {
    "a status of 500" => [{status: 500}, "RAAF::Errors::ServerError"],
    "a key that is refused" => [{status: 401}, "RAAF::Errors::AuthenticationError"],
    "an answer that is cut off" => [{deltas: %w[Half an answer], fault: :cut, after: 2},
      "RAAF::Errors::TruncatedStreamError"]
  }.freeze

  module_function

  # @return [String] the first Ruby block below that heading, byte for byte
  def code(heading)
    File.read(GUIDE).split("#{heading}\n", 2).last[/^```ruby\n(.*?)^```$/m, 1]
  end

  # Has the server answer each agent as said, whatever the order in which they ask.
  # @param answers [Hash{String=>Hash}] what the system message names => options of ModelServer#script
  def answer(server, answers)
    scripts = answers.transform_values { |options| RAAF::Testing::ModelServer::Script.build(**options) }
    server.script(repeat: true) do |request, response|
      name = scripts.keys.find { |key| system(request).include?(key) } or raise "who asks? #{system(request)}"
      scripts.fetch(name).play(request, response)
    end
  end

  # @return [String] the system message
  def system(request)
    request.json[:messages].first[:content]
  end

  # What an agent was asked, each time.
  # @return [Array<Array>] role and content of the messages behind the system message
  def asked(server, name)
    requests = server.requests.select { |request| system(request).include?(name) }
    requests.map { |request| request.json[:messages].drop(1).map { |one| [one[:role], one[:content]] } }
  end

  # Runs the script behind what the guide has below that heading.
  # @return [Hash{Symbol=>Object}] what the script has reported
  def run_guide(server, heading, script)
    run_with_cable(server, "#{code(heading)}\n#{script}")
  end

  # Runs the script where Action Cable is loaded.
  # @param prelude [String] a file with what it is to find there
  # @return [Hash{Symbol=>Object}] what it has reported
  def run_with_cable(server, script, prelude: PRELUDE)
    Tempfile.create(["cable", ".rb"]) do |file|
      file.write("require #{prelude.inspect}\n#{script}")
      file.close
      environment = {"OPENAI_BASE_URL" => server.base_url, "OPENAI_API_KEY" => "a-key-of-the-spec"}
      output, errors, status = Open3.capture3(environment, RbConfig.ruby, "-I", LIBRARY, file.path)
      raise "the process failed: #{errors}" unless status.success?
      raise "the process warned: #{errors}" unless errors.empty?
      raise server.errors.first if server.errors.any?

      JSON.parse(output.lines.last, symbolize_names: true)
    end
  end
end
