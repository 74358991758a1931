# frozen_string_literal: true

RSpec.describe RAAF::Streaming::EventEmitter do
  include_context "with agents"

  # Classes here are made by `class`, as an application's are: what Thread is in them depends on where it stands.
  module EmitterClasses # rubocop:disable Lint/ConstantDefinitionInBlock
    class Plain
      include RAAF::Streaming::EventEmitter

      attr_reader :agents, :session_id

      def initialize(agents = {}, session_id = "9")
        @agents = agents
        @session_id = session_id
      end

      def ask(name, message = "Hi")
        RAAF::Streaming::AsyncRunner.new(agent: agents[name]).run_and_stream(message) do |chunk|
          emit_event(:agent_chunk, agent: name, chunk: chunk)
        end
      end
    end

    class Workflow < Plain
      def start_workflow(message, **options) = perform(message, **options)

      def perform(message, &block) = block ? instance_exec(message, &block) : run_pipeline_workflow(message)
    end

    class Threaded < Plain
      attr_reader :threads

      def start_workflow(_message)
        @threads = agents.keys.map { |name| Thread.new(name) { |given| work(given) } }
        yield self if block_given?
        threads.map(&:value)
      end

      def work(name) = ask(name).final_output
    end

    class Careful < Threaded
      def work(name)
        super
      rescue RAAF::Errors::ServerError => e
        "rescued #{e.status}"
      end
    end

    class Broken < Threaded
      def work(name) = raise(KeyError, "no #{name}")
    end
  end

  # @return [Array<RAAF::Streaming::EventBus::Event>]
  def failures(events)
    noted(events).select { |event| event.type == :agent_error }
  end

  describe "#event_bus" do
    it "is the one that the class has set" do
      emitter = EmitterClasses::Plain.new
      bus = RAAF::Streaming::EventBus.new
      emitter.instance_variable_set(:@event_bus, bus)
      expect(emitter.event_bus).to equal(bus)
    end

    it "is made where the class has set none, once for all threads" do
      emitter = EmitterClasses::Plain.new
      buses = Array.new(20) { Thread.new { emitter.event_bus } }.map(&:value)
      expect(buses.uniq(&:object_id).size).to eq(1)
      expect(buses.first).to be_a(RAAF::Streaming::EventBus)
    end
  end

  describe "#emit_event" do
    let(:emitter) { EmitterClasses::Plain.new }
    let!(:events) { record(emitter.event_bus) }

    it "takes the payload as a Hash, as keywords, or both" do
      emitter.emit_event(:a, {x: 1})
      emitter.emit_event("b", x: 2)
      emitter.emit_event(:c, {x: 3}, y: 4)
      emitter.emit_event(:d)
      expect(noted(events).map { |event| [event.type, event.payload] })
        .to eq([[:a, {x: 1}], [:b, {x: 2}], [:c, {x: 3, y: 4}], [:d, {}]])
    end

    it "returns the event" do
      expect(emitter.emit_event(:a, x: 1)).to have_attributes(type: :a, payload: {x: 1})
    end

    it "tells pieces of an answer as :agent_response too, and nothing else" do
      chunks = RAAF::Streaming::Chunk::TYPES.map { |type| RAAF::Streaming::Chunk.new(type: type, delta: "x") }
      chunks.each { |chunk| emitter.emit_event(:agent_chunk, agent: :a, chunk: chunk) }
      responses = noted(events).select { |event| event.type == :agent_response }
      expect(responses.map(&:payload)).to eq([{agent: :a, chunk: chunks.find(&:content?)}])
    end
  end

  describe "its defaults" do
    it "give way to the class's own, private and later ones too" do
      klass = Class.new(EmitterClasses::Plain)
      klass.class_eval do
        def prompt = build_synthesis_prompt({a: "b"})

        private

        def build_synthesis_prompt(results) = "own #{results[:a]}"
      end
      expect(klass.new.prompt).to eq("own b")
    end

    it "are private" do
      names = %i[handle_agent_response handle_agent_error handle_workflow_complete run_pipeline_workflow
        build_synthesis_prompt build_synthesizer_agent]
      expect(described_class.private_instance_methods(false)).to match_array(names)
      expect(described_class.public_instance_methods(false)).to contain_exactly(:emit_event, :event_bus)
    end

    it "put the answers under their agents' names" do
      prompt = EmitterClasses::Plain.new.send(:build_synthesis_prompt, {a: "One.", b: "Two."})
      expect(prompt).to eq("# What a answers\n\nOne.\n\n# What b answers\n\nTwo.")
    end

    it "have a synthesizer that asks whom the first agent asks" do
      first = RAAF::Agent.new(name: "A", model: "gpt-4o-mini", provider: provider)
      made = EmitterClasses::Plain.new({a: first}).send(:build_synthesizer_agent)
      expect(made).to have_attributes(name: "synthesizer", model: "gpt-4o-mini", provider: first.provider)
      expect(EmitterClasses::Plain.new.send(:build_synthesizer_agent).model).to eq(RAAF::Agent.new(name: "B").model)
    end

    it "read @agents and @session_id where there are no readers" do
      answer(a: {deltas: ["One."]})
      klass = Class.new do
        include RAAF::Streaming::EventEmitter

        def initialize(agents) = (@agents, @session_id = agents, "7")

        def start_workflow(message) = run_pipeline_workflow(message)
      end
      emitter = klass.new(agents(:a))
      events = record(emitter.event_bus)
      emitter.start_workflow("Hi")
      expect(noted(events).last.payload).to eq(final_result: "One.", session: "7")
    end

    it "log what they cannot broadcast" do
      without_log do |log|
        emitter = EmitterClasses::Plain.new
        emitter.send(:handle_agent_error, {agent: :a, error: RAAF::Errors::ServerError.new("it broke")})
        emitter.send(:handle_workflow_complete, {final_result: "x"})
        expect(log.string).to include("the agent a failed: it broke (RAAF::Errors::ServerError)")
          .and include("the workflow of session 9 is complete")
      end
    end

    it "hand on words only: no calls of tools, and what those have said" do
      tool = RAAF::Streaming::Tool.new(name: "clock") { "noon" }
      answer(a: [{deltas: [], tool_calls: [{name: "clock", id: "1", arguments: {}}]}, {deltas: ["It is noon."]}],
        b: {deltas: ["Late."]})
      EmitterClasses::Workflow.new({a: agent(:a, tools: [tool]), b: agent(:b)}).start_workflow("When?")
      expect(asked(:b)).to eq([[%w[user When?], ["assistant", "It is noon."],
        ["user", RAAF::Streaming::Synthesis::GO_ON]]])
    end
  end

  describe "an agent that fails" do
    let(:emitter) { EmitterClasses::Workflow.new(agents(:a, :b)) }
    let!(:events) { record(emitter.event_bus) }

    def errors_told
      failures(events).map { |event| [event[:agent], event[:error].class, event[:session]] }
    end

    it "is told once, under its name" do
      answer(a: {deltas: ["One."]}, b: {status: 500})
      expect { emitter.start_workflow("Hi") }.to raise_error(RAAF::Errors::ServerError)
      expect(errors_told).to eq([[:b, RAAF::Errors::ServerError, "9"]])
    end

    it "is told under the name it worked under, where it has several" do
      answer(a: {status: 500})
      klass = Class.new(EmitterClasses::Plain) { def start_workflow(_) = ask(:second) }
      only = agent(:a)
      emitter = klass.new({first: only, second: only})
      events = record(emitter.event_bus)
      expect { emitter.start_workflow("Hi") }.to raise_error(RAAF::Errors::ServerError)
      told = noted(events).map { |event| [event.type, event[:agent]] }
      expect(told).to eq([%i[agent_chunk second], %i[agent_error second]])
    end

    it "is told when it has no name here" do
      answer(stranger: {status: 500})
      stranger = agent(:stranger)
      klass = Class.new(EmitterClasses::Plain) { define_method(:start_workflow) { |message| stranger.run(message) } }
      emitter = klass.new
      events = record(emitter.event_bus)
      expect { emitter.start_workflow("Hi") }.to raise_error(RAAF::Errors::ServerError)
      expect(noted(events).map { |event| [event.type, event[:agent]] }).to eq([[:agent_error, "stranger"]])
    end

    it "is not told outside of a workflow, nor after one that has failed" do
      answer(a: {status: 500}, b: {status: 500})
      expect { emitter.start_workflow("Hi") }.to raise_error(RAAF::Errors::ServerError)
      errors_told
      expect { emitter.ask(:a) }.to raise_error(RAAF::Errors::ServerError)
      expect { agent(:b).run("Hi") }.to raise_error(RAAF::Errors::ServerError)
      expect(errors_told).to eq([])
    end

    it "raises its own error where it cannot be told" do
      answer(a: {status: 500})
      without_log do |log|
        klass = Class.new(EmitterClasses::Plain) { define_method(:start_workflow) { |_| agents[:a].run("Hi") } }
        emitter = klass.new(agents(:a))
        emitter.event_bus.close
        expect { emitter.start_workflow("Hi") }.to raise_error(RAAF::Errors::ServerError)
        expect(log.string).to include("that an agent failed could not be told")
      end
    end

    it "is told by a subclass that has a start_workflow of its own, once" do
      answer(a: {status: 500})
      klass = Class.new(EmitterClasses::Workflow) { def start_workflow(message) = super }
      emitter = klass.new(agents(:a))
      events = record(emitter.event_bus)
      expect { emitter.start_workflow("Hi") }.to raise_error(RAAF::Errors::ServerError)
      expect(failures(events).size).to eq(1)
    end
  end

  it "leaves a class without start_workflow as it is" do
    expect { EmitterClasses::Plain.new.start_workflow("Hi") }.to raise_error(NoMethodError, /start_workflow/)
  end

  describe "threads of a workflow" do
    it "end without raising again what has been told" do
      answer(a: {deltas: ["One."]}, b: {status: 500})
      emitter = EmitterClasses::Threaded.new(agents(:a, :b))
      events = record(emitter.event_bus)
      expect(emitter.start_workflow("Hi")).to eq(["One.", nil])
      expect(failures(events).size).to eq(1)
    end

    it "leave an error to whoever rescues it there" do
      answer(a: {deltas: ["One."]}, b: {status: 500})
      expect(EmitterClasses::Careful.new(agents(:a, :b)).start_workflow("Hi")).to eq(["One.", "rescued 500"])
    end

    it "raise everything else" do
      emitter = EmitterClasses::Broken.new(agents(:a))
      quiet = ->(one) { one.threads.each { |thread| thread.report_on_exception = false } }
      expect { emitter.start_workflow("Hi", &quiet) }.to raise_error(KeyError, "no a")
    end

    it "raise an agent's failure outside of a workflow, as any thread does" do
      answer(a: {status: 500})
      emitter = EmitterClasses::Threaded.new(agents(:a))
      thread = emitter.instance_eval { Thread.new { ask(:a) } }
      thread.report_on_exception = false
      expect { thread.value }.to raise_error(RAAF::Errors::ServerError)
    end

    {"by an exception" => ->(thread) { thread.raise(Interrupt) },
     "by Thread#kill" => :kill.to_proc}.each do |how, leave|
      it "are ended with their requests where the workflow is left early, #{how}" do
        answer(a: silence_after("One"), b: silence_after("Two"))
        emitter = EmitterClasses::Threaded.new(agents(:a, :b))
        caller = Thread.new { emitter.start_workflow("Hi") }
        caller.report_on_exception = false
        server.wait_for_request(2, timeout: LifecycleHelpers::PATIENCE)
        until_asleep(caller)

        leave.call(caller)

        emitter.threads.each { |thread| expect(thread.join(LifecycleHelpers::PATIENCE)).to eq(thread) }
        server.requests.each { |request| server.wait_for_close(request, timeout: LifecycleHelpers::PATIENCE) }
      end
    end
  end

  it "tells each of two nested workflows what is its own" do
    answer(a: {status: 500}, b: {status: 500})
    inner = EmitterClasses::Workflow.new(agents(:a))
    klass = Class.new(EmitterClasses::Plain) do
      define_method(:start_workflow) do |message|
        begin
          inner.start_workflow(message)
        rescue RAAF::Errors::ServerError
          nil
        end
        ask(:b)
      end
    end
    outer = klass.new(agents(:b))
    told = [inner, outer].map { |emitter| record(emitter.event_bus) }
    expect { outer.start_workflow("Hi") }.to raise_error(RAAF::Errors::ServerError)
    expect(told.map { |events| failures(events).map { |event| event[:agent] } }).to eq([[:a], [:b]])
  end

  describe "beside raaf-core's class of that name" do
    include MadeUpCore

    let(:lib) { File.join(MadeUpCore::ROOT, "lib") }
    let(:theirs) do
      "module RAAF; module Streaming; class EventEmitter; def initialize(max: 1) = @max = max; attr_reader :max; " \
        "end; end; end"
    end

    it "can be included, and still makes theirs, where that came first" do
      report = run_ruby(<<~RUBY, load_path: [lib], requires: ["json"])
        #{theirs}
        first = RAAF::Streaming::EventEmitter.new
        require "raaf-streaming"
        class Mine; include RAAF::Streaming::EventEmitter; end
        mine = Mine.new
        heard = []
        mine.event_bus.on(:x, delivery: :inline) { |event| heard << event[:y] }
        mine.emit_event(:x, y: 1)
        made = RAAF::Streaming::EventEmitter.new(max: 5)
        puts JSON.generate(heard: heard, max: made.max, same: made.instance_of?(first.class),
          case: [first, made, mine, 1].map { |object| RAAF::Streaming::EventEmitter === object })
      RUBY
      expect(report).to eq("heard" => [1], "max" => 5, "same" => true, "case" => [true, true, true, false])
    end

    it "says what to do where theirs comes later" do
      report = run_ruby(<<~RUBY, load_path: [lib], requires: %w[json raaf-streaming])
        made = begin; RAAF::Streaming::EventEmitter.new; rescue NoMethodError => e; e.message; end
        defined = begin; eval(#{theirs.inspect}); rescue TypeError => e; e.message; end
        puts JSON.generate(made: made, defined: defined)
      RUBY
      expect(report["made"]).to include("required before raaf-streaming")
      expect(report["defined"]).to include("EventEmitter is not a class")
    end
  end
end
