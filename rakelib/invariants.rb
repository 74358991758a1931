# frozen_string_literal: true

# Rules about the source that no compiler checks. Each is one search over the repository's files; `rake invariants` runs
# them, `rake invariants:selftest` plants a violation of each and looks whether it is found.
class Invariants
  # name: what is printed. files: which paths are searched. except: which of those may do it anyway.
  # pattern: what must not occur in a line; nil: the file itself must not be there.
  # offence: path => a line that breaks the rule, for the self-test.
  Rule = Struct.new(:name, :files, :except, :pattern, :offence, keyword_init: true)

  EXT = "ext/raaf_streaming/"
  C_SOURCE = /\A(?:ext|test\/c)\/.*\.[ch]\z/

  # The patterns and offences are spelled so that they do not match themselves.
  RULES = [
    Rule.new(
      name: "the core knows nothing of Ruby (ruby.h, VALUE)",
      files: %r{\A(?:#{EXT}core|test/c)/.*\.[ch]\z}, pattern: /["<\/]ruby\.h|["<]ruby\/|\bVALUE\b/,
      offence: {"#{EXT}core/buffer.c" => "static VALUE x;", "#{EXT}core/buffer.h" => "#include <ruby.h>"}
    ),
    Rule.new(
      name: "ruby.h only in rb_*",
      files: /\A#{EXT}[^\/]*\.[ch]\z/, except: /\A#{EXT}rb_[^\/]*\z/, pattern: /["<\/]ruby\.h|["<]ruby\//,
      offence: {"#{EXT}helper.c" => "#include <ruby.h>"}
    ),
    Rule.new(
      name: "libcurl only in core/transfer* and core/reactor*",
      files: C_SOURCE, except: %r{\A#{EXT}core/(?:transfer|reactor)(?:_\w+)?\.[ch]\z}, pattern: /["<]curl\//,
      offence: {"#{EXT}core/dialect.c" => "#include <curl/curl.h>", "#{EXT}rb_init.c" => "#include <curl/multi.h>"}
    ),
    Rule.new(
      name: "yajl only in core/json_reader.*",
      files: C_SOURCE, except: %r{\A#{EXT}core/json_reader\.[ch]\z}, pattern: /["<]yajl\//,
      offence: {"#{EXT}core/dialect.c" => "#include <yajl/yajl_parse.h>"}
    ),
    Rule.new(
      name: "lib/ loads its own files by require_relative (raaf-core ships files of the same names)",
      files: /\Alib\/.*\.rb\z/, except: /\Alib\/generators\/.*\/templates\//, pattern: /^\s*require\s*\(?\s*["']raaf\//,
      offence: {"lib/raaf/streaming/chunk.rb" => "  require 'raaf/streaming/errors'"}
    ),
    Rule.new(
      name: "no package registry's address",
      files: //,
      pattern: /(?:rubygems|npmjs|yarnpkg|pypi|pythonhosted|crates|jsdelivr|unpkg|debian)[.](?:org|com|io|net)\b/i,
      offence: {"README.md" => "see https://rubygems" + ".org/gems", "Gemfile" => "source 'https://index.rubygems" + ".org'"}
    ),
    Rule.new(
      name: "no lock file",
      files: /(?:\A|\/)(?:[^\/]*\.lock|package-lock\.json|pnpm-lock\.yaml|npm-shrinkwrap\.json)\z/,
      offence: {"Gemfile.lock" => "", "spec/dummy/package-lock.json" => "{}"}
    ),
    Rule.new(
      name: "no path of one machine (use __dir__, Dir.mktmpdir, Dir.home)",
      files: //, except: /(?:\A|\/)\.gitignore\z/, pattern: %r{(?<![\w.)\}*-])/(?:work|tmp|home|root|Users|var/tmp)/},
      offence: {"bin/x" => "cd /" + "work/main", "spec/x_spec.rb" => "File.write('/" + "tmp/x', '')"}
    )
  ].freeze

  def initialize(root)
    @root = root
  end

  # @return [Array<String>] one line an offence: "rule: path:line: text"
  def offences
    paths = files
    RULES.flat_map { |rule| paths.grep(rule.files).flat_map { |path| check(rule, path) } }
  end

  # @return [Array<String>] the rules that did not find their own offence, or found it in a clean tree
  def self.selftest
    RULES.flat_map do |rule|
      rule.offence.filter_map do |path, line|
        before = planted({path => "", "README.md" => ""}) { |tree| rule.pattern ? tree.offences : [] }
        after = planted({path => "/* ok */\n#{line}\n"}) { |tree| tree.offences }
        found = after.any? { |offence| offence.start_with?("#{rule.name}: #{path}") }
        "#{rule.name}: #{path}" unless found && before.empty?
      end
    end
  end

  # Yields the invariants of a throw-away folder that contains the files given.
  def self.planted(contents)
    Dir.mktmpdir do |folder|
      contents.each do |path, text|
        target = File.join(folder, path)
        FileUtils.mkdir_p(File.dirname(target))
        File.write(target, text)
      end
      yield new(folder)
    end
  end
  private_class_method :planted

  private

  def check(rule, path)
    return [] if rule.except&.match?(path)
    return ["#{rule.name}: #{path}"] unless rule.pattern

    lines(path).each.with_index(1).filter_map do |line, number|
      "#{rule.name}: #{path}:#{number}: #{line.strip}" if rule.pattern.match?(line)
    end
  end

  def lines(path)
    text = File.binread(File.join(@root, path))
    # A binary file has no lines to read.
    text.include?("\0") ? [] : text.force_encoding(Encoding::UTF_8).scrub("?").lines
  end

  # What is in the repository or would be added to it; in a folder without git, all but what is built or installed.
  def files
    listed = IO.popen(%w[git ls-files -z --cached --others --exclude-standard], chdir: @root, err: File::NULL, &:read)
    paths = $?.success? ? listed.split("\0") : Dir.glob("**/*", File::FNM_DOTMATCH, base: @root)
    paths.reject { |path| path.match?(%r{\A(?:\.git|tmp|vendor|pkg)/}) }
      .select { |path| File.file?(File.join(@root, path)) }.sort
  end
end
