# frozen_string_literal: true

# What a circuit breaker costs round a block while all is well, and whether its block can be in several threads at once.
require "logger"
require "raaf-streaming"
require "semian"
require "stoplight"
require_relative "harness"

Semian.logger = Logger.new(nil)

breaker = RAAF::Streaming::CircuitBreaker.new
rates = RAAF::Streaming::CircuitBreaker.new(failure_rate: 0.5, window_duration: 60)
semian = Semian.register(:bench, bulkhead: false, circuit_breaker: true, success_threshold: 1, error_threshold: 5,
  error_timeout: 60, exceptions: [StandardError])
light = Stoplight("bench") # keeps its data in memory
plain = -> { 1 }

Bench.machine
race = Bench::Race.new("A call that succeeds, of a closed breaker")
race.contestant("block only", 1_000_000) { |count| count.times { plain.call } }
race.contestant("CircuitBreaker", 1_000_000) { |count| count.times { breaker.call { 1 } } }
race.contestant("CircuitBreaker, failure rate of a minute", 1_000_000) { |count| count.times { rates.call { 1 } } }
race.contestant("semian #{Semian::VERSION}, circuit only", 100_000) { |count| count.times { semian.acquire { 1 } } }
race.contestant("stoplight #{Stoplight::VERSION}, light kept", 20_000) { |count| count.times { light.run { 1 } } }
figures = race.start

# One thread, then eight, that each wait 1 ms in the block, as for a network.
def calls_a_second(threads, breaker, calls: 300)
  began = Process.clock_gettime(Process::CLOCK_MONOTONIC)
  Array.new(threads) { Thread.new { calls.times { breaker.call { sleep(0.001) } } } }.each(&:join)
  threads * calls / (Process.clock_gettime(Process::CLOCK_MONOTONIC) - began)
end

throughput = Array.new(Bench::REPEATS) { [1, 8].map { |threads| calls_a_second(threads, breaker) } }
puts "\nCalls a second that wait 1 ms in the block"
puts format("  1 thread %8.0f   8 threads %8.0f", *throughput.transpose.map { |row| row.sort[row.size / 2] })
by_threads = throughput.map { |one, eight| eight / one }.sort[throughput.size / 2]

puts
own = figures.fetch("CircuitBreaker")
figures.each { |name, figure| puts format("%s: +%.0f ns over the block", name, figure - figures["block only"]) }
Bench.goal("CircuitBreaker against semian", figures.find { |name, _| name.start_with?("semian") }.last / own, 10)
Bench.goal("CircuitBreaker against stoplight", figures.find { |name, _| name.start_with?("stoplight") }.last / own, 30)
Bench.goal("70 ns against a call of CircuitBreaker, over the block", 70 / (own - figures["block only"]), 1)
Bench.goal("8 threads against 1, each 1 ms in the block", by_threads, 7)
