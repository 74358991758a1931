# frozen_string_literal: true

# The guide's AgentOrchestrator, as it stands there, with the real Action Cable.
RSpec.describe "The guide's AgentOrchestrator" do
  include GuideServices

  before { skip "no guide at ../shared/guide.md" unless File.file?(GuideServices::GUIDE) }

  around { |example| RAAF::Testing::ModelServer.start { |server| (@server = server) && example.run } }

  let(:heading) { "### Agent Orchestrator" }

  # Runs a workflow of these agents.
  # @return [Hash{Symbol=>Object}] :events in order, :frames in any, :error (a class's name), :log
  def orchestrate(type, agents, frames:, setup: "")
    run_guide(@server, heading, <<~RUBY)
      listener = Listener.new("orchestrator_42")
      #{setup}
      orchestrator = AgentOrchestrator.new(session_id: "42")
      recorder = Recorder.new(orchestrator.event_bus)
      #{agents.inspect}.each { |name| orchestrator.add_agent(name, agent(name)) }
      error = failure { orchestrator.start_workflow("Whales", workflow_type: #{type.inspect}) }
      orchestrator.event_bus.drain(20)
      report(events: recorder.events, frames: listener.frames(#{frames}), error: error, log: LOG.string,
        threads: Thread.list.count { |thread| thread.class != ::Thread })
    RUBY
  end

  # The events, short: [type, agent, what matters].
  def told(report)
    report[:events].map do |type, payload|
      [type.to_sym, payload[:agent]&.to_sym, payload[:chunk] || payload[:result] || payload[:error]].compact
    end
  end

  # What one agent's run tells: pieces of its answer, and its end.
  def run_of(name, *pieces, **ending)
    words = pieces.flat_map { |piece| %i[agent_chunk agent_response].map { |type| [type, name, ["content", piece]] } }
    return words + [[:agent_chunk, name, ["complete", ""]], [:agent_complete, name, pieces.join]] unless ending[:error]

    words + [[:agent_chunk, name, ["error", ending[:message]]], [:agent_error, name, ending[:error]]]
  end

  def frames(report, type)
    report[:frames].select { |frame| frame[:type] == type }
  end

  def contents(report, name)
    frames(report, "agent_response").select { |frame| frame[:agent] == name }.map { |frame| frame[:content] }
  end

  # The message of the error chunk, which is the provider's matter.
  def message(report)
    report[:events].map { |_, payload| payload[:chunk] }.compact.assoc("error")&.last
  end

  def payload(report, type)
    report[:events].assoc(type.to_s).last
  end

  let(:answers) do
    {"the researcher" => {deltas: ["Whales ", "sing."]}, "the writer" => {deltas: ["A song ", "of whales."]},
     "the critic" => {deltas: ["Too ", "short."]}}
  end

  it "is in the guide as this spec expects it" do
    expect(GuideServices.code(heading)).to start_with("# app/services/agent_orchestrator.rb\nclass AgentOrchestrator\n")
      .and include("run_pipeline_workflow(initial_message)").and include("synthesizer.run(synthesis_prompt)")
  end

  describe "one after another" do
    it "hands each agent's words to the next one, and tells all of it" do
      answer(@server, answers)

      report = orchestrate(:sequential, %i[researcher writer], frames: 5)

      expect(told(report)).to eq([
        [:agent_added, :researcher], [:agent_added, :writer], [:workflow_started],
        [:agent_starting, :researcher], *run_of(:researcher, "Whales ", "sing."),
        [:agent_starting, :writer], *run_of(:writer, "A song ", "of whales."), [:workflow_complete]
      ])
      expect(payload(report, :workflow_started)).to eq(message: "Whales", type: "sequential", session: "42")
      expect(payload(report, :workflow_complete)).to eq(final_result: "A song of whales.", session: "42")
      expect(payload(report, :agent_response)).to include(session: "42")
      expect(asked(@server, "the researcher")).to eq([[%w[user Whales]]])
      expect(asked(@server, "the writer")).to eq([[["user", "Whales sing."]]])
      expect(report[:error]).to be_nil
    end

    it "broadcasts every piece and the end" do
      answer(@server, answers)

      report = orchestrate(:sequential, %i[researcher writer], frames: 5)

      expect(report[:frames].map { |frame| frame[:type] }.tally).to eq("agent_response" => 4, "workflow_complete" => 1)
      expect(contents(report, "researcher")).to contain_exactly("Whales ", "sing.")
      expect(contents(report, "writer")).to contain_exactly("A song ", "of whales.")
      expect(frames(report, "workflow_complete")).to match([include(final_result: "A song of whales.")])
      expect(report[:frames].map { |frame| Time.iso8601(frame[:timestamp]) }).to all(be_within(600).of(Time.now))
    end

    GuideServices::FAILURES.each do |what, (script, error)|
      it "stops at #{what}, tells it, and raises its error" do
        answer(@server, answers.merge("the writer" => script))
        pieces = (script[:fault] ? ["Half"] : [])

        report = orchestrate(:sequential, %i[researcher writer critic], frames: 3 + pieces.size)

        expect(told(report).drop(4)).to eq([
          [:agent_starting, :researcher], *run_of(:researcher, "Whales ", "sing."), [:agent_starting, :writer],
          *run_of(:writer, *pieces, error: error, message: message(report))
        ])
        expect(payload(report, :agent_error)).to eq(agent: "writer", error: error, session: "42")
        expect(report[:error]).to eq(error)
        expect(asked(@server, "the critic")).to eq([])
        expect(contents(report, "writer")).to eq(pieces)
        expect(frames(report, "agent_error")).to match([include(agent: "writer", error: message(report))])
        expect(report[:log]).to include("the agent writer failed: #{message(report)}")
      end
    end
  end

  describe "in a pipeline" do
    it "hands the whole conversation on" do
      answer(@server, answers)

      report = orchestrate(:pipeline, %i[researcher writer critic], frames: 7)

      expect(told(report).drop(4)).to eq([
        [:agent_starting, :researcher], *run_of(:researcher, "Whales ", "sing."),
        [:agent_starting, :writer], *run_of(:writer, "A song ", "of whales."),
        [:agent_starting, :critic], *run_of(:critic, "Too ", "short."), [:workflow_complete]
      ])
      go_on = ["user", RAAF::Streaming::Synthesis::GO_ON]
      expect(asked(@server, "the critic")).to eq([
        [%w[user Whales], ["assistant", "Whales sing."], go_on, ["assistant", "A song of whales."], go_on]
      ])
      expect(payload(report, :workflow_complete)).to eq(final_result: "Too short.", session: "42")
      expect(frames(report, "workflow_complete")).to match([include(final_result: "Too short.")])
      expect(frames(report, "agent_response").size).to eq(6)
    end

    GuideServices::FAILURES.each do |what, (script, error)|
      it "stops at #{what}, tells it, and raises its error" do
        answer(@server, answers.merge("the writer" => script))
        pieces = (script[:fault] ? ["Half"] : [])

        report = orchestrate(:pipeline, %i[researcher writer critic], frames: 3 + pieces.size)

        expect(told(report).last).to eq([:agent_error, :writer, error])
        expect(report[:error]).to eq(error)
        expect(asked(@server, "the critic")).to eq([])
        expect(contents(report, "researcher")).to contain_exactly("Whales ", "sing.")
        expect(frames(report, "agent_error")).to match([include(agent: "writer", error: message(report))])
      end
    end
  end

  describe "all at once" do
    let(:synthesis) { {"Several agents have worked" => {deltas: ["All ", "in all."]}} }

    def answers_put_together
      asked(@server, "Several agents have worked").first.last.last
    end

    it "asks all of them the same, and has one answer made of theirs" do
      answer(@server, answers.merge(synthesis))

      report = orchestrate(:parallel, %i[researcher writer], frames: 5)

      events = told(report)
      expect(events.select { |event| event[1] == :researcher }.drop(1)).to eq(run_of(:researcher, "Whales ", "sing."))
      expect(events.select { |event| event[1] == :writer }.drop(1)).to eq(run_of(:writer, "A song ", "of whales."))
      expect(events.last).to eq([:workflow_complete])
      expect(payload(report, :workflow_complete)).to eq(
        final_result: "All in all.", session: "42",
        agent_results: {researcher: "Whales sing.", writer: "A song of whales."}
      )
      expect(asked(@server, "the researcher") + asked(@server, "the writer")).to eq([[%w[user Whales]]] * 2)
      expect(answers_put_together).to include("Whales").and include("researcher").and include("Whales sing.")
        .and include("writer").and include("A song of whales.")
      expect(contents(report, "researcher")).to contain_exactly("Whales ", "sing.")
      expect(frames(report, "workflow_complete")).to match([include(final_result: "All in all.")])
    end

    GuideServices::FAILURES.each do |what, (script, error)|
      it "goes on with the answers of the others after #{what}" do
        answer(@server, answers.merge(synthesis).merge("the writer" => script))
        pieces = (script[:fault] ? ["Half"] : [])

        report = orchestrate(:parallel, %i[researcher writer critic], frames: 6 + pieces.size)

        expect(report[:error]).to be_nil
        expect(payload(report, :agent_error)).to eq(agent: "writer", error: error, session: "42")
        expect(payload(report, :workflow_complete)).to eq(
          final_result: "All in all.", session: "42",
          agent_results: {researcher: "Whales sing.", critic: "Too short."}
        )
        expect(answers_put_together).to include("Whales sing.").and include("Too short.").and not_include("writer")
        expect(frames(report, "agent_error")).to match([include(agent: "writer", error: message(report))])
        expect(report[:threads]).to eq(0)
      end
    end

    it "goes on after an agent that could not even be asked" do
      answer(@server, answers.merge(synthesis))
      setup = <<~'RUBY'
        ENV.delete("ANTHROPIC_API_KEY")
        def agent(name)
          model = (name == :writer) ? "claude-sonnet-4-5" : "gpt-4o"
          RAAF::Agent.new(name: name.to_s, instructions: "You are the #{name}.", model: model)
        end
      RUBY

      report = orchestrate(:parallel, %i[researcher writer], frames: 4, setup: setup)

      expect(payload(report, :agent_error)).to include(agent: "writer", error: "RAAF::Errors::ConfigurationError")
      expect(payload(report, :workflow_complete)).to include(agent_results: {researcher: "Whales sing."})
      expect(report[:error]).to be_nil
    end

    it "raises the first error where no agent has answered" do
      answer(@server, "the researcher" => {status: 401}, "the writer" => {status: 401})

      report = orchestrate(:parallel, %i[researcher writer], frames: 2)

      expect(told(report).count { |type, _| type == :agent_error }).to eq(2)
      expect(report[:error]).to eq("RAAF::Errors::AuthenticationError")
      expect(frames(report, "agent_error").map { |frame| frame[:agent] }).to contain_exactly("researcher", "writer")
      expect(asked(@server, "Several agents have worked")).to eq([])
    end

    it "asks the class's own synthesizer, and tells that it has failed" do
      answer(@server, answers.merge("the synthesizer" => {status: 500}))

      report = orchestrate(:parallel, %i[researcher synthesizer], frames: 3)

      # The guide's code asks it with the others, too.
      expect(told(report).count { |type, name| type == :agent_error && name == :synthesizer }).to eq(2)
      expect(report[:error]).to eq("RAAF::Errors::ServerError")
      expect(asked(@server, "the synthesizer").map(&:last).map(&:last)).to match(["Whales", include("Whales sing.")])
    end
  end
end
