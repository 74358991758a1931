# frozen_string_literal: true

# Each runs in a process of its own: a heap that moves, or is collected at every allocation, is no place for RSpec.
RSpec.describe "A chunk buffer", "and a garbage collector that moves everything, or runs all the time," do
  include LifecycleHelpers
  include LifecycleScripts

  # Buffers in every state, and what they have to hand over.
  life = <<~'RUBY'
    def content(text) = RAAF::Streaming::Chunk.new(type: :content, delta: text)
    wire = %w[Hel lö\ 👩 ‍👧!].map { |delta| %(data: {"choices":[{"index":0,"delta":{"content":"#{delta}"}}]}\n\n) }.join
    complete = RAAF::Streaming::Chunk.new(type: :complete)
    kept = Array.new(20) { |i| RAAF::Streaming::ChunkBuffer.new(size: 1000, timeout: nil) }
    kept_texts = Array.new(20) { +"" }
    kept.each_with_index { |buffer, i| buffer.add_chunk(content("kept #{i}")) { |text| kept_texts[i] << text } }
    one = lambda do
      out = +""
      buffer = RAAF::Streaming::ChunkBuffer.new(size: 3, timeout: 600_000, cut: %i[grapheme word].sample)
      RAAF::Streaming::Decoder.new.feed(wire).each { |chunk| buffer.add_chunk(chunk) { |text| out << text } }
      buffer.add_chunk(content("\xE6\x97".b)) { |text| out << text }
      buffer.add_chunk(content("\xA5 und mehr".b)) do |text|
        out << text
        buffer.add_chunk(content("+")) { |more| out << more }
      end
      begin
        buffer.add_chunk(content("xyzw ab")) { |text| out << text; raise "left" }
      rescue RuntimeError
        out << "!"
      end
      raise "not given back" unless buffer.add_chunk(complete) { |text| out << text }.equal?(complete)
      raise "different: #{out}" unless out.delete("!") == "Hellö 👩‍👧日 und mehr+xyzw ab".delete("!")
      done = Queue.new
      timed = RAAF::Streaming::ChunkBuffer.new(size: 1000, timeout: 1)
      timed.add_chunk(content("timed")) { |text| done << text }
      raise "timed" unless done.pop == "timed"
      gate = Queue.new
      inside = Queue.new
      shared = RAAF::Streaming::ChunkBuffer.new(size: 3, timeout: nil)
      threads = [Thread.new { shared.add_chunk(content("abcd")) { |text| inside << text; gate.pop } }]
      first = inside.pop
      threads << Thread.new { shared.add_chunk(content("efgh")) { |text| done << text } }
      Thread.pass until threads.last.status == "sleep"
      gate << true
      threads.each(&:join)
      shared.close { |text| done << text }
      raise "shared" unless [first, done.pop, done.pop] == %w[abc defg h]
    end
    check = lambda do
      kept.each(&:flush)
      raise "kept: #{kept_texts}" unless kept_texts == Array.new(20) { |i| "kept #{i}" }
    end
  RUBY

  def expect_whole(script)
    expect([script.output, script.errors]).to eq(["whole\n", ""])
  end

  it "keeps every text when the heap is compacted" do
    expect_whole(run_script(life + <<~RUBY))
      moving = true
      mover = Thread.new { (GC.compact && sleep(0.001)) while moving }
      10.times { one[] }
      moving = false
      mover.join
      if GC.respond_to?(:verify_compaction_references)
        options = RUBY_VERSION >= "3.2" ? {expand_heap: true} : {double_heap: true}
        out = +""
        buffer = RAAF::Streaming::ChunkBuffer.new(size: 3, timeout: nil)
        buffer.add_chunk(content("abcd")) do |text|
          GC.verify_compaction_references(toward: :empty, **options) # while it is inside the block
          out << text
          buffer.flush
        end
        raise "inside" unless out == "abcd"
        GC.verify_compaction_references(toward: :empty, **options)
        one[]
      end
      check[]
      puts "whole"
    RUBY
  end

  it "keeps every text under GC.stress" do
    expect_whole(run_script(life + <<~RUBY, within: 60))
      GC.stress = true
      one[]
      GC.stress = false
      check[]
      puts "whole"
    RUBY
  end

  it "keeps young blocks that only an old buffer holds" do
    expect_whole(run_script(<<~'RUBY'))
      def content(text) = RAAF::Streaming::Chunk.new(type: :content, delta: text)
      out = []
      buffers = Array.new(100) { RAAF::Streaming::ChunkBuffer.new(size: 1000, timeout: nil) }
      4.times { GC.start } # from here on only the write barriers keep them
      10.times do |i|
        buffers.each { |buffer| buffer.add_chunk(content("a")) { |text| out << "#{i} #{text}" } }
        GC.start(full_mark: false)
        GC.compact if i == 5
      end
      buffers.each(&:flush)
      raise out.tally.inspect unless out.tally == {"9 #{"a" * 10}" => 100}
      puts "whole"
    RUBY
  end

  it "leaves none behind" do
    expect_whole(run_script(<<~RUBY))
      text = RAAF::Streaming::Chunk.new(type: :content, delta: "x" * 10_000)
      30.times do
        1_000.times { RAAF::Streaming::ChunkBuffer.new(size: 100_000, timeout: nil).add_chunk(text) { nil } }
        GC.start
      end
      count = ObjectSpace.each_object(RAAF::Streaming::ChunkBuffer).count
      raise count.to_s if count > 1_100
      puts "whole"
    RUBY
  end
end
