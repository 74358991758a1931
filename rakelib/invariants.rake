# frozen_string_literal: true

require "tmpdir"
require_relative "invariants"

desc "Check the rules about the source that no compiler checks"
task invariants: "invariants:selftest" do
  offences = Invariants.new(".").offences
  abort "#{offences.join("\n")}\ninvariants: #{offences.size} broken" unless offences.empty?
  puts "invariants: #{Invariants::RULES.size} rules hold"
end

namespace :invariants do
  desc "Plant a violation of each rule and look whether it is found"
  task :selftest do
    blind = Invariants.selftest
    abort "#{blind.join("\n")}\ninvariants: #{blind.size} planted violations were not found" unless blind.empty?
  end
end
