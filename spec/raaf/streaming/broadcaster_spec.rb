# frozen_string_literal: true

RSpec.describe RAAF::Streaming::Broadcaster do
  include GuideServices

  around { |example| RAAF::Testing::ModelServer.start { |server| (@server = server) && example.run } }

  it "tells nobody where Action Cable is not loaded" do
    expect(described_class.call("a", {b: 1})).to be(false)
  end

  it "says when, in UTC" do
    expect(described_class.timestamp).to match(/\A\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\z/)
  end

  it "has id and name in place of a record of a database, wherever that stands" do
    stub_const("ActiveRecord::Base", Struct.new(:id, :name, :password_digest))
    user = ActiveRecord::Base.new(1, "Ann", "s3cret")
    nameless = Class.new(ActiveRecord::Base) { undef_method :name }.new(2)
    frame = {type: "told", user: user, data: {users: [user, nameless], count: 2}}

    expect(described_class.without_records(frame)).to eq(
      type: "told", user: {id: 1, name: "Ann"}, data: {users: [{id: 1, name: "Ann"}, {id: 2}], count: 2}
    )
  end

  describe "where Action Cable is loaded" do
    it "is how an orchestrator tells what happens" do
      @server.script(deltas: %w[One .])
      report = run_with_cable(@server, <<~RUBY)
        listener = Listener.new("orchestrator_42")
        work = RAAF::Streaming::Orchestrator.new(session_id: 42).add_agent(:a, agent(:a))
        work.run("Hi")
        report(frames: listener.frames(6).sort_by { |frame| frame["seq"] })
      RUBY
      told = report[:frames].map { |frame| frame.values_at(:seq, :type, :content, :final_result).compact }
      expect(told).to eq([[1, "workflow_started"], [2, "agent_starting"], [3, "agent_response", "One"],
        [4, "agent_response", "."], [5, "agent_complete"], [6, "workflow_complete", "One."]])
    end

    it "is how a session tells what happens, with no more of a user than the name" do
      @server.script(deltas: %w[One .])
      report = run_with_cable(@server, <<~RUBY)
        User = Struct.new(:id, :name, :password_digest)
        listener = Listener.new("collaboration_7_1")
        session = RAAF::Streaming::CollaborativeSession.new(session_id: 7, agent: agent(:host))
        session.add_participant(User.new(1, "Ann", "s3cret")).submit({id: 1}, "Hi").wait
        report(frames: listener.frames(6).sort_by { |frame| frame["seq"] })
      RUBY
      expect(report[:frames].map { |frame| frame[:event] || frame[:content] })
        .to eq(["participant_joined", "message_queued", "answer_started", "One", ".", ""])
      expect(report[:frames].first[:data]).to eq(user: {id: 1, name: "Ann"})
      expect(JSON.generate(report[:frames])).not_to include("s3cret")
    end
  end
end
