# frozen_string_literal: true

require "objspace"

RSpec.describe "The garbage collector" do
  include_context "with a model server"
  include LifecycleScripts

  # Makes objects on a thread of its own, so that no machine stack or register of this one still points to them.
  def elsewhere
    Thread.new { yield && nil }.join
  end

  # Collects until the condition holds: the stack is scanned conservatively, so one round may not be enough.
  def collect_until(what)
    eventually(what) do
      elsewhere { Array.new(100) { Object.new } }
      GC.start
      yield
    end
  end

  describe "and a stream that nobody holds" do
    it "ends its request, before anything has come", :backends do
      server.script(**no_answer)
      elsewhere { runner.stream("Hi") }
      request = server.wait_for_request

      collect_until("the close") { request.disconnected? }

      expect(request.closed_by_client_at).not_to be_nil
    end

    it "ends its request in the middle of the answer" do
      server.script(**silence_after("Hel", "lo"))
      elsewhere { runner.stream("Hi").each.tap { |each| 2.times { each.next } } }

      collect_until("the close") { server.requests.first.disconnected? }
    end

    it "ends its request when it holds back the server" do
      server.script(deltas: ["x" * 10_000] * 2_000)
      elsewhere { runner.stream("Hi", queue_max_items: 2) }
      request = server.wait_for_request

      collect_until("the close") { request.disconnected? }

      expect(request).not_to be_finished
    end

    it "ends its request though somebody keeps a chunk of it, and leaves the chunk whole" do
      server.script(**silence_after("Hel", "lo"))
      chunks = []
      elsewhere { runner.stream("Hi").each.tap { |each| 2.times { chunks << each.next } } }

      collect_until("the close") { server.requests.first.disconnected? }

      expect(chunks.map(&:delta)).to eq(%w[Hel lo])
      expect(chunks.last.cumulative).to eq("Hello")
      expect(chunks.last.stream_id).to be_a(String)
    end

    it "frees what it held" do
      server.default_script(deltas: %w[Hel lo], repeat: true)
      runner.run_and_stream("Hi")
      GC.start
      before = RAAF::Streaming::Reactor.stats[:streams]
      elsewhere { 50.times { runner.run_and_stream("Hi") { |chunk| chunk.delta } } }

      collect_until("the release") { RAAF::Streaming::Reactor.stats[:streams] <= before + 2 }
    end

    it "leaves one alone that callbacks take" do
      server.script(**silence_after("Hel"))
      heard = Queue.new
      elsewhere { runner.stream("Hi").on(:*) { |chunk| heard << chunk.type } }
      heard.pop

      5.times { elsewhere { GC.start } }

      expect(server.requests.first).not_to be_disconnected
      RAAF::Streaming.shutdown
      expect(heard.pop).to eq(:error)
    end
  end

  describe "and a chunk" do
    let(:chunks) { answer }

    def answer
      server.script(reasoning: %w[Hm], deltas: ["Hel", "lö ☃"], usage: true,
        tool_calls: [{id: "call_1", name: "look", arguments: {at: "it"}}])
      runner.stream("Hi", session_id: "s").to_a
    end

    it "finds it frozen, and a copy that is not" do
      expect(chunks).to all(be_frozen)
      copies = chunks.map(&:dup)
      expect(copies.map(&:frozen?)).to all(be(false))
      expect(chunks.map(&:clone)).to all(be_frozen)
      expect(copies).to eq(chunks)
      expect { chunks.first.delta = "x" }.to raise_error(FrozenError)
      copies.each { |copy| copy.delta = "changed" }
      expect(chunks.map(&:delta)).not_to include("changed")
    end

    it "keeps its copies when the stream and the original are gone" do
      copies = []
      texts = []
      elsewhere do
        originals = answer
        texts.concat(originals.map { |chunk| [chunk.delta, chunk.cumulative, chunk.to_json] })
        copies.concat(originals.map(&:dup))
      end
      3.times { elsewhere { GC.start } }

      expect(copies.map { |chunk| [chunk.delta, chunk.cumulative, chunk.to_json] }).to eq(texts)
    end

    it "lets it be written and read" do
      read = Marshal.load(Marshal.dump(chunks))

      expect(read).to eq(chunks)
      expect(read.map(&:cumulative)).to eq(chunks.map(&:cumulative))
      expect(JSON.parse(chunks[1].to_json)).to include("type" => "content", "delta" => "Hel")
      expect(chunks.map { |chunk| ObjectSpace.memsize_of(chunk) }).to all(be_between(40, 4096))
    end

    it "counts the memory of an answer once" do
      server.script(deltas: ["x" * 100_000] * 10)
      stream = runner.stream("Hi")
      long = stream.to_a

      expect(long.sum { |chunk| ObjectSpace.memsize_of(chunk) }).to be < 100_000
      sources = ObjectSpace.reachable_objects_from(long.first)
      expect(sources.sum { |object| ObjectSpace.memsize_of(object) }).to be_between(1_000_000, 4_000_000)
    end
  end

  # Each runs in a process of its own: a heap that moves, or is collected at every allocation, is no place for RSpec.
  describe "that moves everything, or runs all the time," do
    before { server.default_script(**answer, repeat: true) }

    let(:answer) do
      {reasoning: %w[Hm], deltas: ["Hel", "lö ", "☃ " * 20], usage: true, delay: 0.001,
       tool_calls: [{id: "call_1", name: "look", arguments: {at: "it"}}]}
    end

    let(:whole) { "Hello".sub("o", "ö ") + "☃ " * 20 }

    # Takes an answer in every way and checks it against one that was taken in peace.
    life = <<~'RUBY'
      say = ->(chunk) { [chunk.type, chunk.delta, chunk.cumulative, chunk.seq, chunk.tool_name, chunk.arguments, chunk.usage] }
      peace = runner.stream("Hi").map(&say)
      kept = []
      one = lambda do
        by_each = runner.stream("Hi").map { |chunk| kept << chunk; say[chunk] }
        heard = Queue.new
        called = runner.stream("Hi").on { |chunk| heard << say[chunk] }
        result = called.result
        by_callback = Array.new(heard.size) { heard.pop }
        from_outside = runner.stream("Hi").each
        outside = []
        loop { outside << say[from_outside.next] }
        raise "different" unless [by_each, by_callback, outside].all?(peace)
        raise "result" unless result.final_output == peace.last[2] && result.tool_calls.first[:arguments] == {at: "it"}
      end
      check = -> { raise "kept" unless kept.each_slice(peace.size).all? { |chunks| chunks.map(&say) == peace } }
      decode = lambda do |bytes|
        decoder = RAAF::Streaming::Decoder.new(:openai_chat)
        bytes.each_char.flat_map { |char| decoder.feed(char) } + decoder.finish
      end
      wire = %(data: {"choices":[{"index":0,"delta":{"content":"Hel"}}]}\n\ndata: {"choices":[{"index":0,"delta":{"content":"lo"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n)
    RUBY

    it "changes no word of an answer when it compacts" do
      script = run_script(life + <<~RUBY, server.base_url)
        moving = true
        mover = Thread.new { (GC.compact && sleep(0.001)) while moving }
        10.times { one[] }
        moving = false
        mover.join
        decoded = decode[wire]
        check[]
        if GC.respond_to?(:verify_compaction_references)
          options = RUBY_VERSION >= "3.2" ? {expand_heap: true} : {double_heap: true}
          one[]
          GC.verify_compaction_references(toward: :empty, **options)
          one[]
          check[]
          raise "decoded" unless decoded.map(&:delta).join == "Hello"
        end
        puts "whole"
      RUBY

      expect([script.output, script.errors]).to eq(["whole\n", ""])
    end

    it "changes no word while a stream stands in the middle" do
      script = run_script(life + <<~RUBY, server.base_url)
        each = runner.stream("Hi").each
        heard = Queue.new
        called = runner.stream("Hi").on { |chunk| heard << say[chunk] }
        taken = peace.map do
          options = RUBY_VERSION >= "3.2" ? {expand_heap: true} : {double_heap: true}
          GC.verify_compaction_references(toward: :empty, **options)
          say[each.next]
        end
        called.wait
        raise "different" unless taken == peace && Array.new(heard.size) { heard.pop } == peace
        puts "whole"
      RUBY

      expect([script.output, script.errors]).to eq(["whole\n", ""])
    end

    # Every allocation collects: all generations for the shortest of lives, the young ones for a whole one.
    it "changes no word under GC.stress" do
      script = run_script(life + <<~RUBY, server.base_url, within: 60)
        young = 1 # GC.stress, "no major GC"
        GC.stress = true
        text = runner.run_and_stream("Hi") { |chunk| chunk.delta }.final_output
        GC.stress = young
        one[]
        decoded = decode[wire]
        GC.stress = false
        check[]
        raise "decoded" unless decoded.map(&:delta).join == "Hello"
        raise "text" unless text == peace.last[2]
        puts "whole"
      RUBY

      expect([script.output, script.errors]).to eq(["whole\n", ""])
    end

    it "changes no word where streams are left, cancelled and redirected under GC.stress" do
      script = run_script(life + <<~RUBY, server.base_url, within: 60)
        GC.stress = 1
        raise "first" unless runner.stream("Hi").first.delta == "Hm"
        runner.stream("Hi").cancel.wait
        stream = runner.stream("Hi")
        redirected = false
        stream.each { (redirected = true) && stream.redirect("On") unless redirected }
        raise "redirected" unless stream.result.final_output == peace.last[2]
        thread = Thread.new { runner.run_and_stream("Hi") }
        thread.kill.join
        begin
          runner("http://127.0.0.1:1/v1").run_and_stream("Hi")
        rescue RAAF::Errors::ConnectionError => e
          raise "message" unless e.message.include?("openai")
        end
        GC.stress = false
        sleep(0.005) until RAAF::Streaming::Reactor.stats[:active].zero?
        puts "whole"
      RUBY

      expect([script.output, script.errors]).to eq(["whole\n", ""])
    end
  end
end
