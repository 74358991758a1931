# frozen_string_literal: true

RSpec.describe RAAF::Streaming::Stream, "#on" do
  include_context "with a model server"
  include LifecycleForks

  # Collects what callbacks hear.
  let(:heard) { Queue.new }

  def emptied(queue)
    Array.new(queue.size) { queue.pop }
  end

  # A stream that says a word for each time the gate is opened, and ends when it is closed.
  def gated(gate)
    server.script do |_, response|
      response.start(200, "content-type" => "text/event-stream")
      while (word = gate.pop)
        response.event({choices: [{index: 0, delta: {content: word}}]})
      end
      response.event({choices: [{index: 0, delta: {}, finish_reason: "stop"}]}).event("[DONE]")
    end
    runner.stream("Hi")
  end

  describe "what is called" do
    it "is every chunk, in order, one after another, on a dispatcher's thread", :backends do
      server.script(deltas: %w[a b c d e], usage: true)
      threads = Queue.new

      stream = runner.stream("Hi").on do |chunk|
        threads << Thread.current.name
        heard << chunk
      end

      expect(stream.wait).to equal(stream)
      chunks = emptied(heard)
      expect(chunks.map(&:seq)).to eq([1, 2, 3, 4, 5, 6])
      expect(chunks.map(&:delta).join).to eq("abcde")
      expect(chunks.last).to be_complete
      expect(emptied(threads)).to all(start_with("raaf-dispatch-"))
      expect(stream.result.final_output).to eq("abcde")
    end

    it "is one type, several, or all" do
      server.script(reasoning: %w[Hm], deltas: %w[Hel lo], tool_calls: [{id: "1", name: "look", arguments: {a: 1}}])
      by = {one: [:content], several: %i[reasoning complete], all: [], star: [:*], tool: [:tool_call]}
      queues = by.transform_values { Queue.new }

      stream = runner.stream("Hi")
      by.each { |name, types| expect(stream.on(*types) { |chunk| queues[name] << chunk.type }).to equal(stream) }
      stream.wait

      types = queues.transform_values { |queue| emptied(queue) }
      expect(types[:one]).to all(eq(:content))
      expect(types[:several]).to eq(%i[reasoning complete])
      expect(types[:tool]).to eq([:tool_call])
      expect(types[:all].last).to eq(:complete)
      expect(types[:all]).to include(:reasoning, :content, :tool_call_delta, :tool_call)
      expect(types[:star].last).to eq(:complete)
    end

    it "needs a block and types that exist" do
      server.script(**no_answer)
      stream = runner.stream("Hi")

      expect { stream.on(:content) }.to raise_error(ArgumentError, /block/)
      expect { stream.on(:contents) { nil } }.to raise_error(ArgumentError, /:contents/)
      stream.cancel
    end

    it "runs on when nobody holds the handle any longer" do
      gate = Queue.new
      Thread.new { gated(gate).on { |chunk| heard << chunk.type } && nil }.join
      3.times { GC.start }

      gate << "Hello"
      gate.close

      expect([heard.pop, heard.pop]).to eq(%i[content complete])
    end

    it "is told of an error as its last chunk" do
      server.script(deltas: %w[Hel], fault: :cut, after: 2)

      stream = runner.stream("Hi").on { |chunk| heard << chunk }
      stream.wait

      expect(emptied(heard).map(&:type)).to eq(%i[content error])
      expect { stream.result }.to raise_error(RAAF::Errors::TruncatedStreamError)
    end
  end

  describe "a callback that comes late" do
    it "first hears what was said, joined" do
      gate = Queue.new
      stream = gated(gate).on(:content) { |chunk| heard << chunk.delta }
      %w[Hel lo].each do |word|
        gate << word
        heard.pop
      end
      late = Queue.new

      stream.on { |chunk| late << [chunk.type, chunk.delta, chunk.cumulative] }

      expect(late.pop).to eq([:content, "Hello", "Hello"])
      gate << " there"
      expect(late.pop).to eq([:content, " there", "Hello there"])
      gate.close
      expect(late.pop).to eq([:complete, "", "Hello there"])
    end

    it "hears everything, also after the end" do
      server.script(deltas: %w[Hel lo])
      stream = runner.stream("Hi").on(:complete) { heard << 1 }
      stream.wait
      late = Queue.new

      stream.on { |chunk| late << [chunk.type, chunk.delta] }

      expect([late.pop, late.pop]).to eq([[:content, "Hello"], [:complete, ""]])
    end

    it "may come from inside another" do
      server.script(deltas: %w[Hel lo])
      stream = runner.stream("Hi")
      added = false
      stream.on(:content) do
        stream.on(:complete) { |chunk| heard << chunk.final_response } unless added
        added = true
      end

      expect(heard.pop).to eq("Hello")
    end

    it "is refused where each or wait have taken the chunks, since it would hear nothing" do
      server.script(deltas: %w[Hel lo])
      stream = runner.stream("Hi")
      stream.wait

      expect { stream.on(:complete) { nil } }.to raise_error(RAAF::Errors::Error, /have taken them/)
    end

    it "is refused where each takes the chunks" do
      server.script(**silence_after("Hel"))
      stream = runner.stream("Hi")
      taking = take(stream)
      taking.next_chunk

      expect { stream.on(:content) { nil } }.to raise_error(RAAF::Errors::Error, /take the chunks/)
      stream.cancel
      taking.join
    end
  end

  describe "a callback that raises" do
    it "ends its stream, is logged, and its error is the result's" do
      server.script(**silence_after("Hel"))
      error = ArgumentError.new("mine")

      without_log do |log|
        stream = runner.stream("Hi").on(:content) { raise error }
        expect { stream.result }.to raise_error { |raised| expect(raised).to equal(error) }
        expect(stream.status).to eq(:failed)
        expect(log.string).to include(stream.id, "ArgumentError", "mine")
      end
      server.wait_for_close(server.requests.first)
    end

    it "is told of it, as the others are, whatever they raise in turn" do
      server.script(**silence_after("Hel"))
      others = Queue.new

      without_log do
        runner.stream("Hi")
          .on(:content) { raise "mine" }
          .on(:error) { |chunk| heard << chunk && raise("again") }
          .on(:error) { |chunk| others << chunk }
          .wait
        expect([heard.pop, others.pop].map(&:error)).to eq(%w[mine mine])
      end
    end

    it "leaves other streams alone" do
      server.default_script(deltas: %w[Hel lo], repeat: true)

      without_log do
        broken = Array.new(10) { runner.stream("Hi").on(:content) { raise "mine" } }
        whole = Array.new(10) { runner.stream("Hi").on(:content) { |chunk| heard << chunk.delta } }

        expect(broken.map { |stream| stream.wait.status }).to all(eq(:failed))
        expect(whole.map { |stream| stream.result.final_output }).to all(eq("Hello"))
      end
      expect(emptied(heard).tally).to eq({"Hel" => 10, "lo" => 10})
    end

    it "may end its own thread; the stream ends, and others have one" do
      server.script(**silence_after("Hel"))
      without_log do
        stream = runner.stream("Hi").on(:content) { Thread.exit }
        expect { stream.result }.to raise_error(RAAF::Errors::CancelledError, /thread/)
      end
      server.wait_for_close(server.requests.first)

      server.default_script(deltas: %w[Hi], repeat: true)
      streams = Array.new(20) { runner.stream("Hi").on(:content) { heard << 1 } }
      expect(streams.map { |each| each.result.final_output }).to all(eq("Hi"))
      eventually { dispatcher_threads.size >= 3 }
    end

    it "may be killed from outside" do
      server.script(**silence_after("Hel"))
      without_log do
        stream = runner.stream("Hi").on(:content) { heard << Thread.current && sleep }
        heard.pop.kill
        expect { stream.result }.to raise_error(RAAF::Errors::CancelledError)
      end
      server.wait_for_close(server.requests.first)
    end

    it "leaves threads for others where somebody ended all of them, and more than two can block" do
      server.default_script(deltas: %w[Hi], repeat: true)
      runner.stream("Hi").on { nil }.wait
      dispatcher_threads.each(&:kill).each(&:join)

      never = Queue.new
      blocked = Array.new(4) { runner.stream("Hi").on(:content) { heard << 1 && never.pop } }
      4.times { heard.pop }
      expect(runner.stream("Hi").on { nil }.result.final_output).to eq("Hi")
      never.close
      expect(blocked.map { |stream| stream.wait.status }).to all(eq(:complete))
    end

    it "may break or throw, which is an error like another" do
      [-> { throw :nobody }, -> { raise StopIteration }].each do |leave|
        server.script(**silence_after("Hel"))
        without_log do
          stream = runner.stream("Hi").on(:content) { leave.call }
          expect { stream.result }.to raise_error(StandardError)
          expect(stream.status).to eq(:failed)
        end
      end
    end
  end

  describe "a callback that blocks" do
    it "holds up its own stream only, however many do" do
      server.default_script(deltas: %w[Hel lo], repeat: true)
      never = Queue.new
      blocked = Array.new(6) { runner.stream("Hi").on(:content) { heard << 1 && never.pop } }
      6.times { heard.pop }

      free = Array.new(10) { runner.stream("Hi").on(:content) { nil } }

      expect(free.map { |stream| stream.result.final_output }).to all(eq("Hello"))
      expect(blocked.map(&:finished?)).to all(be(false))
      never.close
      expect(blocked.map { |stream| stream.result.final_output }).to all(eq("Hello"))
      expect(dispatcher_threads.size).to be <= 17 # 16 of them, and their watcher
    end

    it "may itself run a whole stream" do
      server.default_script(deltas: %w[in ner], repeat: true)

      streams = Array.new(4) do
        runner.stream("Hi").on(:complete) { heard << runner.run_and_stream("Hi") { |chunk| chunk.delta }.final_output }
      end

      expect(Array.new(4) { heard.pop }).to all(eq("inner"))
      expect(streams.map { |stream| stream.wait.status }).to all(eq(:complete))
    end

    it "may wait for a stream without callbacks" do
      server.default_script(deltas: %w[Hi], repeat: true)

      runner.stream("Hi").on(:complete) do
        heard << [runner.stream("Hi").wait.status, runner.stream("Hi").to_a.size, runner.stream("Hi").text.to_s]
      end

      expect(heard.pop).to eq([:complete, 2, "Hi"])
    end

    it "cannot wait for a stream with callbacks, its own or another, and is told at once" do
      server.default_script(**silence_after("Hel"), repeat: true)
      other = runner.stream("Hi").on(:content) { nil }
      stream = runner.stream("Hi")
      stream.on(:content) do
        [stream, other].each do |each|
          [-> { each.wait }, -> { each.wait(1) }, -> { each.result }, -> { each.each { nil } }, -> { each.first }]
            .each { |question| question.call rescue heard << $! } # rubocop:disable Style/RescueModifier
        end
        stream.cancel
        other.cancel
      end

      errors = Array.new(10) { heard.pop }
      expect(errors).to all(be_a(RAAF::Errors::Error))
      expect(errors.map(&:message)).to all(match(/callback/))
      expect([stream, other].map { |each| each.wait.status }).to all(eq(:cancelled))
    end

    it "may wait for its own stream once that has ended" do
      server.script(deltas: %w[Hel lo])
      stream = runner.stream("Hi")

      stream.on(:complete) { heard << stream.result.final_output }

      expect(heard.pop).to eq("Hello")
    end
  end

  describe "who waits for a stream with callbacks" do
    let(:gate) { Queue.new }

    # A stream that has ended, and whose callback for its last chunk is still at it.
    def held_at_its_end
      server.script(deltas: %w[Hello])
      stream = runner.stream("Hi").on(:complete) do
        heard << :begun
        gate.pop
        heard << :through
      end
      expect(heard.pop).to eq(:begun)
      stream
    end

    # Asks on a thread of its own, which has gone to sleep, or is through, when this returns.
    def asking
      thread = Thread.new { yield.tap { heard << :answered } }
      eventually { thread.stop? }
      thread
    end

    it "waits until the last one has returned" do
      stream = held_at_its_end
      askers = [asking { stream.result.final_output }, asking { stream.wait.status }]

      expect(stream).to be_finished
      expect(stream.wait(0)).to be_nil
      expect(heard).to be_empty
      gate.close

      expect(askers.map(&:value)).to eq(["Hello", :complete])
      expect(emptied(heard)).to eq(%i[through answered answered])
    end

    it "waits for one that was added after the end, too" do
      server.script(deltas: %w[Hello])
      stream = runner.stream("Hi").on { nil }
      stream.wait

      stream.on(:content) { gate.pop && heard << :through }
      asker = asking { stream.result.final_output }
      gate << 1

      expect(asker.value).to eq("Hello")
      expect(emptied(heard)).to eq(%i[through answered])
    end

    it "waits for those that hear of an error" do
      server.script(**silence_after("Hel"))
      without_log do
        stream = runner.stream("Hi").on(:content) { raise "mine" }.on(:error) { gate.pop && heard << :through }
        eventually { stream.finished? }
        asker = asking { stream.wait.status }
        gate << 1

        expect(asker.value).to eq(:failed)
        expect(emptied(heard)).to eq(%i[through answered])
      end
    end

    it "waits no longer than he said, nor for one whose thread was ended" do
      stream = held_at_its_end
      expect(stream.wait(0.001)).to be_nil

      without_log do
        dispatcher_threads.each(&:kill)
        expect(stream.result.final_output).to eq("Hello")
      end
    end

    it "goes on when streaming is shut down, and in a child that nobody runs callbacks in" do
      stream = held_at_its_end
      expect(in_child { stream.result.final_output }).to eq("Hello")
      asker = asking { stream.result.final_output }

      without_log do
        RAAF::Streaming.shutdown(timeout: 0)
        dispatcher_threads.each { |thread| thread.join(LifecycleHelpers::PATIENCE) }
      end

      expect(asker.value).to eq("Hello")
    end

    it "does not wait for other callbacks inside one, once the stream has ended" do
      stream = held_at_its_end
      server.script(deltas: %w[other])

      runner.stream("Hi").on(:complete) { heard << stream.wait.status }

      expect(heard.pop).to eq(:complete)
      gate.close
    end
  end

  describe "cancelling" do
    it "from inside ends the stream with an error chunk", :backends do
      server.script(**silence_after("Hel"))
      stream = runner.stream("Hi")
      stream.on(:content) { stream.cancel }.on(:error) { |chunk| heard << chunk.exception }

      expect(heard.pop).to be_a(RAAF::Errors::CancelledError)
      server.wait_for_close(server.requests.first)
      expect(stream.wait.status).to eq(:cancelled)
    end

    it "from outside reaches callbacks that wait" do
      server.script(**no_answer)
      stream = runner.stream("Hi").on { |chunk| heard << chunk.type }
      request = server.wait_for_request

      stream.cancel

      expect(heard.pop).to eq(:error)
      server.wait_for_close(request)
      expect(heard).to be_empty
    end
  end

  describe "many streams" do
    # All answers are there before the first callback runs: whoever were not sent to the back would take all of his.
    it "take turns" do
      RAAF::Streaming.shutdown
      held, gate, begun = Queue.new, Queue.new, {}
      wire = RAAF::Testing::OpenAIChatWire.new
      server.default_script(bytes: (wire.content("x") * 300) + wire.finish("stop") + wire.done, repeat: true)
      answers = Array.new(200) { runner.stream("Hi", max_concurrent_streams: nil) }
      blocked = Array.new(16) do
        runner.stream("Hi", max_concurrent_streams: nil).on(:complete) { (held << 1) && gate.pop }
      end
      16.times { held.pop }
      eventually { reactor_count(:active).zero? }

      answers.each_with_index do |stream, i|
        stream.on(:content) { begun[i] ||= true }.on(:complete) { heard << begun.size }
      end
      gate.close

      expect((answers + blocked).map { |stream| stream.result.final_output.size }).to all(eq(300))
      # At the first end everybody has had a turn, but for those whom one of the 16 threads has just taken up.
      expect(heard.pop).to be >= 200 - 16
      expect(dispatcher_threads.size).to be <= 17
    end

    it "cost no thread each while they are silent" do
      server.default_script(**silence_after("Hel"), repeat: true)
      before = Thread.list.size - server.open_connections

      streams = Array.new(50) { runner.stream("Hi").on(:content) { heard << 1 } }
      50.times { heard.pop }

      names = Thread.list.map(&:name).compact.grep(/\Araaf-dispatch/)
      expect(names.size).to be <= 17
      expect(Thread.list.size - server.open_connections).to be <= before + 17
      streams.each(&:cancel)
    end
  end
end
