# frozen_string_literal: true

require_relative "lib/raaf/streaming/version"

Gem::Specification.new do |spec|
  spec.name = "raaf-streaming"
  spec.version = RAAF::Streaming::VERSION
  spec.authors = ["The raaf-streaming developers"]
  spec.summary = "Streams answers from AI models to Ruby blocks, fibers, callbacks and browsers."
  spec.description = <<~TEXT
    The streaming part of Ruby AI Agents Factory (RAAF). One native thread a process does the sockets, TLS, SSE,
    JSON, coalescing, timeouts and retries without Ruby's global lock; Ruby sees ready-made chunks.
  TEXT
  spec.license = "MIT"
  spec.required_ruby_version = ">= 3.1"
  spec.metadata["rubygems_mfa_required"] = "true"

  # A plain glob, not `git ls-files`: a release tarball and a vendored copy have no git. Build products stay out.
  spec.files = Dir.glob(
    %w[
      {app,config,exe,ext,lib,sig}/**/*
      doc/**/*.md examples/*.rb
      README.md CHANGELOG.md LICENSE.txt .yardopts
    ], base: __dir__
  ).select { |path| File.file?(File.join(__dir__, path)) }
    .grep_v(/\.(?:so|bundle|dll|o|d|log)\z|(?:\A|\/)Makefile\z/)
    .sort
  spec.bindir = "exe"
  spec.executables = Dir.glob("*", base: File.join(__dir__, "exe"))
  spec.require_paths = ["lib"]
  spec.extensions = ["ext/raaf_streaming/extconf.rb"]

  # A default gem up to Ruby 3.4, a bundled one after it.
  spec.add_dependency "logger", "~> 1.4"
end
