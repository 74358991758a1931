# frozen_string_literal: true

require "raaf/testing"

# Runs against a model server on a socket, and what they handed over.
module ReplayHelpers
  # Looks like no provider's key, so that only who knows it can cut it out.
  KEY = "correct-horse-battery-staple"

  # All that one run gave: `result` or `error` is nil.
  Run = Struct.new(:chunks, :result, :error) do
    def of(*types)
      chunks.select { |chunk| types.include?(chunk.type) }
    end

    def deltas(*types)
      of(*types).map(&:delta)
    end

    # The answer's text; where there are several answers, the first one's.
    def text
      of(:content).select { |chunk| chunk.choice.zero? }.map(&:delta).join
    end

    def last
      chunks.last
    end
  end

  # Asks once, unless another number is given: what fails here is mostly to be seen as it failed.
  # @param provider_class [Class]
  # @return [RAAF::Streaming::AsyncRunner] asks that server, or that address
  def runner_for(server, api_key: KEY, provider_class: RAAF::Models::OpenAIProvider, max_retries: 0, **settings)
    address = server.respond_to?(:base_url) ? server.base_url : server
    provider = provider_class.new(api_key: api_key, base_url: address)
    agent = RAAF::Agent.new(name: "Assistant", instructions: "Be brief.", model: "gpt-4o")
    RAAF::Streaming::AsyncRunner.new(agent: agent, provider: provider, max_retries: max_retries, **settings)
  end

  # Runs to the end, well or not.
  # @yieldparam chunk [RAAF::Streaming::Chunk] where there is a block
  # @return [Run]
  def stream_from(server, message = "Hello", **settings)
    chunks = []
    result = runner_for(server, **settings).run_and_stream(message) do |chunk|
      chunks << chunk
      yield chunk if block_given?
    end
    Run.new(chunks, result, nil)
  rescue RAAF::Errors::Error => e
    Run.new(chunks, nil, e)
  end

  # Runs against a server that answers once, with this script.
  # @yieldparam server [RAAF::Testing::ModelServer] before it is asked
  # @return [Run]
  def stream_scripted(settings = {}, **script, &block)
    RAAF::Testing::ModelServer.start do |server|
      server.script(**script, &block)
      run = stream_from(server, **settings)
      raise server.errors.first if server.errors.any?

      run
    end
  end

  # Waits for something that no event announces.
  def eventually(timeout: 20)
    deadline = seconds + timeout
    until yield
      raise "it did not happen within #{timeout} s" if seconds > deadline

      Thread.pass
    end
  end

  # Waits until no request is on its way any more, those included whose rest is read in the background.
  def settle
    eventually { RAAF::Streaming::Reactor.stats.fetch(:running, 0).zero? }
  end

  # @return [Float] on the monotonic clock
  def seconds
    Process.clock_gettime(Process::CLOCK_MONOTONIC)
  end
end

# What holds for the chunks of every run, whether it ended well or not.
RSpec::Matchers.define :be_a_proper_sequence do
  match do |chunks|
    @complaint = numbering(chunks) || ending(chunks) || texts(chunks)
    @complaint.nil?
  end

  failure_message { "expected the chunks of one run in order, but #{@complaint}" }

  def numbering(chunks)
    numbers = chunks.map(&:seq)
    "they are numbered #{numbers.inspect[0, 200]}" unless numbers == (1..chunks.size).to_a
  end

  def ending(chunks)
    places = chunks.each_index.select { |i| chunks[i].terminal? }
    "the terminal ones are at #{places} of #{chunks.size}" unless places == [chunks.size - 1]
  end

  def texts(chunks)
    so_far = Hash.new { |all, choice| all[choice] = +"" }
    wrong = chunks.find do |chunk|
      so_far[chunk.choice] << chunk.delta if chunk.content?
      right = chunk.cumulative == so_far[chunk.choice]
      so_far.clear if chunk.status? && %i[redirected reset].include?(chunk.status)
      !right
    end
    "#{wrong.inspect} has the wrong cumulative" if wrong
  end
end
