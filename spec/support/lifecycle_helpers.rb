# frozen_string_literal: true

require "io/wait"
require "raaf/testing"

# What the specs of a stream's life share: a runner that asks a model server on a socket, consumers on threads of their
# own, and ways to wait until something has happened. Nothing here waits for time to pass, only for conditions.
module LifecycleHelpers
  # Seconds in which something has to happen that takes milliseconds on an idle machine; more under valgrind and the
  # sanitizers (RAAF_SLOW).
  PATIENCE = 20 * (ENV["RAAF_SLOW"] ? 10 : 1)

  # Seconds that a scripted model stays silent: longer than any example may take.
  SILENCE = 600

  # A consumer on a thread of its own.
  class Taking
    # @return [Array<RAAF::Streaming::Chunk>] what it has got so far
    attr_reader :chunks
    # @return [RAAF::Errors::Error, nil] what ended it
    attr_reader :error
    # @return [Thread]
    attr_reader :thread

    # @param stream [#each]
    # @yieldparam chunk [RAAF::Streaming::Chunk] what to do with each
    def initialize(stream, &block)
      @chunks = []
      @arrivals = Queue.new
      @thread = Thread.new { take(stream, block) }
    end

    # @return [RAAF::Streaming::Chunk] the next one that nobody has asked for; waits for it
    def next_chunk
      @arrivals.pop
    end

    # Waits for the end.
    # @return [Array<Symbol>]
    def types
      join.chunks.map(&:type)
    end

    # @return [self]
    def join
      @thread.join(PATIENCE) or raise "the consumer did not end: #{@thread.backtrace&.first(5)&.join("\n")}"
      self
    end

    private

    def take(stream, block)
      stream.each do |chunk|
        @chunks << chunk
        @arrivals << chunk
        block&.call(chunk)
      end
    rescue RAAF::Errors::Error => e
      @error = e
    end
  end

  # @param base_url [String]
  # @param settings [Hash] of the runner
  # @return [RAAF::Streaming::AsyncRunner]
  def runner_for(base_url, **settings)
    RAAF::Streaming::AsyncRunner.new(
      agent: RAAF::Agent.new(name: "Assistant", instructions: "Be brief.", model: "gpt-4o"),
      provider: RAAF::Models::OpenAIProvider.new(api_key: "key", base_url: base_url), **settings
    )
  end

  # Takes the chunks of a stream on a thread of its own.
  # @return [Taking]
  def take(stream, &block)
    Taking.new(stream, &block)
  end

  # A silent model: the request is read and never answered.
  # @return [Hash] for ModelServer#script
  def no_answer
    {fault: :no_response}
  end

  # A model that says the deltas, and then nothing more for as long as anybody waits.
  # @return [Hash] for ModelServer#script
  def silence_after(*deltas)
    {deltas: deltas, keep_open: true, finish_reason: nil, done: false}
  end

  # Looks again and again until the block's answer is true.
  # @param what [String] for the failure
  # @return [Object] what the block returned
  def eventually(what = "it", within: PATIENCE)
    deadline = monotonic + within
    loop do
      found = yield
      return found if found
      raise "#{what} did not happen within #{within} s" if monotonic > deadline

      sleep(0.002)
    end
  end

  # Waits until a thread has nothing to do.
  # @param thread [Thread]
  def until_asleep(thread)
    eventually("the thread's sleep") { thread.status == "sleep" }
  end

  # What the library logs meanwhile goes to the block, and not to the terminal.
  # @yieldparam log [StringIO]
  def without_log
    log = StringIO.new
    RAAF::Streaming.logger = Logger.new(log)
    yield log
  ensure
    RAAF::Streaming.logger = nil
  end

  # @return [Array<Thread>] those that run callbacks, and the one that watches them
  def dispatcher_threads
    Thread.list.select { |thread| thread.name&.start_with?("raaf-dispatch") }
  end

  def monotonic
    Process.clock_gettime(Process::CLOCK_MONOTONIC)
  end

  # @return [Integer] of :active (streams without an end) or :running (transfers)
  def reactor_count(name)
    RAAF::Streaming::Reactor.stats.fetch(name, 0)
  end

  # Waits until no stream runs.
  def until_idle
    eventually("the end of all streams") { reactor_count(:active).zero? && reactor_count(:running).zero? }
  end

  # @return [Integer] open descriptors of this process
  def descriptors
    Dir.children("/proc/self/fd").size
  end
end

RSpec.shared_context "with a model server" do
  include LifecycleHelpers

  let(:server) { RAAF::Testing::ModelServer.start }
  let(:runner) { runner_for(server.base_url) }

  # A stream that is left running would be counted by the next example.
  after do
    server.stop
    until_idle
  end
end
