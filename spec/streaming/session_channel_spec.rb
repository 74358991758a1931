# frozen_string_literal: true

# The channel that is shipped for sessions of several users, with the real Action Cable and WebSockets.
RSpec.describe "RAAF::Streaming::SessionChannel" do
  include Crowd

  around { |example| RAAF::Testing::ModelServer.start { |server| (@server = server) && example.run } }

  # Every frame of a stream once, to the last one.
  def whole_and_once(stamps)
    stamps.group_by { |stamp| stamp[:stream_id] }.values.map do |of_stream|
      numbers = of_stream.map { |stamp| stamp[:seq] }
      numbers.sort == (1..numbers.max).to_a && of_stream.count { |stamp| stamp[:terminal] } == 1
    end
  end

  it "shows the guide's collaboration to both tabs of each participant, each answer once, and to nobody else" do
    skip "no guide at ../shared/guide.md" unless File.file?(GuideServices::GUIDE)
    @server.script(deltas: %w[Hello\  Ann , \ and\  all.])
    @server.script(deltas: %w[Hello\  Bob.])
    report = run_with_browsers(@server, <<~RUBY, guide: "### Multi-user Agent Sessions")
      CollaborativeAgentService.prepend(RAAF::Streaming::KeepsMembers)
      ann, bob = User.new(1, "Ann"), User.new(2, "Bob")
      service = CollaborativeAgentService.new(session_id: "7")
      service.add_participant(ann)
      service.add_participant(bob)
      tabs = [1, 1, 2, 2].map { |user| tab(user) }
      subscribed = tabs.map { |one| one.subscribe(session_id: "7", kind: "collaboration") }
      stranger = tab(3).subscribe(session_id: "7", kind: "collaboration")

      service.submit_message(ann, "Hi")
      service.submit_message(bob, "Hi too")
      streams = tabs.map { |one| one.wait_for_frames(9, type: "agent_chunk") }
      report(subscribed: subscribed, stranger: stranger,
        texts: streams.map { |frames| frames.group_by { |frame| frame[:original_user] }.transform_values { |of| text(of) } },
        stamps: streams.map { |frames| frames.map { |frame| frame[:raaf] } })
    RUBY

    expect(report[:subscribed]).to eq(["confirm_subscription"] * 4)
    expect(report[:stranger]).to eq("reject_subscription")
    expect(report[:texts]).to eq([{Ann: "Hello Ann, and all.", Bob: "Hello Bob."}] * 4)
    expect(report[:stamps].map { |stamps| whole_and_once(stamps) }).to eq([[true, true]] * 4)
  end

  it "shows a CollaborativeSession to those who take part, and nothing further to one who leaves" do
    @server.script(deltas: %w[One .])
    @server.script(deltas: %w[Two .])
    report = run_with_browsers(@server, <<~RUBY)
      session = RAAF::Streaming::CollaborativeSession.new(session_id: 7, agent: agent(:host))
      session.add_participant(User.new(1, "Ann")).add_participant(User.new(2, "Bob"))
      anns, bobs = [1, 2].map { |user| Array.new(2) { tab(user) } }
      [*anns, *bobs].each { |one| one.subscribe(session_id: 7) }
      session.submit({id: 1}, "Hi").wait
      [*anns, *bobs].each { |one| one.wait_for(chunk_type: "complete", cumulative: "One.") }

      session.remove_participant({id: 2})
      rejected = bobs.map { |one| one.wait { |message| message[:type] == "reject_subscription" }[:type] }
      session.submit({id: 1}, "More").wait
      # Also what is sent to all, and to those who are gone.
      %w[collaboration_7_2 collaboration_7].each { |place| ActionCable.server.broadcast(place, {type: "late"}) }
      anns.each { |one| one.wait_for(chunk_type: "complete", cumulative: "Two.") }
      anns.each { |one| one.wait_for(type: "late") }
      again = tab(2).subscribe(session_id: 7)
      report(rejected: rejected, again: again, bobs: bobs.map { |one| one.frames.map { |frame| frame[:cumulative] || frame[:type] } })
    RUBY

    expect(report[:rejected]).to eq(["reject_subscription"] * 2)
    expect(report[:again]).to eq("reject_subscription")
    expect(report[:bobs].map { |frames| frames & %w[One. Two. late] }).to eq([["One."]] * 2)
  end

  it "shows the guide's orchestrator to members, with the numbers of each agent's stream" do
    skip "no guide at ../shared/guide.md" unless File.file?(GuideServices::GUIDE)
    @server.script(deltas: %w[Whales \ are \ big.])
    @server.script(deltas: %w[Very \ big.])
    report = run_with_browsers(@server, <<~RUBY, guide: "### Agent Orchestrator")
      RAAF::Streaming::Memberships.current.join("7", 1)
      member = tab(1)
      subscribed = [member, tab(2)].map { |one| one.subscribe(session_id: "7", kind: "orchestrator") }
      work = AgentOrchestrator.new(session_id: "7")
      work.add_agent(:researcher, agent(:researcher))
      work.add_agent(:writer, agent(:writer))
      work.start_workflow("Whales")
      member.wait_for(type: "workflow_complete")
      frames = member.wait_for_frames(5, type: "agent_response")
      report(subscribed: subscribed, stamps: frames.map { |frame| frame[:raaf] },
        texts: frames.group_by { |frame| frame[:agent] }.transform_values { |of| text(of) })
    RUBY

    expect(report[:subscribed]).to eq(%w[confirm_subscription reject_subscription])
    expect(report[:texts]).to eq(researcher: "Whales are big.", writer: "Very big.")
    numbers = report[:stamps].group_by { |stamp| stamp[:stream_id] }.values
    expect(numbers.map { |of_stream| of_stream.map { |stamp| stamp[:seq] }.sort }).to contain_exactly([1, 2, 3], [1, 2])
  end

  it "asks again at each action whether the user is a member" do
    report = run_with_browsers(@server, <<~RUBY)
      class RoomChannel < RAAF::Streaming::SessionChannel
        def say(data)
          ActionCable.server.broadcast("orchestrator_7", {type: "said", words: data["words"], by: current_user.id})
        end
      end
      memberships = RAAF::Streaming::Memberships.current
      [1, 2].each { |user| memberships.join("7", user) }
      ann, bob = tab(1), tab(2)
      [ann, bob].each { |one| one.subscribe(channel: "RoomChannel", session_id: "7", kind: "orchestrator") }
      ann.perform("say", words: "one")
      bob.wait_for(words: "one")
      memberships.send(:remove, "7", "1") # as another process does whose word does not get through
      ann.perform("say", words: "two")
      rejected = ann.wait { |message| message[:type] == "reject_subscription" }[:type]
      bob.perform("say", words: "three")
      bob.wait_for(words: "three")
      report(rejected: rejected, heard: bob.frames.map { |frame| frame[:words] })
    RUBY

    expect(report).to eq(rejected: "reject_subscription", heard: %w[one three])
  end

  it "rejects somebody once, who has not been let in before" do
    report = run_with_browsers(@server, <<~RUBY)
      class RoomChannel < RAAF::Streaming::SessionChannel
        CALLS = []
        def subscribed = super.tap { CALLS << :subscribed }
        def unsubscribed = CALLS << :unsubscribed
      end
      stranger = tab(2)
      answer = stranger.subscribe(channel: "RoomChannel", session_id: "7")
      report(answer: answer, calls: RoomChannel::CALLS, frames: stranger.frames)
    RUBY

    expect(report).to eq(answer: "reject_subscription", calls: %w[subscribed unsubscribed], frames: [])
  end

  it "lets browsers call the application's actions only, and none of its own methods" do
    report = run_with_browsers(@server, <<~RUBY)
      class RoomChannel < RAAF::Streaming::SessionChannel
        def say(data) = nil
      end
      own = %w[raaf_redirect raaf_resume raaf_stop]
      actions = [RAAF::Streaming::SessionChannel, RoomChannel].map { |type| type.action_methods.to_a - own }
      RAAF::Streaming::Memberships.current.join("7", 1)
      ann = tab(1)
      ann.subscribe(session_id: "7")
      id = "00000000-0000-4000-8000-000000000000"
      ann.perform("perform_action", raaf: {request_id: id})
      report(actions: actions, refused: ann.wait_for(type: "raaf_refused", request_id: id)[:reason])
    RUBY

    expect(report).to eq(actions: [[], ["say"]], refused: "invalid")
  end

  it "gives members what they have missed, and nobody who has left" do
    @server.script(deltas: %w[One .])
    report = run_with_browsers(@server, <<~RUBY)
      RAAF::Streaming.configure { |config| config.replay_store = RAAF::Streaming::ReplayStore::MemoryStore.new }
      session = RAAF::Streaming::CollaborativeSession.new(session_id: 7, agent: agent(:host))
      session.add_participant(User.new(1, "Ann")).add_participant(User.new(2, "Bob"))
      session.submit({id: 1}, "Hi").wait
      ann, bob = [1, 2].map { |user| tab(user).tap { |one| one.subscribe(session_id: 7) } }
      [ann, bob].each { |one| one.perform("raaf_resume", streams: {}, recent: true) }
      resumed = [ann, bob].map do |one|
        one.wait_for(type: "raaf_resumed")
        one.frames.map { |frame| frame[:content] }.join
      end

      RAAF::Streaming::Memberships.current.send(:remove, "7", "2") # by another process, unheard of
      id = "00000000-0000-4000-8000-000000000000"
      bob.perform("raaf_resume", streams: {}, recent: true, raaf: {request_id: id})
      refused = bob.wait_for(type: "raaf_refused", request_id: id)[:reason]
      bob.wait { |message| message[:type] == "reject_subscription" }
      report(resumed: resumed, refused: refused, again: bob.frames.size)
    RUBY

    expect(report).to eq(resumed: ["One.", "One."], refused: "forbidden", again: 3)
  end

  it "rejects what names no session or no kind of session, and everybody where the store fails" do
    report = run_with_browsers(@server, <<~RUBY)
      RAAF::Streaming::Memberships.current.join("7", 1)
      wrong = [{}, {session_id: nil}, {session_id: ""}, {session_id: {a: 1}}, {session_id: "8"},
        {session_id: "7", kind: "other"}, {session_id: "7", kind: {a: 1}}]
      rejected = wrong.map { |params| tab(1).subscribe(**params) }

      one = tab(1)
      confirmed = one.subscribe(session_id: "7")
      broken = Class.new(RAAF::Streaming::Memberships::MemoryStore) do
        def member?(*) = raise(RAAF::Errors::StoreUnavailableError, "away")
      end
      RAAF::Streaming.configure { |config| config.memberships = broken.new }
      late = tab(1).subscribe(session_id: "7")
      report(rejected: rejected.uniq, confirmed: confirmed, late: late)
    RUBY

    expect(report).to eq(rejected: ["reject_subscription"], confirmed: "confirm_subscription",
      late: "reject_subscription")
  end
end
