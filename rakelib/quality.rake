# frozen_string_literal: true

require "shellwords"

# .clang-format is made for this version: each major version breaks lines differently, and would fail all the rest.
CLANG_FORMAT_MAJOR = 14

def clang_format
  ["clang-format-#{CLANG_FORMAT_MAJOR}", "clang-format"].find do |name|
    IO.popen([name, "--version"], &:read)[/version (\d+)/, 1].to_i == CLANG_FORMAT_MAJOR
  rescue Errno::ENOENT
    false
  end
end

C_FILES = "{ext,test/c}/**/*.{c,h}"

namespace :lint do
  desc "Check the Ruby style"
  task(:ruby) { sh "bundle", "exec", "rubocop", "--format", "simple", verbose: false }

  desc "Check the C style"
  task :c do
    files = Dir.glob(C_FILES)
    next puts("lint: clang-format #{CLANG_FORMAT_MAJOR} is not installed: C is not checked") unless clang_format

    sh clang_format, "--dry-run", "-Werror", *files, verbose: false unless files.empty?
    puts "clang-format: #{files.size} files inspected, no offenses detected"
  end

  desc "Correct what can be corrected, in Ruby and C"
  task :fix do
    sh "bundle", "exec", "rubocop", "--autocorrect", verbose: false
    sh clang_format, "-i", *Dir.glob(C_FILES), verbose: false if clang_format
  end
end

desc "Check style and invariants"
task lint: ["lint:ruby", "lint:c", :invariants]

desc "Check the documentation: YARD must warn of nothing and find nothing public undocumented"
task :docs do
  report = IO.popen(%w[bundle exec yard stats --list-undoc], err: [:child, :out], &:read)
  puts report
  # `yard stats` ends well in any case. Its warnings are of unknown tags, parameters and links.
  abort "docs: something public is undocumented" unless report.include?("100.00% documented")
  abort "docs: YARD warned" if report.include?("[warn]")
end

desc "Check the type signatures in sig/ and lib/ against them"
task :sig do
  abort "sig: there is nothing in sig/" if Dir.glob("sig/**/*.rbs").empty?

  sh "bundle exec rbs -r logger -r json -r singleton -r uri -I sig validate", verbose: false
  sh "bundle exec steep check --severity-level=error", verbose: false
end
