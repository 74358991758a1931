# frozen_string_literal: true

# Times things side by side, in one process, so that the machine is the same for all: what counts are the ratios.
#
# A figure is the median of REPEATS runs, in nanoseconds of the process's CPU time and of wall time an operation; the
# contestants take turns, so that a neighbour who wakes up disturbs all of them.
require "etc"

module Bench
  REPEATS = Integer(ENV.fetch("BENCH_REPEATS", "7"))

  # One contestant. `run` does the operation so many times.
  Contestant = Struct.new(:name, :count, :run, :figures, keyword_init: true)

  class Race
    # @param title [String]
    def initialize(title)
      @title = title
      @contestants = []
    end

    # @param name [String]
    # @param count [Integer] operations in a run
    # @yieldparam count [Integer] how often to do it; has to be through with it when it returns
    def contestant(name, count, &run)
      @contestants << Contestant.new(name: name, count: count, run: run, figures: [])
    end

    # @return [Hash{String=>Float}] name => nanoseconds of CPU time an operation
    def start
      @contestants.each { |one| one.run.call([one.count / 10, 1].max) } # warms up
      REPEATS.times { @contestants.each { |one| one.figures << measure(one) } }
      report
      @contestants.to_h { |one| [one.name, median(one, 0)] }
    end

    private

    def measure(one)
      GC.start
      objects = GC.stat(:total_allocated_objects)
      cpu, wall = now(:PROCESS_CPUTIME_ID), now(:MONOTONIC)
      one.run.call(one.count)
      cpu, wall = now(:PROCESS_CPUTIME_ID) - cpu, now(:MONOTONIC) - wall
      objects = GC.stat(:total_allocated_objects) - objects
      [cpu / one.count * 1e9, wall / one.count * 1e9, objects.to_f / one.count]
    end

    def now(clock)
      Process.clock_gettime(Process.const_get("CLOCK_#{clock}"))
    end

    def median(one, place)
      one.figures.map { |figure| figure[place] }.sort[one.figures.size / 2]
    end

    def report
      puts "\n#{@title}"
      puts "#{" " * 53}CPU ns      wall ns   objects    ratio"
      first = median(@contestants.first, 0)
      @contestants.each do |one|
        puts format("  %-44s %12.1f %12.1f %9.2f %7.1fx", one.name, median(one, 0), median(one, 1), median(one, 2),
          median(one, 0) / first)
      end
    end
  end

  # Prints what was to be reached and whether it was; the program's exit status is 1 if it was not.
  #
  # @param name [String]
  # @param ratio [Float]
  # @param goal [Numeric] at least
  def self.goal(name, ratio, goal)
    reached = ratio >= goal
    puts format("%s: %s %.1fx (goal: %sx)", reached ? "reached" : "MISSED", name, ratio, goal)
    at_exit { exit(1) } unless reached
  end

  # @return [void] says on which machine the figures were made
  def self.machine
    load = File.read("/proc/loadavg").split.first
    puts "#{RUBY_DESCRIPTION}; #{Etc.nprocessors} cores, load #{load}; median of #{REPEATS}"
  end
end
