# frozen_string_literal: true

RSpec.describe "A process that forks" do
  include_context "with a model server"
  include LifecycleForks
  include LifecycleScripts

  def text_of(stream)
    stream.result.final_output
  end

  def ask(runner = self.runner)
    runner.run_and_stream("Hi").final_output
  end

  # A stream in the middle of its answer, which goes on when the gate is opened.
  def half_way(gate)
    server.script do |_, response|
      response.start(200, "content-type" => "text/event-stream")
      response.event({choices: [{index: 0, delta: {content: "Hel"}}]})
      gate.pop
      response.event({choices: [{index: 0, delta: {content: "lo"}, finish_reason: "stop"}]}).event("[DONE]")
    end
    stream = runner.stream("Hi")
    taking = take(stream)
    taking.next_chunk
    [stream, taking]
  end

  describe "in the middle of a stream" do
    it "finishes it unharmed while the child streams something of its own", :backends do
      gate = Queue.new
      stream, taking = half_way(gate)
      server.script(deltas: %w[child])

      expect(in_child { ask }).to eq("child")

      gate << :go
      expect(taking.types).to eq(%i[content content complete])
      expect(text_of(stream)).to eq("Hello")
      until_idle # the end of the body is read, and the connection can carry another request
      server.script(deltas: %w[again])
      expect(ask).to eq("again")
      expect(server.requests.map(&:connection_id)).to eq([1, 2, 1])
    end

    it "closes its connection when it cancels, even while a child lives", :backends do
      server.script(**silence_after("Hel"))
      stream = runner.stream("Hi")
      taking = take(stream)
      taking.next_chunk
      child = LifecycleForks::Child.new(&:wait_for_release)

      stream.cancel

      server.wait_for_close(server.requests.first)
      expect(taking.types).to eq(%i[content error])
      child.value
    end

    it "is not disturbed by the child's exit, by its garbage collector, or by its handle's cancel" do
      gate = Queue.new
      stream, taking = half_way(gate)

      answer = in_child do
        stream.cancel
        taking = nil
        stream = nil
        4.times { GC.start }
        RAAF::Streaming.shutdown
      end

      expect(answer).to be(true)
      gate << :go
      expect(taking.types).to eq(%i[content content complete])
      expect(text_of(stream)).to eq("Hello")
    end

    it "does the same over TLS, where a child could end the session for both" do
      secure = RAAF::Testing::ModelServer.start(tls: true)
      gate = Queue.new
      secure.script do |_, response|
        response.start(200, "content-type" => "text/event-stream")
        response.event({choices: [{index: 0, delta: {content: "Hel"}}]})
        gate.pop
        response.event({choices: [{index: 0, delta: {content: "lo"}, finish_reason: "stop"}]}).event("[DONE]")
      end
      asking = runner_for(secure.base_url, ca_file: secure.ca_file)
      taking = take(asking.stream("Hi"))
      taking.next_chunk
      secure.script(deltas: %w[child])

      expect(in_child { ask(asking).tap { RAAF::Streaming.shutdown } }).to eq("child")

      gate << :go
      expect(taking.types).to eq(%i[content content complete])
    ensure
      secure.stop
    end

    it "can do so 50 times over", :backends do
      server.default_script(demo: true, tokens: 40, delay: 0.01, first_delay: 0)
      streams = Array.new(50) { runner.stream("Hi") }
      takings = streams.map { |stream| take(stream) }
      takings.each(&:next_chunk)

      children = Array.new(3) { LifecycleForks::Child.new { Array.new(5) { runner.stream("Hi") }.map { |s| text_of(s).size } } }

      expect(children.map(&:value)).to all(all(be > 40))
      expect(takings.map { |taking| taking.types.tally }).to all(eq({content: 40, complete: 1}))
    end
  end

  describe "and the handle of a stream from before, in the child" do
    it "raises ForkedError, whatever is asked of it, and may be cancelled" do
      gate = Queue.new
      stream, taking = half_way(gate)
      asked = {
        each: -> { stream.each { nil } }, first: -> { stream.first }, wait: -> { stream.wait },
        wait_some_time: -> { stream.wait(0.1) }, result: -> { stream.result }, text: -> { stream.text.to_s },
        on: -> { stream.on(:content) { nil } }, redirect: -> { stream.redirect("Shorter") }
      }

      answers = in_child do
        asked.transform_values do |question|
          question.call
        rescue => e
          [e.class, e.message]
        end.merge(cancel: stream.cancel.equal?(stream))
      end

      expect(answers.delete(:cancel)).to be(true)
      expect(answers.values).to all(match([RAAF::Errors::ForkedError, /fork/]))
      expect(answers.keys).to eq(asked.keys)
      gate << :go
      expect(taking.types.last).to eq(:complete)
    end

    it "has its result where it had ended" do
      server.script(deltas: %w[Hel lo])
      stream = runner.stream("Hi")
      stream.wait

      expect(in_child { [stream.status, text_of(stream), stream.each.to_a] }).to eq([:complete, "Hello", []])
    end

    it "leaves the chunks readable that had come" do
      gate = Queue.new
      _, taking = half_way(gate)
      chunk = taking.chunks.first

      answer = in_child do
        GC.compact if GC.respond_to?(:compact)
        [chunk.delta, chunk.cumulative, chunk.seq, chunk.dup.delta, chunk.metadata[:seq]]
      end

      expect(answer).to eq(["Hel", "Hel", 1, "Hel", 1])
      gate << :go
      taking.join
    end
  end

  describe "inside the block" do
    it "goes on; the child does its own work" do
      server.script(deltas: %w[Hel lo]).script(deltas: %w[child])
      child = nil

      text = runner.run_and_stream("Hi") { child ||= LifecycleForks::Child.new { ask } }.final_output

      expect(text).to eq("Hello")
      expect(child.value).to eq("child")
    end

    it "gives a child that goes on in the block what had come, and then ForkedError" do
      server.script(deltas: %w[Hel], first_delay: 0, finish_reason: nil, done: false, keep_open: true)
      report, child_report = IO.pipe
      pid = nil
      taken = lambda do
        runner.run_and_stream("Hi") { |chunk| pid ||= fork if chunk.content? }
      rescue RAAF::Errors::ForkedError => e
        child_report.write(e.class.name)
        Process.exit!(0)
      end
      consumer = Thread.new(&taken)
      child_report.close if eventually { pid }

      expect(report.read).to eq("RAAF::Errors::ForkedError")
      Process.wait(pid)
      consumer.kill.join
    end
  end

  describe "between streams" do
    it "keeps its connection, and the child makes one of its own" do
      server.default_script(deltas: %w[Hi], repeat: true)
      ask
      until_idle

      expect(in_child { ask.tap { until_idle } + ask }).to eq("HiHi")

      ask
      expect(server.requests.map(&:connection_id)).to eq([1, 2, 2, 1])
    end

    it "shares no wake-ups with its child, even if it had shut its streaming down", :backends do
      server.default_script(demo: true, tokens: 5, delay: 0.001, first_delay: 0.001)
      5.times { take(runner.stream("Hi")).join }
      RAAF::Streaming.shutdown
      expect(RAAF::Streaming::Reactor.idle_wakers).to be_positive

      child = LifecycleForks::Child.new { [RAAF::Streaming::Reactor.idle_wakers, Array.new(40) { ask.size }] }
      own = Array.new(40) { ask.size }

      idle, sizes = child.value
      expect(idle).to eq(0)
      expect(sizes + own).to all(be_positive)
    end

    it "can be a child's child" do
      server.default_script(deltas: %w[Hi], repeat: true)
      ask

      expect(in_child { [ask, in_child { [ask, in_child { ask }] }] }).to eq(["Hi", ["Hi", "Hi"]])

      expect(ask).to eq("Hi")
    end

    it "lets its children count only their own streams" do
      server.default_script(**no_answer, repeat: true)
      streams = Array.new(3) { runner.stream("Hi") }
      server.wait_for_request(3)
      before = RAAF::Streaming::Reactor.stats

      inside = in_child do
        nothing = RAAF::Streaming::Reactor.stats
        stream = runner.stream("Hi", max_concurrent_streams: 1)
        [nothing, RAAF::Streaming::Reactor.stats[:active], stream.cancel.wait.status]
      end

      expect(inside).to eq([{}, 1, :cancelled])
      expect(RAAF::Streaming::Reactor.stats.slice(:active, :running)).to eq(before.slice(:active, :running))
      streams.each(&:cancel)
    end

    # libcurl has a pair of local sockets for itself, which go through; they lead nowhere.
    it "gives what it executes none of its connections, eventfds or epolls" do
      gate = Queue.new
      _, taking = half_way(gate)

      opened = IO.popen(["ls", "-l", "/proc/self/fd"], &:read)

      connections = File.readlines("/proc/net/tcp").drop(1).map { |line| line.split[9] }
      expect(opened.scan(/socket:\[(\d+)\]/).flatten & connections).to be_empty
      expect(opened).not_to include("anon_inode")
      gate << :go
      taking.join
    end
  end

  describe "with callbacks" do
    it "runs them on, and the child runs its own" do
      gate = Queue.new
      server.script do |_, response|
        response.start(200, "content-type" => "text/event-stream")
        response.event({choices: [{index: 0, delta: {content: "Hel"}}]})
        gate.pop
        response.event({choices: [{index: 0, delta: {content: "lo"}, finish_reason: "stop"}]}).event("[DONE]")
      end
      server.script(deltas: %w[child])
      heard = Queue.new
      stream = runner.stream("Hi").on(:content) { |chunk| heard << chunk.delta }
      expect(heard.pop).to eq("Hel")

      answer = in_child do
        heard.clear
        mine = runner.stream("Hi").on(:content) { |chunk| heard << chunk.delta }
        [text_of(mine), heard.size, heard.pop]
      end

      expect(answer).to eq(["child", 1, "child"])
      gate << :go
      expect(text_of(stream)).to eq("Hello")
      expect(heard.pop).to eq("lo")
    end

    it "may do so inside one, and wait for the child's own streams with callbacks there" do
      server.script(deltas: %w[Hel]).script(deltas: %w[child])
      answer = Queue.new

      runner.stream("Hi").on(:content) do
        answer << in_child { text_of(runner.stream("Hi").on(:content) { nil }) }
      end

      expect(answer.pop).to eq("child")
    end

    it "lets a child that goes on inside one come to its end" do
      server.script(deltas: %w[Hi])
      script = run_script(<<~RUBY, server.base_url)
        pid = nil
        stream = runner.stream("Hi").on(:content) { pid ||= fork || :child }
        at_exit { puts "child" if pid == :child }
        stream.wait
        Process.wait(pid)
        puts [stream.status, $?.success?].inspect
      RUBY

      expect(script.output.lines(chomp: true)).to eq(["child", "[:complete, true]"])
      expect_no_crash(script)
    end
  end

  describe "in the ways programs do it" do
    before { server.default_script(deltas: %w[Hi], repeat: true) }

    it "may load the gem and fork before it streams, as servers do that preload" do
      script = run_script(<<~RUBY, server.base_url)
        pids = Array.new(3) { fork { exit(runner.run_and_stream("Hi").final_output == "Hi") } }
        puts runner.run_and_stream("Hi").final_output
        puts pids.all? { |pid| Process.wait2(pid).last.success? }
      RUBY

      expect(script.output).to eq("Hi\ntrue\n")
      expect_no_crash(script)
    end

    it "may have children that end in the ordinary way, with their at_exit" do
      script = run_script(<<~RUBY, server.base_url)
        at_exit { puts "bye" }
        runner.run_and_stream("Hi")
        [-> {}, -> { runner.run_and_stream("Hi") }, -> { exit }, -> { exit! }].each { |work| Process.wait(fork(&work)) }
        puts runner.run_and_stream("Hi").final_output
      RUBY

      expect(script.output).to eq("bye\nbye\nbye\nHi\nbye\n")
      expect_no_crash(script)
      expect(server.requests.map(&:connection_id)).to eq([1, 2, 1])
    end

    it "may become a daemon" do
      script = run_script(<<~RUBY, server.base_url)
        runner.run_and_stream("Hi")
        stream = runner.stream("Hi")
        Process.daemon(true, true)
        said = begin
          stream.wait
        rescue RAAF::Errors::ForkedError
          "forked"
        end
        puts said, runner.run_and_stream("Hi").final_output, RAAF::Streaming::Reactor.stats.values_at(:active).first
      RUBY

      expect(script.output).to eq("forked\nHi\n0\n")
      expect_no_crash(script)
    end
  end
end
