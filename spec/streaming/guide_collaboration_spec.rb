# frozen_string_literal: true

# The guide's CollaborativeAgentService, as it stands there, with the real Action Cable.
RSpec.describe "The guide's CollaborativeAgentService" do
  include GuideServices

  before { skip "no guide at ../shared/guide.md" unless File.file?(GuideServices::GUIDE) }

  around { |example| RAAF::Testing::ModelServer.start { |server| (@server = server) && example.run } }

  let(:heading) { "### Multi-user Agent Sessions" }

  # Ann and Bob take part; each has a listener of their own.
  # @return [Hash{Symbol=>Object}] what the script reports
  def collaborate(script)
    run_guide(@server, heading, <<~RUBY)
      User = Struct.new(:id, :name) { def as_json(*) = {id: id, name: name} }
      ann, bob = User.new(1, "Ann"), User.new(2, "Bob")
      listeners = [ann, bob].to_h { |user| [user.name, Listener.new("collaboration_7_\#{user.id}")] }
      service = CollaborativeAgentService.new(session_id: "7")
      #{script}
    RUBY
  end

  def events(frames)
    frames.select { |frame| frame[:type] == "session_event" }
  end

  def words(frames)
    frames.select { |frame| frame[:chunk_type] == "content" }
  end

  it "is in the guide as this spec expects it" do
    expect(GuideServices.code(heading)).to include("class CollaborativeAgentService")
      .and include("speaker: item[:user].name")
  end

  it "answers everybody in front of everybody, and tells the model who speaks" do
    @server.script(deltas: ["Hello ", "Ann."])
    @server.script(deltas: ["Hello Bob."])

    report = collaborate(<<~RUBY)
      service.add_participant(ann)
      service.add_participant(bob)
      service.submit_message(ann, "Hi")
      service.submit_message(bob, "Hi too")
      report(ann: listeners["Ann"].frames(9), bob: listeners["Bob"].frames(8))
    RUBY

    expect(report[:ann].size).to eq(9)
    expect(report[:bob].size).to eq(8)
    expect(events(report[:ann]).map { |frame| [frame[:event], frame[:data][:user]] }).to contain_exactly(
      ["participant_joined", {id: 1, name: "Ann"}], ["participant_joined", {id: 2, name: "Bob"}],
      ["message_queued", {id: 1, name: "Ann"}], ["message_queued", {id: 2, name: "Bob"}]
    )
    report.each_value do |frames|
      expect(words(frames).map { |frame| frame.slice(:content, :original_user, :session_id) }).to contain_exactly(
        {content: "Hello ", original_user: "Ann", session_id: "7"},
        {content: "Ann.", original_user: "Ann", session_id: "7"},
        {content: "Hello Bob.", original_user: "Bob", session_id: "7"}
      )
      expect(frames.count { |frame| frame[:chunk_type] == "complete" }).to eq(2)
    end
    asked = @server.requests.map { |request| request.json[:messages] }
    expect(asked.map { |messages| messages.last[:content] }).to eq(["Ann: Hi", "Bob: Hi too"])
    expect(asked.first.first[:content]).to include("You are facilitating").and include("- speaker: Ann")
      .and include("- participant_count: 2").and include('- other_participants: ["Bob"]')
      .and include("- collaborative_session: 7")
  end

  it "answers what is said meanwhile by another thread" do
    released = Queue.new
    @server.script do |_, response|
      response.start(200, "content-type" => "text/event-stream")
      response.event({choices: [{index: 0, delta: {content: "First."}}]})
      released.pop
      response.event({choices: [{index: 0, delta: {}, finish_reason: "stop"}]})
      response.write("data: [DONE]\n\n")
    end
    @server.script { |_, _| released << true } # for what the script asks itself
    @server.script(deltas: ["Second."])

    report = collaborate(<<~RUBY)
      service.add_participant(bob)
      first = Thread.new { service.submit_message(ann, "One") }
      sleep 0.005 until service.instance_variable_get(:@processing)
      service.submit_message(bob, "Two") # returns at once: the other thread answers it
      require "net/http"
      Net::HTTP.get(URI(ENV["OPENAI_BASE_URL"] + "/release"))
      first.join
      report(bob: listeners["Bob"].frames(7))
    RUBY

    expect(words(report[:bob]).map { |frame| [frame[:original_user], frame[:content]] })
      .to contain_exactly(%w[Ann First.], %w[Bob Second.])
    asked = @server.requests.filter_map(&:json).map { |json| json[:messages].last[:content] }
    expect(asked).to eq(["Ann: One", "Bob: Two"])
  end

  it "tells who leaves, and sends them nothing more" do
    @server.script(deltas: ["Alone?"])

    report = collaborate(<<~RUBY)
      service.add_participant(ann)
      service.add_participant(bob)
      service.remove_participant(bob)
      service.submit_message(ann, "Anybody?")
      report(ann: listeners["Ann"].frames(6), bob: listeners["Bob"].frames(1))
    RUBY

    expect(events(report[:ann]).map { |frame| frame[:event] })
      .to contain_exactly("participant_joined", "participant_joined", "participant_left", "message_queued")
    expect(report[:bob].map { |frame| frame[:event] }).to eq(["participant_joined"])
  end

  GuideServices::FAILURES.each do |what, (script, error)|
    it "shows #{what} to everybody, and raises its error" do
      @server.script(**script)
      pieces = (script[:fault] ? ["Half"] : [])

      report = collaborate(<<~RUBY)
        service.add_participant(ann)
        service.add_participant(bob)
        error = failure { service.submit_message(ann, "Hi") }
        report(ann: listeners["Ann"].frames(#{4 + pieces.size}), bob: listeners["Bob"].frames(#{3 + pieces.size}), error: error)
      RUBY

      expect(report[:error]).to eq(error)
      report.values_at(:ann, :bob).each do |frames|
        expect(words(frames).map { |frame| frame[:content] }).to eq(pieces)
        shown = frames.select { |frame| frame[:chunk_type] == "error" }
        expect(shown).to match([include(original_user: "Ann", session_id: "7", content: /\S/)])
      end
    end
  end
end
