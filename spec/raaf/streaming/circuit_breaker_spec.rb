# frozen_string_literal: true

require "active_support"
require "active_support/core_ext/numeric/time"
require "timeout"

RSpec.describe RAAF::Streaming::CircuitBreaker do
  include CircuitBreakers
  include LifecycleHelpers

  let(:clock) { CircuitBreakers::StoppedClock.new }
  let(:broken) { CircuitBreakers::Broken }
  let(:open_error) { RAAF::Errors::CircuitOpenError }

  # Time goes on only where an example says so.
  def breaker(**settings)
    described_class.new(clock: clock, **settings)
  end

  # One that has opened, and whose timeout has passed.
  def due_for_probes(**settings)
    breaker(timeout: 10, **settings).trip.tap { clock.advance(10) }
  end

  def states_of(breaker)
    [].tap { |states| breaker.on_state_change { |change| states << change.to } }
  end

  it "has the three states of its kind" do
    expect(described_class::STATES).to eq(%i[closed open half_open]).and be_frozen
  end

  describe "that is closed" do
    it "returns what the block returns, false and nil too" do
      closed = breaker
      expect([closed.call { 42 }, closed.call { false }, closed.call { nil }]).to eq([42, false, nil])
      expect(closed.call { next 7 }).to eq(7)
    end

    it "raises what the block raises, as it was" do
      error = broken.new("out of order")
      raised = begin
        breaker.call { raise error }
      rescue broken => e
        e
      end
      expect(raised).to equal(error)
      expect(raised.cause).to be_nil
      expect(raised.backtrace.first).to include(File.basename(__FILE__))
    end

    it "opens at the fifth failure in a row, unless told otherwise" do
      five = breaker
      fail_in(five, 4)
      expect(five).to have_attributes(state: :closed, failure_count: 4)
      fail_in(five)
      expect(five).to have_attributes(state: :open, failure_count: 0)
      two = breaker(failure_threshold: 2)
      fail_in(two, 2)
      expect(two.state).to eq(:open)
    end

    it "begins to count anew after a success" do
      counting = breaker(failure_threshold: 3)
      fail_in(counting, 2)
      counting.call { nil }
      expect(counting.failure_count).to eq(0)
      fail_in(counting, 2)
      expect(counting.state).to eq(:closed)
    end

    it "wants a block" do
      expect { breaker.call }.to raise_error(LocalJumpError)
    end
  end

  describe "that is open" do
    let(:open) { breaker(failure_threshold: 1, timeout: 60, name: "openai/gpt-4o").tap { |one| fail_in(one) } }

    it "refuses without running the block, and says for how long" do
      ran = false
      opened = open
      clock.advance(17.5)
      expect { opened.call { ran = true } }.to raise_error(open_error) do |error|
        expect(error.message).to include("Circuit breaker is open", "openai/gpt-4o", "42.5 s")
        expect(error.retry_after).to eq(42.5)
        expect(error).to be_retryable
      end
      expect(ran).to be(false)
    end
  end
end
