# frozen_string_literal: true

require "timeout"

# What a strict review found: moments between two steps, and code of the application's that misbehaves.
RSpec.describe RAAF::Streaming::Stream do
  include_context "with a model server"

  let(:heard) { Queue.new }

  def emptied(queue)
    Array.new(queue.size) { queue.pop }
  end

  def quiet_thread
    Thread.new { yield }.tap { |thread| thread.report_on_exception = false }
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

  # A runner whose agent's instructions are what the block says.
  def runner_with(**settings, &instructions)
    RAAF::Streaming::AsyncRunner.new(
      agent: RAAF::Agent.new(name: "Assistant", model: "gpt-4o", instructions: instructions),
      provider: RAAF::Models::OpenAIProvider.new(api_key: "key", base_url: server.base_url), **settings
    )
  end

  # Does something once, at the first event of the kind that the block recognises.
  def once_at(event, action, **where)
    done = false
    trace = TracePoint.new(event) do |point|
      next if done || !yield(point)

      done = true
      action.call
    end
    trace.enable(**where)
    trace
  end

  def serve_all_threads(gate)
    server.default_script(deltas: %w[Hi], repeat: true)
    entered = Queue.new
    streams = Array.new(RAAF::Streaming::Dispatcher::MOST_THREADS) do
      runner.stream("Hi").on(:content) { (entered << 1) && gate.pop }
    end
    streams.size.times { entered.pop }
    streams
  end

  describe "a callback that is refused" do
    it "leaves the stream to others, where its type is wrong or its block is missing" do
      [->(stream) { stream.on(:contnet) { nil } }, ->(stream) { stream.on(:content) }].each do |wrong|
        server.script(deltas: %w[Hel lo])
        stream = runner.stream("Hi")

        expect { wrong.call(stream) }.to raise_error(ArgumentError)

        expect(stream.map(&:delta).join).to eq("Hello")
        expect(stream.result.final_output).to eq("Hello")
      end
    end

    it "leaves the stream to others, where no thread can be had for it" do
      RAAF::Streaming.shutdown
      server.script(deltas: %w[Hel lo])
      stream = runner.stream("Hi")

      allow(RAAF::Streaming::Dispatcher.current).to receive(:named_thread).and_raise(ThreadError, "no more threads")
      expect { stream.on(:content) { nil } }.to raise_error(ThreadError)
      RSpec::Mocks.space.proxy_for(RAAF::Streaming::Dispatcher.current).reset

      expect(stream.map(&:delta).join).to eq("Hello")
    end
  end

  describe "several who wait" do
    it "go on where the one who takes the chunks has waited long enough" do
      gate = Queue.new
      stream = gated(gate)
      first = Thread.new { stream.wait(0.2) }
      eventually { stream.instance_variable_get(:@consumer) }
      others = Array.new(3) { Thread.new { stream.result.final_output } }
      others.each { |thread| until_asleep(thread) }

      expect(first.value).to be_nil
      gate << "Hello"
      gate.close

      expect(others.map { |thread| thread.join(LifecycleHelpers::PATIENCE)&.value }).to all(eq("Hello"))
    end

    it "never get in each other's way, however close they come" do
      gate = Queue.new
      stream = gated(gate)
      # Nobody goes on to take the chunks before both have seen that nobody does.
      entered = Queue.new
      trace = TracePoint.new(:call) { (entered << 1) && (Thread.pass until entered.size >= 2) }

      trace.enable(target: described_class.instance_method(:consume)) do
        waiting = Array.new(2) { quiet_thread { stream.result.final_output } }
        waiting.each { |thread| eventually { !thread.alive? || (entered.size == 2 && thread.stop?) } }
        gate << "Hello"
        gate.close
        expect(waiting.map(&:value)).to eq(%w[Hello Hello])
      end
    end
  end

  describe "what a wait with a timeout has taken" do
    let(:gate) { Queue.new }
    let(:stream) { gated(gate) }

    before do
      %w[Hel lo].each { |word| gate << word }
      eventually { stream.wait(0.02) || stream.native.delivered_text == "Hello" }
    end

    it "is there for each, joined, and first" do
      gate << " there"
      gate.close

      expect(stream.map { |chunk| [chunk.type, chunk.delta] })
        .to eq([[:content, "Hello"], [:content, " there"], [:complete, ""]])
      expect(stream.each.to_a).to eq([])
    end

    it "is there for callbacks" do
      gate << " there"
      gate.close

      stream.on(:content) { |chunk| heard << chunk.delta }.wait

      expect(emptied(heard)).to eq(["Hello", " there"])
    end

    it "is the result's in any case" do
      gate.close
      expect(stream.result.final_output).to eq("Hello")
    end
  end

  describe "an interrupt" do
    it "at the very moment at which the chunks are given up does not leave the stream taken" do
      server.script(**silence_after("Hel"))
      stream = runner.stream("Hi")
      go = Queue.new
      thread = quiet_thread { go.pop && stream.each { break } }
      trace = once_at(:c_call, -> { thread.raise("late") }) do |point|
        point.method_id == :handle_interrupt && Thread.current.equal?(thread)
      end
      go << 1
      expect { thread.join }.to raise_error("late")
      trace.disable

      expect(stream).to be_finished
      expect { Timeout.timeout(LifecycleHelpers::PATIENCE) { stream.result } }
        .to raise_error(RAAF::Errors::CancelledError)
      server.wait_for_close(server.requests.first)
    end

    it "at the moment at which a redirect has sent its request ends that request" do
      server.script(**silence_after("Long")).script(**silence_after("Short"))
      stream = runner.stream("Hi")
      arrived = Queue.new
      thread = quiet_thread { stream.each { arrived << 1 } }
      arrived.pop
      start = RAAF::Streaming::ModelCall.instance_method(:start)
      trace = once_at(:return, -> { thread.kill }, target: start) { Thread.current.equal?(thread) }

      stream.redirect("Shorter")

      thread.join
      trace.disable
      until_idle
      expect(stream.status).to eq(:cancelled)
    end

    it "of a dispatcher's thread, as the callbacks are through, loses nothing that is to come" do
      wire = RAAF::Testing::OpenAIChatWire.new
      server.script(bytes: (wire.content("x") * 300) + wire.finish("stop") + wire.done)
      stream = runner.stream("Hi")
      eventually { reactor_count(:active).zero? }
      trace = once_at(:return, -> { Thread.current.kill }, target: described_class.instance_method(:dispatch)) { true }

      without_log { stream.on(:content) { heard << 1 } && stream.wait }
      trace.disable

      expect(stream.result.final_output.size).to eq(300)
      expect(heard.size).to eq(300)
    end

    it "that the application has put off while it adds a callback does not keep the process from ending" do
      server.default_script(deltas: %w[Hi], repeat: true)
      RAAF::Streaming.shutdown
      stream = runner.stream("Hi")
      Thread.handle_interrupt(Object => :never) { stream.on(:content) { nil } }
      stream.wait
      threads = dispatcher_threads

      RAAF::Streaming.shutdown

      expect(threads.map { |thread| thread.join(LifecycleHelpers::PATIENCE) }).to all(be_a(Thread))
    end
  end

  describe "a redirect" do
    it "keeps its place, whoever asks for it before the new request is written" do
      refused = nil
      asked = 0
      asking = runner_with(max_concurrent_streams: 1) do
        if (asked += 1) == 2
          begin
            runner.stream("Me first", max_concurrent_streams: 1)
          rescue RAAF::Errors::StreamLimitError => e
            refused = e
          end
        end
        "Be brief."
      end
      server.script(**silence_after("Long")).script(deltas: %w[Short])
      stream = asking.stream("Hi")
      taking = take(stream)
      taking.next_chunk

      stream.redirect("Shorter")

      expect(taking.types).to eq(%i[content status content complete])
      expect(refused.limit).to eq(:max_concurrent_streams)
      expect(server.requests.size).to eq(2)
    end

    [RuntimeError, NotImplementedError].each do |kind|
      it "whose question cannot be written ends with what the agent's code raised: #{kind}" do
        asked = 0
        error = kind.new("database is down")
        asking = runner_with { ((asked += 1) > 1) ? raise(error) : "Be brief." }
        server.script(**silence_after("Long"))
        stream = asking.stream("Hi")
        chunks = []

        expect { stream.each { |chunk| (chunks << chunk) && chunk.content? && stream.redirect("Shorter") } }
          .to raise_error { |raised| expect(raised).to equal(error) }

        expect(chunks.map(&:type)).to eq(%i[content error])
        expect(chunks.last.exception).to equal(error)
        expect(stream.status).to eq(:failed)
        expect { stream.result }.to raise_error { |raised| expect(raised).to equal(error) }
      end
    end

    # The other stream stands in the queue behind whatever the redirected one has put there.
    it "lets no second thread run callbacks while one of them still runs" do
      server.script(**silence_after("Long")).script(deltas: %w[Sh ort]).script(deltas: %w[other])
      gate = Queue.new
      stream = runner.stream("Hi")
      stream.on do |chunk|
        heard << chunk.type
        gate.pop if chunk.status?
      end
      expect(heard.pop).to eq(:content)
      stream.redirect("Shorter")
      expect(heard.pop).to eq(:status)
      eventually { stream.native.stage == :ended }

      stream.on(:reasoning) { nil }
      runner.stream("Hi").on(:content) { nil }.wait

      expect(heard).to be_empty
      gate.close
      expect(stream.result.final_output).to eq("Short")
      expect(Array.new(3) { heard.pop }).to eq(%i[content content complete])
    end
  end

  describe "the streams that a shutdown has ended before their callbacks were run" do
    it "tell a callback that comes later, and hold up no later shutdown" do
      gate = Queue.new
      blocked = serve_all_threads(gate)
      stream = runner.stream("Hi").on(:content) { nil }
      eventually { stream.native.stage == :ended }

      without_log do
        RAAF::Streaming.shutdown(timeout: 0.05)
        expect(stream.wait.status).to eq(:cancelled)
        stream.on { |chunk| heard << chunk }
        expect(heard.pop).to be_error.and(have_attributes(exception: be_a(RAAF::Errors::CancelledError)))
        blocked.each(&:wait)
        eventually { dispatcher_threads.size <= 3 } # the new ones; those that were ended are gone
      end

      before = monotonic
      RAAF::Streaming.shutdown(timeout: 30)
      expect(monotonic - before).to be < 15
    end

    it "are held no longer" do
      gate = Queue.new
      serve_all_threads(gate)
      runner.stream("Hi").on(:content) { nil }
      threads = dispatcher_threads
      without_log do
        RAAF::Streaming::Reactor.stop(LifecycleHelpers::PATIENCE) # whatever time that takes
        RAAF::Streaming.shutdown(timeout: 0.05)
        threads.each { |thread| thread.join(LifecycleHelpers::PATIENCE) }
      end

      queue = RAAF::Streaming::Dispatcher.current.instance_variable_get(:@queue)
      eventually { queue.size.zero? && queue.lag.zero? }
      expect(runner.stream("Hi").on(:content) { nil }.result.final_output).to eq("Hi")
      expect(RAAF::Streaming::Dispatcher.current.instance_variable_get(:@queue)).to equal(queue)
    end
  end

  describe "an answer" do
    def usage_of(usage)
      wire = RAAF::Testing::OpenAIChatWire.new
      event = %(data: {"choices":[],"usage":#{usage}}\n\n)
      server.script(bytes: wire.content("Hi") + wire.finish("stop") + event + wire.done)
      types = []
      result = runner.run_and_stream("Hi") { |chunk| types << chunk.type }
      expect(types).to eq(%i[content complete])
      expect(result.final_output).to eq("Hi")
      result.usage
    end

    it "is not lost for a usage that is deeply nested" do
      usage = usage_of(%({"prompt_tokens":3,"odd":#{"[" * 120}#{"]" * 120}}))
      expect(usage).to include(prompt_tokens: 3)
      expect(usage[:raw][:odd].flatten).to eq([])
    end

    it "is not lost for a usage that cannot be read again" do
      allow(JSON).to receive(:parse).and_raise(JSON::ParserError)
      expect(usage_of(%({"prompt_tokens":3}))).to eq({prompt_tokens: 3})
    end

    it "that cannot be made a result ends with an error chunk" do
      error = ArgumentError.new("no result")
      allow(RAAF::Streaming::Result).to receive(:new).and_raise(error)
      server.script(deltas: %w[Hi])
      stream = runner.stream("Hi")
      taken = []

      expect { stream.each { |chunk| taken << chunk } }.to raise_error { |raised| expect(raised).to equal(error) }

      expect(taken.map(&:type)).to eq(%i[content error])
      expect(stream.status).to eq(:failed)
    end
  end

  it "says why the chunks were not taken to the end" do
    server.script(**silence_after("Hel"))
    stream = runner.stream("Hi")
    mine = ArgumentError.new("mine")
    expect { stream.each { raise mine } }.to raise_error { |raised| expect(raised).to equal(mine) }

    expect { stream.result }.to raise_error(RAAF::Errors::CancelledError) { |error|
      expect(error.cause).to equal(mine)
      expect(error.partial_text).to eq("Hel")
    }
  end

  describe "a callback that raises" do
    it "fails the stream with its own error also where that is no StandardError" do
      [NotImplementedError, SystemStackError].each do |kind|
        server.script(**silence_after("Hel"))
        without_log do
          stream = runner.stream("Hi").on(:content) { raise kind, "mine" }.on(:error) { |chunk| heard << chunk.error }
          expect { stream.result }.to raise_error(kind, "mine")
          expect(stream.status).to eq(:failed)
          expect(heard.pop).to eq("mine")
        end
      end
    end

    it "fails the stream also where the logger raises in turn" do
      server.script(**silence_after("Hel"))
      logger = Logger.new(File::NULL)
      allow(logger).to receive(:error).and_raise(IOError, "closed stream")
      RAAF::Streaming.logger = logger

      stream = runner.stream("Hi").on(:content) { raise ArgumentError, "mine" }.on(:error) { |chunk| heard << chunk }

      expect { stream.result }.to raise_error(ArgumentError, "mine")
      expect(heard.pop).to be_error
    ensure
      RAAF::Streaming.logger = nil
    end
  end

  it "tells a late callback the whole text of each of several answers" do
    event = ->(choice) { "data: #{JSON.generate(choices: [choice])}\n\n" }
    server.script(bytes: [{index: 0, delta: {content: "zero"}}, {index: 1, delta: {content: "one"}},
      {index: 0, delta: {}, finish_reason: "stop"}, {index: 1, delta: {}, finish_reason: "stop"}]
      .map(&event).join << "data: [DONE]\n\n")
    stream = runner.stream("Hi").on(:content) { nil }
    stream.wait

    stream.on { |chunk| heard << [chunk.type, chunk.choice, chunk.delta] }

    expect(Array.new(3) { heard.pop }).to eq([[:content, 0, "zero"], [:content, 1, "one"], [:complete, 0, ""]])
  end

  it "shows no header and no word of the conversation where its inside is inspected" do
    server.script(deltas: %w[Hi])
    agent = RAAF::Agent.new(name: "Assistant", instructions: "Be brief.", model: "gpt-4o")
    provider = RAAF::Models::OpenAIProvider.new(api_key: "sk-very-secret-key", base_url: server.base_url)
    stream = RAAF::Streaming::AsyncRunner.new(agent: agent, provider: provider).stream("my words")
    stream.wait

    run = stream.instance_variable_get(:@run)
    expect(run.inspect).to eq("#<RAAF::Streaming::Run #{stream.id} turns=1>")
    expect(run.call.inspect).to eq('#<RAAF::Streaming::ModelCall provider="openai" model="gpt-4o">')
  end

  it "can be named, shown and cancelled in a signal handler" do
    server.script(**no_answer)
    stream = runner.stream("Hi")
    said = Queue.new # `heard` takes a lock the first time
    before = trap("USR1") do
      said << [stream.id, stream.inspect, stream.cancel]
    rescue ThreadError => e
      said << e
    end
    Process.kill("USR1", Process.pid)

    id, shown, = said.pop
    expect(id).to eq(stream.id)
    expect(shown).to include(stream.id)
    expect(stream.wait.status).to eq(:cancelled)
  ensure
    trap("USR1", before || "DEFAULT")
  end
end

RSpec.describe RAAF::Streaming::Chunk do
  it "stays as it is where a frozen one is loaded over" do
    chunk = described_class.new(type: :content, delta: "mine").freeze

    expect { chunk.marshal_load({type: :error, delta: "other"}) }.to raise_error(FrozenError)

    expect(chunk).to have_attributes(type: :content, delta: "mine")
  end
end

RSpec.describe "An exit hook that runs after the library's" do
  include_context "with a model server"
  include LifecycleScripts

  it "may start a stream, which is ended before the process is" do
    server.default_script(**silence_after("Hel"), repeat: true)
    script = run_script(<<~RUBY, server.base_url)
      stream = nil
      at_exit { p RAAF::Streaming::Reactor.running?, stream.wait(10)&.status }
      at_exit { stream = runner.stream("Hi") }
      runner.stream("Hi").cancel.wait
    RUBY

    expect(script.output).to eq("false\n:cancelled\n")
    expect_no_crash(script)
  end

  it "is not one for each start" do
    server.default_script(deltas: %w[Hi], repeat: true)
    script = run_script(<<~RUBY, server.base_url)
      hooks = 0
      RAAF::Streaming.singleton_class.prepend(Module.new { define_method(:at_exit) { |&hook| (hooks += 1) && super(&hook) } })
      20.times { runner.run_and_stream("Hi") && RAAF::Streaming.shutdown }
      puts hooks
    RUBY

    expect(script.output).to eq("1\n")
  end
end
