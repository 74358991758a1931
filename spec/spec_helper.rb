# frozen_string_literal: true

$LOAD_PATH.unshift File.expand_path("../lib", __dir__)
require "raaf-streaming"

Dir[File.join(__dir__, "support", "**", "*.rb")].sort.each { |file| require file }

# An example that hangs is a failure, not a run that never ends. A thread of its own watches all examples: it raises in
# the one that is late and, where even that does not end it (a native call that cannot be interrupted), shows every
# thread's backtrace and ends the process.
class ExampleWatchdog
  # Raised in an example that takes too long. Not a StandardError, so that a `rescue` under test does not swallow it.
  class Late < Exception; end # rubocop:disable Lint/InheritException

  # Seconds. Under valgrind and the sanitizers everything is slower (RAAF_SLOW).
  LIMIT = Float(ENV.fetch("RAAF_SPEC_TIMEOUT", "60")) * (ENV["RAAF_SLOW"] ? 5 : 1)
  GRACE = 15

  def initialize
    @lock = Mutex.new
    @thread = Thread.new { loop { sleep(0.5) && check } }
    @thread.name = "spec watchdog"
  end

  def watch(example)
    @lock.synchronize { @example, @runner, @deadline, @raised = example, Thread.current, now + LIMIT, false }
    yield
  ensure
    @lock.synchronize { @deadline = nil }
  end

  private

  def now
    Process.clock_gettime(Process::CLOCK_MONOTONIC)
  end

  # The lock keeps the exception out of the next example: nothing is raised once the deadline is gone.
  def check
    @lock.synchronize do
      next if @deadline.nil? || now < @deadline

      give_up if @raised
      @raised = true
      @deadline = now + GRACE
      @runner.raise(Late, "took longer than #{LIMIT.to_i} s: #{@example.location}")
    end
  end

  def give_up
    warn "\n#{@example.location} (#{@example.full_description}) hangs and cannot be interrupted."
    Thread.list.each { |thread| warn "#{thread.inspect}\n  #{thread.backtrace&.join("\n  ")}" }
    Process.exit!(1)
  end
end

RSpec.configure do |config|
  config.disable_monkey_patching!
  config.expect_with(:rspec) { |expectations| expectations.syntax = :expect }
  config.mock_with(:rspec) { |mocks| mocks.verify_partial_doubles = true }
  config.shared_context_metadata_behavior = :apply_to_host_groups
  config.order = :random
  config.profile_examples = false
  config.filter_run_when_matching :focus
  config.raise_errors_for_deprecations!
  # `valgrind: false` at an example says that valgrind itself makes it fail (it has descriptors of its own, for one).
  config.filter_run_excluding(valgrind: false) if ENV["RAAF_VALGRIND"]
  Kernel.srand config.seed

  watchdog = ExampleWatchdog.new
  config.around { |example| watchdog.watch(example) { example.run } }
end
