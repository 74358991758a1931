# frozen_string_literal: true

require "timeout"

RSpec.describe RAAF::Streaming::Orchestrator do
  include_context "with agents"

  let(:frames) { Queue.new }

  # An orchestrator with these agents, in this order.
  def orchestrator(*names, **more)
    work = described_class.new(session_id: "9", broadcaster: ->(*frame) { frames << frame }, **more)
    names.each { |name| work.add_agent(name, agent(name)) }
    work
  end

  def short(events)
    noted(events).map do |event|
      what = event[:chunk]&.then { |chunk| [chunk.type, chunk.delta] } || event[:result] || event[:error]&.class
      [event.type, event[:agent], what].compact
    end
  end

  def run_of(name, *pieces)
    words = pieces.flat_map { |one| [[:agent_chunk, name, [:content, one]], [:agent_response, name, [:content, one]]] }
    [[:agent_starting, name], *words, [:agent_chunk, name, [:complete, ""]], [:agent_complete, name, pieces.join]]
  end

  def failing(name, error, *pieces)
    words = run_of(name, *pieces)[0...-2]
    [*words, [:agent_chunk, name, [:error, instance_of(String)]], [:agent_error, name, error]]
  end

  let(:answers) { {a: {deltas: %w[One .]}, b: {deltas: %w[Two .]}, c: {deltas: %w[Three .]}} }

  failures = {
    "a status of 500" => [{status: 500}, RAAF::Errors::ServerError, []],
    "a key that is refused" => [{status: 401}, RAAF::Errors::AuthenticationError, []],
    "an answer that is cut off" => [{deltas: %w[Half an answer], fault: :cut, after: 2},
      RAAF::Errors::TruncatedStreamError, ["Half"]]
  }

  describe "one after another" do
    it "hands each agent's words on, and tells all of it in order" do
      answer(answers)
      work = orchestrator(:a, :b)
      events = record(work.event_bus)

      result = work.run("Hi")

      expect(short(events)).to eq([[:workflow_started], *run_of(:a, "One", "."), *run_of(:b, "Two", "."),
        [:workflow_complete]])
      expect(asked(:b)).to eq([[["user", "One."]]])
      expect(result).to have_attributes(final_output: "Two.", answers: {a: "One.", b: "Two."}, errors: {}, error: nil,
        status: :complete, type: :sequential)
      expect(result.value!).to eq("Two.")
    end

    failures.each do |what, (script, error, pieces)|
      it "ends at #{what}, and keeps what came before" do
        answer(answers.merge(b: script))
        work = orchestrator(:a, :b, :c)
        events = record(work.event_bus)

        result = work.run("Hi")

        expect(short(events)).to match([[:workflow_started], *run_of(:a, "One", "."), *failing(:b, error, *pieces),
          [:workflow_complete, error]])
        expect(result).to have_attributes(status: :failed, final_output: nil, answers: {a: "One."},
          errors: {b: instance_of(error)}, partial?: true, success?: false, failed?: true)
        expect { result.value! }.to raise_error(result.errors[:b])
        expect(asked(:c)).to eq([])
      end

      it "asks the next one in the place of #{what}, where it is told to" do
        answer(answers.merge(b: script))

        result = orchestrator(:a, :b, :c).run("Hi", on_error: :skip)

        expect(result).to have_attributes(status: :complete, final_output: "Three.", answers: {a: "One.", c: "Three."},
          errors: {b: instance_of(error)}, partial?: true, failed?: false)
        expect(asked(:c)).to eq([[["user", "One."]]])
      end
    end

    it "fails with the first error where all of them do, though it skips" do
      answer(a: {status: 500}, b: {status: 401})
      result = orchestrator(:a, :b, on_error: :skip).run("Hi")
      expect(result.error).to be_a(RAAF::Errors::ServerError).and equal(result.errors[:a])
    end
  end

  describe "in a pipeline" do
    let(:go_on) { ["user", RAAF::Streaming::Synthesis::GO_ON] }

    it "hands the whole conversation on" do
      answer(answers)

      result = orchestrator(:a, :b, :c).run([{role: "user", content: "Hi"}], type: :pipeline)

      expect(asked(:c)).to eq([[%w[user Hi], ["assistant", "One."], go_on, ["assistant", "Two."], go_on]])
      expect(result.final_output).to eq("Three.")
    end

    failures.each do |what, (script, error, _)|
      it "stops at #{what}, whatever on_error says" do
        answer(answers.merge(b: script))
        result = orchestrator(:a, :b, :c, on_error: :skip).run("Hi", type: :pipeline)
        expect(result).to have_attributes(status: :failed, answers: {a: "One."}, errors: {b: instance_of(error)})
        expect(asked(:c)).to eq([])
      end
    end
  end

  describe "all at once" do
    let(:together) { {synthesizer: {deltas: %w[All .], usage: true}} }

    it "asks all of them the same, and then has one answer made" do
      answer(answers.merge(together))
      work = orchestrator(:a, :b, :c)
      events = record(work.event_bus)

      result = work.run("Hi", type: :parallel)

      told = short(events)
      %i[a b c].zip(%w[One Two Three]).each do |name, word|
        expect(told.select { |event| event[1] == name }).to eq(run_of(name, word, "."))
        expect(asked(name)).to eq([[%w[user Hi]]])
      end
      expect(told.last(run_of(:synthesizer, "All", ".").size + 1))
        .to eq([*run_of(:synthesizer, "All", "."), [:workflow_complete]])
      expect(asked(:synthesizer)).to eq([[["user", "# The request\n\nHi\n\n# What a answers\n\nOne.\n\n" \
        "# What b answers\n\nTwo.\n\n# What c answers\n\nThree."]]])
      expect(result).to have_attributes(final_output: "All.", status: :complete,
        answers: {a: "One.", b: "Two.", c: "Three."})
      expect(result.results).to include(synthesizer: have_attributes(final_output: "All."))
    end

    failures.each do |what, (script, error, pieces)|
      it "puts the others' answers together after #{what}" do
        answer(answers.merge(together).merge(b: script))
        work = orchestrator(:a, :b, :c)
        events = record(work.event_bus)

        result = work.run("Hi", type: :parallel)

        expect(short(events).select { |event| event[1] == :b }).to match(failing(:b, error, *pieces))
        expect(asked(:synthesizer).first.last.last).to include("One.").and include("Three.").and not_include("What b")
        expect(result).to have_attributes(status: :complete, final_output: "All.", errors: {b: instance_of(error)})
      end
    end

    it "asks the agent named synthesizer, and only for that" do
      answer(answers.merge(together))
      work = orchestrator(:a).add_agent(:synthesizer, agent(:synthesizer))
      expect(work.run("Hi", type: :parallel).final_output).to eq("All.")
      expect(asked(:synthesizer).size).to eq(1)
    end

    it "keeps the answers where the synthesizer fails" do
      answer(answers.merge(synthesizer: {status: 500}))
      result = orchestrator(:a, :b).run("Hi", type: :parallel)
      expect(result).to have_attributes(status: :failed, final_output: nil, answers: {a: "One.", b: "Two."},
        error: instance_of(RAAF::Errors::ServerError), errors: {synthesizer: instance_of(RAAF::Errors::ServerError)})
    end

    it "asks no synthesizer where nobody has answered" do
      answer(a: {status: 500}, b: {status: 500})
      result = orchestrator(:a, :b).run("Hi", type: :parallel)
      expect(result).to have_attributes(status: :failed, answers: {}, errors: {a: Exception, b: Exception})
      expect(server.requests.size).to eq(2)
    end

    it "runs no more at once than it may, and all in the end" do
      now, most, lock = 0, 0, Mutex.new
      names = %i[a b c d e f]
      server.script(repeat: true) do |request, response|
        lock.synchronize { most = [most, now += 1].max }
        RAAF::Testing::ModelServer::Script.build(deltas: %w[x y z], delay: 0.005).play(request, response)
        lock.synchronize { now -= 1 } # before the client knows that it is over
      end
      result = orchestrator(*names, max_parallel: 2).run("Hi", type: :parallel)
      expect(result.answers.keys).to match_array(names)
      expect(most).to be <= 3 # an answer may be whole a moment before the server's thread says so
    end

    it "adds up what was used" do
      answer(a: {deltas: ["x"], usage: {prompt_tokens: 5, completion_tokens: 2}},
        b: {deltas: ["y"], usage: {prompt_tokens: 7, completion_tokens: 3}}, synthesizer: {deltas: ["z"]})
      result = orchestrator(:a, :b).run("Hi", type: :parallel)
      expect(result.usage).to include(prompt_tokens: 12, completion_tokens: 5)
    end
  end

  describe "an agent that cannot even be asked" do
    it "fails as any other: with a chunk, and an event" do
      answer(answers)
      lost = RAAF::Agent.new(name: "lost", model: "claude-sonnet-4-5")
      work = orchestrator(:a).add_agent(:lost, lost)
      events = record(work.event_bus)
      result = with_env("ANTHROPIC_API_KEY" => nil) { work.run("Hi") }
      expect(result.errors).to match(lost: instance_of(RAAF::Errors::ConfigurationError))
      expect(short(events).last(4)).to match([[:agent_starting, :lost],
        [:agent_chunk, :lost, [:error, /ANTHROPIC_API_KEY/]], [:agent_error, :lost, RAAF::Errors::ConfigurationError],
        [:workflow_complete, RAAF::Errors::ConfigurationError]])
    end
  end

  describe "#start" do
    it "returns a handle at once, while no thread waits" do
      answer(a: silence_after("One"))
      workflow = orchestrator(:a).start("Hi")
      server.wait_for_request
      expect(workflow).to have_attributes(status: :running, finished?: false, running: [:a], type: :sequential)
      expect(workflow.wait(0.01)).to be_nil
      workflow.cancel
      expect(workflow.wait).to equal(workflow)
    end

    it "has no thread for each agent" do
      names = Array.new(40) { |i| :"a#{i}" }
      answer(names.to_h { |name| [name, silence_after("One")] })
      others = Thread.list
      workflow = orchestrator(*names, max_parallel: 40).start("Hi", type: :parallel)
      server.wait_for_request(40, timeout: LifecycleHelpers::PATIENCE)
      ours = (Thread.list - others).reject { |thread|
        thread.backtrace.to_a.any? { |line|
          line.include?("model_server")
        }
      }
      expect(ours.size).to be < 20
      expect(workflow.cancel.result.errors.size).to eq(40)
    end

    it "goes on though nobody holds the handle" do
      answer(answers)
      done = Queue.new
      work = orchestrator(:a, :b)
      work.on(:workflow_complete) { |event| done << event[:final_result] }
      work.start("Hi")
      GC.start
      expect(done.pop).to eq("Two.")
    end

    it "gives the context to instructions and tools of all agents" do
      said = []
      answer(a: {deltas: ["x"]}, b: {deltas: ["y"]})
      work = orchestrator
      %i[a b].each do |name|
        instructions = ->(context) { (said << context[:mood]) && "You are the #{name}." }
        work.add_agent(name, agent(name, instructions: instructions))
      end
      work.run("Hi", context: {mood: "good"})
      expect(said).to eq(%w[good good])
    end

    it "keeps workflows of one orchestrator apart" do
      server.script(repeat: true) do |request, response|
        word = request.json[:messages].last[:content]
        RAAF::Testing::ModelServer::Script.build(deltas: [word, "!"]).play(request, response)
      end
      work = orchestrator(:a, :b)
      events = record(work.event_bus)
      workflows = Array.new(8) { |i| Thread.new { work.start("w#{i}") } }.map(&:value)
      expect(workflows.map { |one| one.result.final_output }).to eq(Array.new(8) { |i| "w#{i}!!" })
      by_id = noted(events).group_by { |event| event[:workflow_id] }
      expect(by_id.keys).to match_array(workflows.map(&:id))
      expect(by_id.values.map { |told| told.last[:final_result] }).to match_array(Array.new(8) { |i| "w#{i}!!" })
    end

    it "keeps nothing in a conversation store" do
      store = RAAF::Streaming::ConversationStore.new
      RAAF::Streaming.configure { |config| config.conversation_store = store }
      answer(answers)
      work = orchestrator(:a, :b)
      2.times { work.run("Hi") }
      expect(store.size).to eq(0)
      expect(asked(:a)).to eq([[%w[user Hi]]] * 2)
    end

    it "works under a Fiber scheduler" do
      require "async"
      answer(answers)
      work = orchestrator(:a, :b)
      got = Sync { |task| Array.new(3) { task.async { work.run("Hi").final_output } }.map(&:wait) }
      expect(got).to eq(["Two."] * 3)
    end
  end

  describe "its end" do
    def closed(*requests)
      requests.each { |request| server.wait_for_close(request, timeout: LifecycleHelpers::PATIENCE) }
    end

    def silent
      answer(a: {deltas: ["One"]}, b: silence_after("Two"), c: silence_after("Three"))
    end

    it "comes at once by cancel, with what was answered" do
      silent
      work = orchestrator(:a, :b, :c)
      events = record(work.event_bus)
      workflow = work.start("Hi", type: :parallel)
      eventually("all words") { events.size >= 12 }

      workflow.cancel.cancel
      result = workflow.result

      expect(result).to have_attributes(status: :cancelled, final_output: nil, answers: {a: "One"},
        error: instance_of(RAAF::Errors::CancelledError))
      expect(result.errors.transform_values(&:partial_text)).to eq(b: "Two", c: "Three")
      expect(short(events).last).to eq([:workflow_complete, RAAF::Errors::CancelledError])
      closed(*server.requests.reject { |request| asker(request) == :a })
      expect(asked(:synthesizer)).to eq([])
    end

    it "begins no further agent after cancel" do
      answer(a: silence_after("One"), b: {deltas: ["Two"]})
      workflow = orchestrator(:a, :b).start("Hi", on_error: :skip)
      server.wait_for_request
      workflow.cancel
      expect(workflow.result.status).to eq(:cancelled)
      expect(asked(:b)).to eq([])
    end

    it "can be asked for in a handler, and in a signal handler" do
      silent
      work = orchestrator(:b)
      workflow = nil
      work.on(:agent_response) { workflow.cancel }
      workflow = work.start("Hi")
      expect(workflow.result.status).to eq(:cancelled)

      other = orchestrator(:b).start("Hi")
      server.wait_for_request(2)
      before = trap("USR2") { other.cancel }
      Process.kill("USR2", Process.pid)
      expect(other.result.status).to eq(:cancelled)
      trap("USR2", before || "DEFAULT")
    end

    it "leaves a workflow that has ended as it is" do
      answer(answers)
      workflow = orchestrator(:a).start("Hi")
      expect(workflow.result.status).to eq(:complete)
      workflow.cancel
      expect(workflow.result).to have_attributes(status: :complete, final_output: "One.")
    end

    it "comes when the time for all is over" do
      silent
      result = orchestrator(:b, :a).run("Hi", timeout: AgentServer::A_WHILE)
      expect(result).to have_attributes(status: :failed,
        error: have_attributes(class: RAAF::Errors::TimeoutError, phase: :total,
          message: include("the workflow took longer than #{AgentServer::A_WHILE} s")))
      closed(*server.requests)
      expect(asked(:a)).to eq([])
    end

    it "comes for one agent when its time is over, and the others go on" do
      silent
      result = orchestrator(:b, :a).run("Hi", agent_timeout: AgentServer::A_WHILE, on_error: :skip)
      expect(result).to have_attributes(status: :complete, answers: {a: "One"})
      expect(result.errors[:b]).to have_attributes(class: RAAF::Errors::TimeoutError, message: /agent b took longer/)
      closed(server.requests.first)
    end

    {"Thread#kill" => :kill.to_proc, "an exception" => ->(thread) { thread.raise(Interrupt) }}.each do |what, leave|
      it "comes when the caller of run is left by #{what}" do
        silent
        caller = Thread.new { orchestrator(:b, :c).run("Hi", type: :parallel) }
        caller.report_on_exception = false
        server.wait_for_request(2)
        until_asleep(caller)
        leave.call(caller)
        closed(*server.requests)
      end
    end

    it "comes when the caller of run is left by Timeout" do
      silent
      expect { Timeout.timeout(AgentServer::A_WHILE) { orchestrator(:b).run("Hi") } }.to raise_error(Timeout::Error)
      closed(server.wait_for_request)
    end

    it "comes when streaming is shut down, and begins no further agent" do
      answer(a: silence_after("One"), b: {deltas: ["Two"]})
      workflow = orchestrator(:a, :b).start("Hi", on_error: :skip)
      server.wait_for_request
      RAAF::Streaming.shutdown
      expect(workflow.result.error).to have_attributes(class: RAAF::Errors::CancelledError, reason: :shutdown)
      expect(asked(:b)).to eq([])
    end

    it "comes when streaming is shut down while its callbacks are held" do
      answer(a: {deltas: %w[One Two]})
      held, hold = Queue.new, Queue.new
      work = orchestrator(:a)
      work.on(:agent_response, delivery: :inline) { (held << true) && hold.pop }
      workflow = work.start("Hi")
      held.pop
      cut_off
      expect(workflow.result.error).to have_attributes(class: RAAF::Errors::CancelledError)
    end

    it "comes though an agent's own code ends the thread that is to begin it" do
      answer(answers)
      lost = agent(:b, instructions: ->(_) { Thread.exit })
      work = orchestrator(:a).add_agent(:b, lost)
      callback_fails do
        expect(work.run("Hi")).to have_attributes(status: :cancelled, answers: {a: "One."})
      end
    end

    it "comes though a broadcaster ends its thread" do
      answer(answers)
      deadly = ->(_, frame) { Thread.exit if frame[:type] == "agent_complete" }
      work = described_class.new(broadcaster: deadly).add_agent(:a, agent(:a)).add_agent(:b, agent(:b))
      callback_fails do
        expect(work.run("Hi")).to have_attributes(status: :cancelled, answers: {a: "One."})
      end
    end

    it "comes though streaming is shut down while a broadcaster is held" do
      answer(answers)
      held, hold = Queue.new, Queue.new
      slow = ->(_, frame) { (held << true) && hold.pop if frame[:type] == "agent_complete" }
      workflow = described_class.new(broadcaster: slow).add_agent(:a, agent(:a)).start("Hi")
      held.pop
      cut_off
      expect(workflow.result).to have_attributes(status: :cancelled, answers: {a: "One."})
    end

    it "comes once, and last, whatever fails and whenever it is cancelled" do
      random = Random.new(RSpec.configuration.seed)
      scripts = [{deltas: %w[x y z], delay: 0.002}, {deltas: ["x"]}, {status: 500},
        {deltas: %w[x y], fault: :cut, after: 2}]
      lock = Mutex.new
      server.script(repeat: true) do |request, response|
        script = lock.synchronize { scripts.sample(random: random) }
        RAAF::Testing::ModelServer::Script.build(**script).play(request, response)
      end
      workflows = Array.new(30) do |i|
        work = orchestrator(:a, :b, :c, max_parallel: random.rand(1..3), on_error: %i[stop skip].sample(random: random))
        at = random.rand(1..40)
        events = record(work.event_bus)
        workflow = nil
        seen = 0
        work.on(:*, delivery: :inline) { (seen += 1) == at && workflow&.cancel }
        workflow = work.start("Hi", type: RAAF::Streaming::Workflow::TYPES[i % 3])
        [workflow, events]
      end
      workflows.each do |workflow, events|
        result = workflow.result
        told = noted(events)
        expect(told.map(&:type).count(:workflow_complete)).to eq(1)
        expect(told.last.type).to eq(:workflow_complete)
        begun = told.select { |event| event.type == :agent_starting }.map { |event| event[:agent] }
        over = told.select { |event| %i[agent_complete agent_error].include?(event.type) }.map { |event| event[:agent] }
        expect(over).to match_array(begun)
        expect(result.results.keys + result.errors.keys).to match_array(begun)
      end
    end

    it "is refused to a callback that would wait for it" do
      silent
      workflow = orchestrator(:b).start("Hi")
      stream = RAAF::Streaming::AsyncRunner.new(agent: agent(:a)).stream("Hi")
      without_log do
        stream.on(:content) { workflow.wait }
        expect { stream.result }.to raise_error(RAAF::Errors::Error, /callback of a stream cannot wait/)
      end
      workflow.cancel.wait
    end

    it "is refused to a forked child" do
      silent
      workflow = orchestrator(:b).start("Hi")
      server.wait_for_request
      reader, writer = IO.pipe
      pid = fork do
        writer.write((workflow.wait && "waited") || "")
      rescue RAAF::Errors::ForkedError
        writer.write("forked")
      ensure
        exit!(0)
      end
      Process.wait(pid)
      writer.close
      expect(reader.read).to eq("forked")
      workflow.cancel.wait
    end
  end

  describe "frames" do
    it "tell everything that is to be shown, numbered, on the session's stream" do
      answer(answers.merge(b: {status: 401}))
      workflow = orchestrator(:a, :b).start("Hi").wait
      got = Array.new(frames.size) { frames.pop }
      expect(got.map(&:first).uniq).to eq(["orchestrator_9"])
      expect(got.map { |_, frame| frame[:seq] }).to eq((1..got.size).to_a)
      expect(got.map { |_, frame| frame.except(:seq, :timestamp, :workflow_id, :session_id) }).to match([
        {type: "workflow_started", workflow_type: :sequential}, {type: "agent_starting", agent: :a},
        {type: "agent_response", agent: :a, content: "One"}, {type: "agent_response", agent: :a, content: "."},
        {type: "agent_complete", agent: :a}, {type: "agent_starting", agent: :b},
        {type: "agent_error", agent: :b, error: /\S/},
        {type: "workflow_complete", status: :failed, error: /\S/}
      ])
      expect(got.map { |_, frame| frame[:workflow_id] }.uniq).to eq([workflow.id])
      expect(got.map { |_, frame| Time.iso8601(frame[:timestamp]) }).to all(be_within(600).of(Time.now))
    end

    it "that cannot be sent are said once, and harm nothing" do
      answer(answers)
      without_log do |log|
        work = described_class.new(broadcaster: ->(*) { raise IOError, "no cable" }).add_agent(:a, agent(:a))
        expect(work.run("Hi").final_output).to eq("One.")
        expect(log.string.scan("no cable").size).to eq(1)
      end
    end

    it "go to nobody where there is no broadcaster, or no Action Cable" do
      answer(answers)
      [nil, RAAF::Streaming::Broadcaster].each do |broadcaster|
        expect(described_class.new(broadcaster: broadcaster).add_agent(:a, agent(:a)).run("Hi")).to be_success
      end
    end
  end

  it "goes on where the bus takes nothing any longer" do
    answer(answers)
    without_log do |log|
      work = orchestrator(:a)
      work.event_bus.close
      expect(work.run("Hi").final_output).to eq("One.")
      expect(log.string).to include("agent_starting").and include("could not be told")
    end
  end

  describe "what it is given" do
    it "tells of agents that are added" do
      bus = RAAF::Streaming::EventBus.new
      events = record(bus)
      orchestrator(:a, event_bus: bus)
      told = noted(events).map { |event| [event.type, event.payload] }
      expect(told).to eq([[:agent_added, {agent: :a, session: "9"}]])
    end

    it "is refused where it is wrong" do
      expect { orchestrator.add_agent(:a, "agent") }.to raise_error(ArgumentError, /RAAF::Agent/)
      expect { orchestrator.run("Hi") }.to raise_error(ArgumentError, /add_agent/)
      expect { orchestrator(:synthesizer).run("Hi", type: :parallel) }.to raise_error(ArgumentError, /add_agent/)
      expect { orchestrator(:a).run("Hi", type: :circular) }.to raise_error(ArgumentError, /sequential/)
      expect { orchestrator(:a).run([]) }.to raise_error(ArgumentError)
      expect { orchestrator(:a).run("Hi", timeout: 0) }.to raise_error(ArgumentError, /seconds/)
      expect { orchestrator(:a).run("Hi", max_turns: 1) }.to raise_error(ArgumentError, /max_turns.*agent_timeout/)
      expect { orchestrator(max_parallel: 0) }.to raise_error(ArgumentError, /max_parallel/)
      expect { orchestrator(on_error: :ignore) }.to raise_error(ArgumentError, /on_error/)
      expect { orchestrator(idle_timout: 1) }.to raise_error(RAAF::Errors::ConfigurationError, /idle_timeout/)
      expect(server.requests).to eq([])
    end

    it "shows neither words nor keys" do
      answer(answers)
      work = orchestrator(:a)
      workflow = work.start("secret words").wait
      expect([work, workflow, workflow.result].map(&:inspect).join).not_to match(/secret|One|key/)
    end
  end

  it "survives compaction" do
    answer(answers)
    work = orchestrator(:a, :b)
    workflow = work.start("Hi")
    GC.verify_compaction_references(toward: :empty, double_heap: true)
    expect(workflow.result.final_output).to eq("Two.")
  end
end
