# frozen_string_literal: true

RSpec.describe RAAF::Streaming::CircuitBreaker do
  # RAAF_BREAKER_SEED runs one of them again.
  seeds = ENV["RAAF_BREAKER_SEED"] ? [Integer(ENV["RAAF_BREAKER_SEED"])] : Array.new(40) { rand(1_000_000) }
  steps = ENV["RAAF_SLOW"] ? 100 : 500

  it "does what a plain reference does, whatever is done to it: seeds #{seeds.join(" ")}" do
    differences = seeds.to_h { |seed| [seed, CircuitBreakerComparison.new(seed).run(steps)] }.compact
    expect(differences).to eq({})
  end
end
