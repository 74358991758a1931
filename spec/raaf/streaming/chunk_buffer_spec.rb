# frozen_string_literal: true

require "active_support"
require "active_support/notifications"
require "async"
require "objspace"

RSpec.describe RAAF::Streaming::ChunkBuffer do
  include LifecycleForks
  include LifecycleHelpers

  # Long enough that no timer of an example without one comes in between.
  subject(:buffer) { described_class.new(size: 10, timeout: 600_000) }

  let(:texts) { Queue.new }

  def content(text)
    RAAF::Streaming::Chunk.new(type: :content, delta: text)
  end

  def chunk(type, **attributes)
    RAAF::Streaming::Chunk.new(type: type, **attributes)
  end

  # Adds a content chunk; what comes out goes to `texts`.
  def add(text, to = buffer)
    to.add_chunk(content(text)) { |ready| texts << ready }
  end

  # All that has come so far.
  def taken
    Array.new(texts.size) { texts.pop }
  end

  # What comes out of a new buffer, text by text, for a text in these pieces, the rest at the end.
  def out_of(pieces, **options)
    out = []
    gathering = described_class.new(timeout: nil, **options)
    pieces.each { |piece| gathering.add_chunk(content(piece)) { |text| out << text } }
    cuts = out.size
    gathering.close { |text| out << text }
    [out, cuts]
  end

  # A thread that stands inside the block, with a text of its own, until the gate is opened.
  def inside_the_block(gate)
    entered = Queue.new
    thread = Thread.new do
      buffer.add_chunk(content("0123456789A")) do |text|
        entered << true
        gate.pop
        texts << text
      end
    end
    entered.pop
    thread
  end

  def until_it_waits(thread)
    eventually("the wait") { thread.status == "sleep" }
  end

  describe "as the guide uses it" do
    it "gathers text until there is enough" do
      expect(add("Hello")).to be_nil
      expect(taken).to be_empty
      expect(add(" world")).to be_nil
      expect(taken).to eq(["Hello worl"])
      expect(add(", how are")).to be_nil
      expect(taken).to eq(["d, how ar"])
    end

    it "has the guide's defaults" do
      gathering = described_class.new
      9.times { add(" word", gathering) }
      expect(taken).to be_empty
      add(" word", gathering)
      expect(taken).to eq([" word" * 9 + " wor"])
      expect(texts.pop).to eq("d") # after 100 ms
    end

    it "lets text out before any chunk that is no content, and gives that chunk back" do
      others = (RAAF::Streaming::Chunk::TYPES - [:content]).map { |type| chunk(type, delta: "other") }
      others.each do |other|
        add("abc")
        returned = buffer.add_chunk(other) do |text|
          texts << text
          texts << other.type
        end
        expect(returned).to equal(other)
        expect(taken).to eq(["abc", other.type])
      end
      expect(buffer.add_chunk(others.first) { raise "there is nothing" }).to equal(others.first)
    end

    it "takes a chunk without a delta for one without text" do
      piece = Struct.new(:type, :delta)
      expect(buffer.add_chunk(piece.new(:content, nil)) { |text| texts << text }).to be_nil
      last = piece.new(:complete, nil)
      expect(buffer.add_chunk(last) { |text| texts << text }).to equal(last)
      expect(taken).to be_empty
    end

    it "takes anything with type and delta, and asks a subclass of Chunk" do
      piece = Struct.new(:type, :delta)
      loud = Class.new(RAAF::Streaming::Chunk) { def delta = super.upcase }
      buffer.add_chunk(piece.new(:content, "one ")) { |text| texts << text }
      buffer.add_chunk(loud.new(type: :content, delta: "two ")) { |text| texts << text }
      buffer.flush
      expect(taken).to eq(["one TWO "])
    end

    it "takes the chunks of a stream" do
      decoder = RAAF::Streaming::Decoder.new
      events = ["Grüße", " an ", "alle 👋"].map do |delta|
        "data: #{JSON.generate(choices: [{index: 0, delta: {content: delta}}])}\n\n"
      end
      chunks = decoder.feed(events.join) + decoder.feed("data: [DONE]\n\n") + decoder.finish
      passed = chunks.filter_map { |one| buffer.add_chunk(one) { |text| texts << text } }
      expect(taken).to eq(["Grüße an alle ", "👋"])
      expect(passed).to eq([chunks.last])
    end

    it "takes a chunk of a stream that was changed by what it was changed to" do
      decoder = RAAF::Streaming::Decoder.new
      original = decoder.feed(%(data: {"choices":[{"index":0,"delta":{"content":"secret"}}]}\n\n)).first
      changed = original.dup.tap { |copy| copy.delta = "******" }
      other = original.dup.tap { |copy| copy.type = :reasoning }
      buffer.add_chunk(changed) { |text| texts << text }
      expect(buffer.add_chunk(other) { |text| texts << text }).to equal(other)
      expect(taken).to eq(["******"])
    end

    it "hands over new Strings in UTF-8 that nobody else has" do
      add("äöü")
      buffer.flush
      text = texts.pop
      expect(text.encoding).to eq(Encoding::UTF_8)
      expect(text).not_to be_frozen
    end

    it "lets everything out when asked, and at the end" do
      add("ab")
      expect(buffer.flush { |text| texts << "flushed #{text}" }).to equal(buffer)
      add("cd")
      expect(buffer.flush).to equal(buffer)
      expect(buffer.flush { raise "there is nothing" }).to equal(buffer)
      add("ef")
      expect(buffer).not_to be_closed
      expect(buffer.close { |text| texts << "closed #{text}" }).to equal(buffer)
      expect(buffer).to be_closed
      expect(taken).to eq(["flushed ab", "cd", "closed ef"])
    end

    it "takes no content any more when it is closed, and lets other chunks pass" do
      buffer.close.close
      expect { add("late") }.to raise_error(IOError, /closed/)
      last = chunk(:complete)
      expect(buffer.add_chunk(last) { raise "there is nothing" }).to equal(last)
    end

    it "wants a block, and takes nothing without one" do
      expect { buffer.add_chunk(content("abc")) }.to raise_error(ArgumentError, /block/)
      buffer.flush { |text| texts << text }
      expect(taken).to be_empty
    end

    it "says what it was given that it cannot take" do
      wrong = {size: [0, -1, nil, 1.5, "50"], timeout: [0, -1, "100", Float::NAN, Float::INFINITY],
               cut: [nil, "word", :line]}
      wrong.each do |name, values|
        values.each do |value|
          expect { described_class.new(name => value) }.to raise_error(ArgumentError, /\A#{name} must be .*, not /)
        end
      end
      expect { described_class.new(limit: 5) }.to raise_error(ArgumentError, /limit/)
      expect { buffer.add_chunk(content("a").dup.tap { |one| one.delta = 5 }) { nil } }.to raise_error(TypeError)
      expect { buffer.dup }.to raise_error(NoMethodError)
    end

    it "is made once" do
      add("a")
      expect { buffer.send(:initialize) }.to raise_error(ArgumentError, /once/)
    end
  end

  describe "its timer" do
    it "lets text out without another chunk" do
      gathering = described_class.new(size: 1000, timeout: 5)
      add("Hel", gathering)
      add("lo", gathering)
      expect(texts.pop).to eq("Hello")
      add("again", gathering)
      expect(texts.pop).to eq("again")
    end

    it "lets out what was left over when there was enough" do
      gathering = described_class.new(size: 3, timeout: 5)
      add("abcd", gathering)
      expect([texts.pop, texts.pop]).to eq(%w[abc d])
    end

    it "lets words and sentences out that are not whole" do
      %i[word sentence].each do |cut|
        add("unfinish", described_class.new(size: 1, timeout: 5, cut: cut))
        expect(texts.pop).to eq("unfinish")
      end
    end

    it "waits for the other half of a flag, but not for ever" do
      gathering = described_class.new(size: 1000, timeout: 5)
      add("a🇩", gathering)
      expect([texts.pop, texts.pop]).to eq(%w[a 🇩])
    end

    it "calls the block with the variables that it had last" do
      gathering = described_class.new(size: 1000, timeout: 50)
      50.times { |i| gathering.add_chunk(content("a")) { |text| texts << [i, text] } }
      expect(texts.pop).to eq([49, "a" * 50])
    end

    it "runs on a thread for handlers, without a lock" do
      gathering = described_class.new(size: 1000, timeout: 5)
      gathering.add_chunk(content("a")) do |text|
        texts << [text, RAAF::Streaming::ThreadPool.handlers.inside?, Thread.current.name]
        gathering.flush { |more| texts << more } # would wait for itself
      end
      expect(texts.pop).to match(["a", true, "raaf-handler"])
    end

    it "calls the block that was given last" do
      gathering = described_class.new(size: 1000, timeout: 50)
      gathering.add_chunk(content("a")) { |text| texts << "first #{text}" }
      gathering.add_chunk(content("b")) { |text| texts << "second #{text}" }
      expect(texts.pop).to eq("second ab")
    end

    it "is one for a buffer, however much is added" do
      before = RAAF::Streaming::Timers.current.size
      2000.times { add("0123456789") }
      expect(RAAF::Streaming::Timers.current.size).to be <= before + 1
      RAAF::Streaming::Timers.current.instance_variable_get(:@waiting).clear # it would stay for ten minutes
    end

    it "is none where text may wait for ever" do
      before = RAAF::Streaming::Timers.current.size
      gathering = described_class.new(size: 1000, timeout: nil)
      add("abc", gathering)
      expect(RAAF::Streaming::Timers.current.size).to be <= before
    end

    it "logs and announces what the block raises, and goes on" do
      said = Queue.new
      announced = Queue.new
      allow(RAAF::Streaming.logger).to receive(:error) { |message| said << message }
      subscription = ActiveSupport::Notifications.subscribe("chunk_buffer_error.raaf") do |*, payload|
        announced << payload
      end
      gathering = described_class.new(size: 1000, timeout: 5)
      [-> { raise IOError, "gone" }, -> { throw :nowhere }, -> { exit }].each do |failing|
        gathering.add_chunk(content("a")) { |text| failing.call }
        expect(said.pop).to match(/block of a ChunkBuffer raised (IOError: gone|UncaughtThrowError|SystemExit)/)
        expect(announced.pop).to include(:exception, exception_object: Exception)
      end
      add("b", gathering)
      expect(texts.pop).to eq("b")
    ensure
      ActiveSupport::Notifications.unsubscribe(subscription)
    end

    it "goes on where the block ends its thread" do
      gathering = described_class.new(size: 1000, timeout: 5)
      gathering.add_chunk(content("a")) do |text|
        texts << text
        Thread.exit
      end
      expect(texts.pop).to eq("a")
      add("b", gathering)
      expect(texts.pop).to eq("b")
    end

    # The stacks of threads that sleep may still point to one or two of them.
    it "keeps buffers that nobody holds until their text is out, and no longer" do
      made = ObjectSpace::WeakMap.new
      Thread.new do
        20.times do |i|
          gathering = described_class.new(size: 1000, timeout: 50)
          made[gathering] = true
          gathering.add_chunk(content("last words #{i}")) { |text| texts << text }
        end
      end.join
      GC.start
      expect(Array.new(20) { texts.pop }).to match_array(Array.new(20) { |i| "last words #{i}" })
      eventually("the collection") do
        GC.start
        made.size <= 3
      end
    end
  end

  describe "where it cuts" do
    let(:text) do
      <<~TEXT.encode(crlf_newline: true) + "Ende.\nfin\r"
        Cafe\u0301 und nai\u0308ve: z\u0323\u0302 \u1ED9 1\uFE0F\u20E3 #\uFE0F\u20E3
        👩‍👩‍👧‍👦 👍🏽👍 🇩🇪🇫🇷🇮🇹 ❤️ 🏳️‍🌈 👩🏽‍💻 🏴󠁧󠁢󠁥󠁮󠁧󠁿 ☺︎
        क्षत्रिय हिन्दी में। বাংলা ক্ষ తెలుగు క్క
        한국어 \u1112\u1161\u11AB\u1100\u116E\u11A8 각\u11A8 ไทย กำนี้ שָׁלוֹם مُحَمَّد
        日本語のテキスト。が ｶﾞ 葛󠄀 \u0600١٢ á̂̃
      TEXT
    end

    let(:clusters) do
      ends = [0]
      text.each_grapheme_cluster { |cluster| ends << ends.last + cluster.length }
      ends
    end

    def in_random_pieces(seed, most = 12)
      random = Random.new(seed)
      chars = text.chars
      pieces = []
      pieces << chars.shift(1 + random.rand(most)).join until chars.empty?
      pieces
    end

    it "is never inside a character as a reader sees it, however the text came in pieces" do
      (1..20).each do |size|
        [text.chars, *Array.new(10) { |seed| in_random_pieces(seed) }].each do |pieces|
          out, cuts = out_of(pieces, size: size)
          expect(out.join).to eq(text)
          at = 0
          ends = out.first(cuts).map { |one| at += one.length }
          expect(ends - clusters).to eq([])
          expect(cuts).to be > (text.length / (size + 12)) # it does not wait for the end
        end
      end
    end

    it "is behind each character where one is enough, and behind what ends a word" do
      out, = out_of("Zoe\u0308 sagt: 1. Ça va?".chars, size: 1)
      expect(out).to eq(["Z", "o", "e\u0308 ", "s", "a", "g", "t:", " ", "1.", " ", "Ç", "a ", "v", "a?"])
    end

    it "is behind a large piece, which is no token, and not within it" do
      large = "This is the answer of a provider that streams nothing, 2023"
      expect(out_of([large, large], size: 50)).to eq([[large, large], 2])
    end

    it "is between words where asked" do
      spaced = text.lines.first + "the quick brown fox  jumps\tover 2 lazy dogs\n"
      (1..20).each do |size|
        out, cuts = out_of(spaced.chars, size: size, cut: :word)
        expect(out.join).to eq(spaced)
        expect(out.first(cuts)).to all(match(/\s\z/))
        expect(out.drop(1).join("|")).not_to match(/\|[ \t]/)
      end
      out, = out_of(["The qui", "ck brown", " fox"], size: 1, cut: :word)
      expect(out).to eq(["The ", "quick ", "brown ", "fox"])
    end

    it "is between sentences where asked" do
      said = "Dear all. I think it's 3.5 (or so)! \"Why?\" he said. 1. First. e.g. this one... 終わり。はい！ Ja? Nein"
      out, = out_of(said.chars, size: 1, cut: :sentence)
      expect(out).to eq(["Dear all. ", "I think it's 3.5 (or so)! ", "\"Why?\" ", "he said. ",
        "1. First. e.g. this one... ", "終わり。", "はい！ ", "Ja? ", "Nein"])
    end

    it "is somewhere else where no end comes for long" do
      out, = out_of(["a"] * 500, size: 10, cut: :word)
      expect(out.map(&:length)).to all(be <= 138)
      out, = out_of(["word "] * 500, size: 10, cut: :sentence)
      expect(out.map(&:length)).to all(be <= 1040)
      expect(out).to all(match(/\A(?:word )+\z/))
      out, = out_of(["a", "\u0301" * 1000], size: 10)
      expect(out.map(&:length).max).to be > 1000 # a piece is not cut because it is large
      out, = out_of(["a"] + ["\u0301"] * 1000, size: 10)
      expect(out.map(&:length)).to all(be <= 75)
    end

    it "is never inside bytes that make one character" do
      pieces = "añ日👩‍👧!".b.each_char.to_a
      out, = out_of(pieces, size: 1)
      expect(out).to eq(["a", "ñ", "日", "👩‍👧!"])
      expect(out.map(&:encoding)).to all(eq(Encoding::UTF_8))
    end

    it "replaces what is no character" do
      out, = out_of(["a\xFFb", "c\xE2\x82"], size: 100)
      expect(out).to eq(["a\uFFFDbc\uFFFD"])
      buffer.add_chunk(content("\xE2")) { |ready| texts << ready }
      buffer.flush
      expect(taken).to eq(["\uFFFD"])
    end

    it "takes Strings of other encodings" do
      out, = out_of(["Grüße".encode("ISO-8859-1"), "日本".encode("UTF-16LE"), "ok".encode("US-ASCII")], size: 100)
      expect(out).to eq(["Grüße日本ok"])
    end
  end

  describe "and several threads" do
    it "hands over one text at a time, in order, and none twice" do
      inside = 0
      most = 0
      out = +""
      threads = Array.new(8) do |i|
        Thread.new do
          200.times do |n|
            buffer.add_chunk(content("<#{i}:#{n}>")) do |text|
              inside += 1
              most = [most, inside].max
              out << text
              Thread.pass
              inside -= 1
            end
          end
        end
      end
      threads.each(&:join)
      buffer.close { |text| out << text }

      expect(most).to eq(1)
      numbers = out.scan(/<(\d):(\d+)>/).group_by(&:first)
      expect(numbers.size).to eq(8)
      expect(numbers.values.map { |pairs| pairs.map { |pair| pair.last.to_i } }).to all(eq((0...200).to_a))
      expect(out.length).to eq(8 * (10 * 5 + 90 * 6 + 100 * 7))
    end

    it "lets text come after that which another thread hands over" do
      gate = Queue.new
      first = inside_the_block(gate)
      second = Thread.new { add("bcdefghijklm.") }
      until_it_waits(second)
      expect(texts).to be_empty
      gate << true
      [first, second].each(&:join)
      expect(taken).to eq(["0123456789", "Abcdefghijklm."])
    end

    it "lets no other chunk pass before text that another thread hands over" do
      gate = Queue.new
      first = inside_the_block(gate)
      last = Thread.new { texts << buffer.add_chunk(chunk(:complete)) { |text| texts << text }.type }
      until_it_waits(last)
      expect(texts).to be_empty
      gate << true
      [first, last].each(&:join)
      expect(taken).to eq(["0123456789", "A", :complete])
    end

    it "takes little pieces while another thread hands over, and does not wait" do
      gate = Queue.new
      first = inside_the_block(gate)
      add("b")
      gate << true
      first.join
      buffer.flush
      expect(taken).to eq(["0123456789", "Ab"])
    end

    it "lets no other chunk pass while the timer hands over" do
      gate = Queue.new
      entered = Queue.new
      gathering = described_class.new(size: 1000, timeout: 5)
      gathering.add_chunk(content("by the timer")) do |text|
        entered << true
        gate.pop
        texts << text
      end
      entered.pop
      add(" and then", gathering)
      last = Thread.new { texts << gathering.add_chunk(chunk(:complete)) { |text| texts << text }.type }
      until_it_waits(last)
      expect(texts).to be_empty
      gate << true
      last.join
      expect(taken).to eq(["by the timer", " and then", :complete])
    end

    it "leaves to the timer what is left where a block was left" do
      gate = Queue.new
      entered = Queue.new
      gathering = described_class.new(size: 10, timeout: 5)
      first = Thread.new do
        gathering.add_chunk(content("0123456789A")) do |text|
          entered << true
          gate.pop
          texts << text
          raise IOError, "gone" if text.length > 1
        end
      end
      first.report_on_exception = false
      entered.pop
      gate.close
      expect { first.join }.to raise_error(IOError)
      expect([texts.pop, texts.pop]).to eq(["0123456789", "A"])
    end

    it "does not lose the text of a thread that is ended while it waits" do
      gate = Queue.new
      first = inside_the_block(gate)
      second = Thread.new { add("bcdefghijklm") }
      until_it_waits(second)
      second.kill.join
      gate << true
      first.join
      buffer.flush
      expect(taken.join).to eq("0123456789Abcdefghijklm")
    end

    # Not under valgrind: see spec/streaming/fiber_spec.rb.
    it "serves the fibers of one thread alike", valgrind: false do
      Async do |task|
        slow = task.async do
          buffer.add_chunk(content("0123456789A")) do |text|
            task.sleep(0.01)
            texts << text
          end
        end
        quick = task.async { texts << buffer.add_chunk(chunk(:complete)) { |text| texts << text }.type }
        [slow, quick].each(&:wait)
      end
      expect(taken).to eq(["0123456789", "A", :complete])
    end
  end

  describe "when the block" do
    it "adds to the buffer, hands that over afterwards" do
      depth = 0
      handed = []
      again = lambda do |text|
        depth += 1
        handed << [depth, text]
        buffer.add_chunk(content("+" * 11), &again) if handed.size < 4
        depth -= 1
      end
      buffer.add_chunk(content("a" * 11), &again)
      expect(handed).to eq([[1, "a" * 10], [1, "a#{"+" * 10}"], [1, "+" * 11], [1, "+" * 11]])
    end

    it "adds what is ready to the last letter, hands that over afterwards, to the block that came with it" do
      buffer.add_chunk(content("twelve words.")) do |text|
        texts << "first: #{text}"
        buffer.add_chunk(content("twelve more. ")) { |more| texts << "second: #{more}" }
      end
      expect(taken).to eq(["first: twelve words.", "second: twelve more. "])
    end

    it "lets text out itself, hands it over afterwards" do
      buffer.add_chunk(content("a" * 11)) do |text|
        texts << text
        buffer.add_chunk(content("b")) { |more| texts << more }
        buffer.flush { raise "not this one: the text has its own" }
        texts << :end
      end
      expect(taken).to eq(["a" * 10, :end, "ab"])
    end

    it "closes the buffer, hands the rest over" do
      buffer.add_chunk(content("a" * 11)) do |text|
        texts << text
        buffer.close
      end
      expect(taken).to eq(["a" * 10, "a"])
      expect(buffer).to be_closed
    end

    it "raises, has had its text, and no other is lost" do
      expect { buffer.add_chunk(content("a" * 11)) { raise IOError, "gone" } }.to raise_error(IOError, "gone")
      add("b")
      buffer.flush
      expect(taken).to eq(["ab"])
    end

    it "raises before another chunk, has had its text" do
      add("abc")
      expect { buffer.add_chunk(chunk(:complete)) { raise IOError, "gone" } }.to raise_error(IOError, "gone")
      buffer.flush
      expect(taken).to be_empty
    end

    it "breaks or throws, is left, and no text is lost" do
      broken = buffer.add_chunk(content("a" * 11)) { break :broken }
      thrown = catch(:out) { buffer.add_chunk(content("b" * 11)) { throw :out, :thrown } }
      expect([broken, thrown]).to eq(%i[broken thrown])
      buffer.flush { |text| texts << text }
      expect(taken).to eq(["b"])
    end

    it "is ended with its thread, lets others go on" do
      gate = Queue.new
      first = inside_the_block(gate)
      second = Thread.new { add("bcdefghijklm") }
      until_it_waits(second)
      first.kill.join
      second.join
      buffer.flush
      expect(taken).to eq(["Abcdefghijkl", "m"])
    end
  end

  describe "in a child process" do
    it "keeps its copy of the text, and has a timer when it is used" do
      gathering = described_class.new(size: 1000, timeout: 200)
      add("shared ", gathering)
      answer = in_child do
        add("child", gathering)
        texts.pop
      end
      expect(answer).to eq("shared child")
      expect(texts.pop).to eq("shared ")
    end

    it "is not held up by a thread of the parent's that hands over" do
      gate = Queue.new
      first = inside_the_block(gate)
      gathering = described_class.new(size: 10, timeout: 5)
      answer = in_child do
        add("bcdefghijklm")
        buffer.flush
        add("timer", gathering)
        Array.new(3) { texts.pop }
      end
      expect(answer).to eq(["Abcdefghijkl", "m", "timer"])
      gate << true
      first.join
    end

    it "goes on where the block itself has forked" do
      gathering = described_class.new(size: 10, timeout: 5)
      answer = nil
      gathering.add_chunk(content("a" * 11)) do |text|
        answer ||= in_child do
          gathering.add_chunk(content("b" * 11)) { |more| texts << more }
          taken # not inside the block
        end
        texts << text
      end
      expect(answer).to eq([])
      expect([texts.pop, texts.pop]).to eq(["a" * 10, "a"])
    end
  end

  it "knows its size" do
    small = ObjectSpace.memsize_of(buffer)
    gathering = described_class.new(size: 1_000_000, timeout: nil)
    add("x" * 500_000, gathering)
    expect(ObjectSpace.memsize_of(gathering)).to be_between(500_000, 2_000_000)
    gathering.flush
    expect(ObjectSpace.memsize_of(gathering)).to be <= small + 4096
  end
end
