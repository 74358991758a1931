# frozen_string_literal: true

# What it costs to add a piece of text to a ChunkBuffer, handing over included: every tenth piece fills it.
#
#   bundle exec ruby bench/chunk_buffer.rb

require_relative "../lib/raaf-streaming"
require_relative "harness"

# The streaming guide's ChunkBuffer in its own design, written anew: one String that grows by copies, under a Mutex that
# is held while the block runs, and the time of day.
class GuideBuffer
  def initialize(size: 50, timeout: 100)
    @text = ""
    @size = size
    @timeout = timeout
    @flushed_at = Time.now
    @mutex = Mutex.new
  end

  def add_chunk(chunk, &block)
    @mutex.synchronize do
      @text += chunk.delta
      full = @text.length >= @size || (Time.now - @flushed_at) * 1000 >= @timeout || chunk.type == :complete
      flush(&block) if full
    end
  end

  private

  def flush(&block)
    return if @text.empty?

    block&.call(@text)
    @text = ""
    @flushed_at = Time.now
  end
end

# @return [Chunk] as a stream gives it
def streamed(text)
  event = {choices: [{index: 0, delta: {content: text}}]}
  RAAF::Streaming::Decoder.new.feed("data: #{JSON.generate(event)}\n\n").first
end

# @return [Proc] for Race: adds the chunk so many times
def adding(buffer, chunk)
  handed_over = 0
  lambda do |count|
    count.times { buffer.add_chunk(chunk) { |text| handed_over += text.bytesize } }
  end
end

BUFFER = RAAF::Streaming::ChunkBuffer
PIECE = Struct.new(:type, :delta)
GOAL_NS = 90

Bench.machine
race = Bench::Race.new("ChunkBuffer#add_chunk(\" word\"), 50 characters")
race.contestant("the guide's design", 200_000, &adding(GuideBuffer.new, streamed(" word")))
race.contestant("ours", 1_000_000, &adding(BUFFER.new, streamed(" word")))
race.contestant("ours, pieces that end in a space", 1_000_000, &adding(BUFFER.new, streamed("word ")))
race.contestant("ours, cut between words", 1_000_000, &adding(BUFFER.new(cut: :word), streamed(" word")))
race.contestant("ours, a chunk made in Ruby", 1_000_000,
  &adding(BUFFER.new, RAAF::Streaming::Chunk.new(type: :content, delta: " word")))
race.contestant("ours, Japanese", 1_000_000, &adding(BUFFER.new, streamed("日本語")))
race.contestant("the guide's design, a Struct", 200_000, &adding(GuideBuffer.new, PIECE.new(:content, " word")))
race.contestant("ours, a Struct", 1_000_000, &adding(BUFFER.new, PIECE.new(:content, " word")))
ns = race.start

Bench.goal("faster than the guide's", ns["the guide's design"] / ns["ours"], 7)
Bench.goal("faster than the guide's, both with a Struct", ns["the guide's design, a Struct"] / ns["ours, a Struct"], 7)
Bench.goal("of #{GOAL_NS} ns of CPU a piece", GOAL_NS / ns["ours"], 1)
