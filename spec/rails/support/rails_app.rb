# frozen_string_literal: true

require "fileutils"
require "open3"
require "timeout"

# A Rails application in a folder of its own, run as processes of its own with the gems that this checkout has
# installed.
class RailsApp
  # Seconds that one command may take.
  PATIENCE = ENV["RAAF_SLOW"] ? 600 : 120

  # What of this process's environment would lead the application astray, besides Bundler's own.
  UNSET = %w[RAILS_ENV RACK_ENV DATABASE_URL REDIS_URL OPENAI_API_KEY OPENAI_BASE_URL RAAF_DEV PORT PIDFILE
    BUNDLE_WITH BUNDLE_WITHOUT BUNDLE_FROZEN].freeze

  # A command that ended badly, and what it printed.
  class Failed < StandardError; end

  # @return [String]
  attr_reader :root

  # @param root [String]
  def initialize(root)
    @root = root
  end

  # @param parts [Array<String>]
  # @return [String] below the application's folder
  def path(*parts)
    File.join(root, *parts)
  end

  # @return [String]
  def read(name)
    File.read(path(name))
  end

  # @return [Boolean]
  def file?(name)
    File.file?(path(name))
  end

  # @return [void]
  def write(name, content)
    FileUtils.mkdir_p(File.dirname(path(name)))
    File.write(path(name), content)
  end

  # Changes a file as its owner would.
  #
  # @raise [Failed] where there is nothing to replace
  def replace(name, old, new)
    content = read(name)
    raise Failed, "#{name} has no #{old.inspect}" unless content.include?(old)

    write(name, content.sub(old) { new })
  end

  # @return [Hash{String=>String}] every file that somebody wrote: path => content
  def files
    Dir.glob("**/*", File::FNM_DOTMATCH, base: root).select { |name| File.file?(path(name)) }
      .grep_v(%r{\A(?:log|tmp|storage)/|\.lock\z}).sort.to_h { |name| [name, File.binread(path(name))] }
  end

  # Runs a command in the application, to its end.
  #
  # @return [String] all that it printed
  # @raise [Failed]
  def run(*command, env: {}, may_fail: false)
    output, status = capture(environment(env), command)
    return output if status.success? || may_fail

    raise Failed, "#{command.join(" ")} ended badly (#{status}):\n#{output}"
  end

  # @return [String] what `bin/rails` printed
  def rails(*arguments, **options)
    run("bundle", "exec", "ruby", "bin/rails", *arguments, **options)
  end

  # All that a process of the application's gets as its environment.
  #
  # @param more [Hash{String=>String}]
  # @return [Hash{String=>String}]
  def environment(more = {})
    Bundler.unbundled_env.except(*UNSET).merge("BUNDLE_GEMFILE" => path("Gemfile"),
      "BUNDLE_PATH" => AppBuilder.bundle_path, "BUNDLE_APP_CONFIG" => path(".bundle"),
      "RAAF_CHECKOUT" => AppBuilder::CHECKOUT, **more)
  end

  private

  def capture(env, command)
    Open3.popen2e(env, *command, chdir: root, unsetenv_others: true) do |input, output, process|
      input.close
      Timeout.timeout(PATIENCE) { [output.read, process.value] }
    rescue Timeout::Error
      Process.kill("KILL", process.pid)
      raise Failed, "#{command.join(" ")} took longer than #{PATIENCE} s"
    end
  end
end
