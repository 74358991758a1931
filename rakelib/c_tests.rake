# frozen_string_literal: true

require "etc"

# The core's tests need no Ruby, so their build is a Makefile that works without it; these tasks only call it.
def c_tests(target, **variables)
  sh "make", "-C", "test/c", "-s", "-j#{Etc.nprocessors}", target, *variables.map { |name, value| "#{name}=#{value}" },
    verbose: false
end

namespace :test do
  desc "Run the C core's tests, without Ruby (ONLY=test_buffer for one)"
  task(:c) { c_tests("check", VARIANT: "plain") }

  namespace :c do
    {
      asan: "the address and undefined-behaviour sanitizers",
      tsan: "the thread sanitizer",
      valgrind: "valgrind",
      portable: "the conditions of a system without epoll and eventfd"
    }.each do |variant, what|
      desc "Run the C core's tests under #{what}"
      task(variant) { c_tests("check", VARIANT: variant) }
    end
  end
end

desc "Fuzz the parsers with libFuzzer, SECONDS each (needs clang)"
task :fuzz, [:seconds] do |_task, args|
  c_tests("fuzz", SECONDS: Integer(args[:seconds] || 60))
end
