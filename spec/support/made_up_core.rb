# frozen_string_literal: true

require "fileutils"
require "json"
require "open3"
require "rbconfig"
require "tmpdir"

# Sets up a gem named raaf-core that behaves at its edges as the real one does (spec/fixtures/made_up_core), and runs
# Ruby processes beside it.
module MadeUpCore
  ROOT = File.expand_path("../..", __dir__)

  # Its files. The real one ships files whose names ours have too, and classes whose names ours would take.
  FILES = File.expand_path("../fixtures/made_up_core/lib", __dir__)

  # What a process that has loaded everything says of itself.
  REPORT = <<~RUBY
    require "json"
    provider = RAAF::Testing::MockProvider.new
    provider.add_streaming_response(chunks: ["Hel", "lo"], delay: 0)
    agent = RAAF::Agent.new(name: "A")
    agent.provider = provider
    puts JSON.generate(
      core_loads: ENV["MADE_UP_CORE_LOADS"].to_i, real: RAAF.const_defined?(:VERSION), model: agent.model,
      answer: agent.run("Hi").final_output, provider: RAAF.provider, agent_error: defined?(RAAF::Errors::AgentError),
      rate_limit: RAAF::Errors::RateLimitError.name, for_model: RAAF::Models.for_model("gpt-4o").class.name
    )
  RUBY

  REAL = {"core_loads" => 1, "real" => true, "model" => "gpt-4", "answer" => "Hello", "provider" => nil,
          "agent_error" => "constant", "rate_limit" => "RAAF::Errors::RateLimitError",
          "for_model" => "RAAF::Streaming::Providers::OpenAIChat"}.freeze
  STAND_IN = {"core_loads" => 0, "real" => false, "model" => "gpt-4o", "answer" => "Hello", "provider" => nil,
              "agent_error" => nil, "rate_limit" => "RAAF::Errors::RateLimitError",
              "for_model" => "RAAF::Models::OpenAIProvider"}.freeze

  # Nothing of the process that runs the specs may reach the others, above all not its bundle.
  CLEAN = %w[RUBYOPT RUBYLIB BUNDLE_GEMFILE BUNDLE_PATH BUNDLE_BIN_PATH BUNDLER_VERSION GEM_HOME GEM_PATH
    BUNDLE_LOCKFILE BUNDLER_SETUP MADE_UP_CORE_LOADS OPENAI_API_KEY].to_h { |name| [name, nil] }.freeze

  # @return [Hash] what the process reports
  def run_ruby(script, env: {}, load_path: [], requires: [])
    lines = requires.map { |name| "require #{name.inspect}" }
    arguments = load_path.flat_map { |folder| ["-I", folder] } + ["-W1", "-e", [*lines, script].join("\n")]
    output, errors, status = Open3.capture3(CLEAN.merge(env), RbConfig.ruby, *arguments)
    raise "the process failed: #{errors}" unless status.success?
    raise "the process warned: #{errors}" unless errors.empty?

    JSON.parse(output.lines.last)
  end

  def write_files(folder, files)
    files.each do |name, text|
      path = File.join(folder, name)
      FileUtils.mkdir_p(File.dirname(path))
      File.write(path, text)
    end
    folder
  end

  def write_core(folder)
    FileUtils.mkdir_p(folder)
    FileUtils.cp_r(FILES, folder)
    write_files(folder, "raaf-core.gemspec" => gemspec("raaf-core", "9.9.9"))
  end

  def gemspec(name, version)
    <<~RUBY
      Gem::Specification.new do |spec|
        spec.name = #{name.inspect}
        spec.version = #{version.inspect}
        spec.summary = "made up for a spec"
        spec.authors = ["a spec"]
        spec.files = Dir["lib/**/*.rb"]
        spec.require_paths = ["lib"]
      end
    RUBY
  end

  # A GEM_HOME with the made-up raaf-core, and ours where asked for, as RubyGems would have installed them.
  def gem_home(folder, ours: false)
    write_core(File.join(folder, "gems/raaf-core-9.9.9"))
    write_files(folder, "specifications/raaf-core-9.9.9.gemspec" => gemspec("raaf-core", "9.9.9"))
    if ours
      FileUtils.ln_s(ROOT, File.join(folder, "gems/raaf-streaming-0.1.0"))
      write_files(folder, "specifications/raaf-streaming-0.1.0.gemspec" => gemspec("raaf-streaming", "0.1.0"))
    end
    {"GEM_HOME" => folder, "GEM_PATH" => [folder, *Gem.default_path].join(File::PATH_SEPARATOR)}
  end

  # A bundle with ours and, where a path is given, the made-up raaf-core.
  def bundle(folder, *gems)
    lines = gems.map { |name, path| "gem #{name.inspect}, path: #{path.inspect}" }
    write_files(folder, "Gemfile" => "#{lines.join("\n")}\n")
    {"BUNDLE_GEMFILE" => File.join(folder, "Gemfile"), "BUNDLE_APP_CONFIG" => folder,
     "BUNDLE_DISABLE_VERSION_CHECK" => "1"}
  end
end
