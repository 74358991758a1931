# frozen_string_literal: true

require "raaf/testing"

RSpec.describe "What a stream costs" do
  # The whole answer in one piece of bytes, made before anything is counted.
  def runner_for(chunks)
    wire = RAAF::Testing::OpenAIChatWire.new
    bytes = wire.content("word ") * chunks + wire.finish("stop") + wire.done
    provider = Struct.new(:script) do
      def name = "counted"

      def build_request(**) = {script: script, dialect: :openai_chat, provider: name, model: "gpt-4o"}
    end
    agent = RAAF::Agent.new(name: "counted", model: "gpt-4o", provider: provider.new([[0, bytes]]))
    RAAF::Streaming::AsyncRunner.new(agent: agent)
  end

  # The least of several runs: whatever else allocates in the process only adds.
  def objects_a_chunk(chunks, &block)
    runners = Array.new(4) { runner_for(chunks) }
    runners.map do |runner|
      before = GC.stat(:total_allocated_objects)
      runner.run_and_stream("Count", &block)
      (GC.stat(:total_allocated_objects) - before).fdiv(chunks)
    end.min
  end

  it "is at most three objects a chunk whose text is read" do
    expect(objects_a_chunk(5_000) { |chunk| chunk.delta if chunk.content? }).to be <= 3
  end

  it "is at most two objects a chunk whose text is not read" do
    expect(objects_a_chunk(5_000) { |chunk| chunk.content? }).to be <= 2
  end

  it "is no object more where blocks can ask which chunk they have, as with Rails" do
    RAAF::Streaming::Delivery.keep
    expect(objects_a_chunk(5_000) { |chunk| chunk.content? }).to be <= 2
  ensure
    RAAF::Streaming::Delivery.instance_variable_set(:@kept, false)
  end
end
