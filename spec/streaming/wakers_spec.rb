# frozen_string_literal: true

require "tmpdir"

RSpec.describe "The descriptors that consumers sleep on" do
  include LifecycleHelpers

  # A scheduler that never comes back to a fiber: whoever waits is dropped, and runs no ensure.
  let(:forgetful_scheduler) do
    Class.new do
      def fiber(&block) = Fiber.new(blocking: false, &block).tap(&:resume)
      def io_wait(*) = Fiber.yield
      def kernel_sleep(*) = Fiber.yield
      def block(*) = Fiber.yield
      def unblock(*) = nil
      def close = nil
      def run = nil
    end
  end

  around do |example|
    RAAF::Testing::ModelServer.start do |server|
      @server = server
      example.run
    end
  end

  attr_reader :server

  it "are kept for reuse, but no more than a few" do
    server.default_script(deltas: %w[a b], delay: 0.05)
    runner = runner_for(server.base_url)
    Array.new(60) { Thread.new { runner.run_and_stream("Hello") } }.each { |thread| thread.join(LifecycleHelpers::PATIENCE) }
    expect(RAAF::Streaming::Reactor.idle_wakers).to be_between(1, 32)
  end

  it "are not written to once they are somebody else's, where a fiber was dropped in its sleep" do
    server.default_script(deltas: Array.new(500) { "x" }, delay: 0.005)
    runner = runner_for(server.base_url)
    scheduler = forgetful_scheduler
    Thread.new do
      Fiber.set_scheduler(scheduler.new)
      40.times { Fiber.schedule { runner.run_and_stream("Hello") { |_| nil } } }
      Fiber.set_scheduler(nil)
    end.join
    server.wait_for_request(40, timeout: LifecycleHelpers::PATIENCE)

    Dir.mktmpdir do |dir|
      GC.start(immediate_sweep: false)
      files = Array.new(100) { |i| File.open(File.join(dir, i.to_s), "w") }
      eventually("the end of the dropped streams") do
        GC.start
        RAAF::Streaming::Reactor.stats[:active].zero?
      end
      files.each(&:close)
      expect(files.map { |file| File.size(file.path) }).to all(be_zero)
    end
  end
end
