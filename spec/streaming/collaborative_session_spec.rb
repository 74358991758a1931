# frozen_string_literal: true

RSpec.describe RAAF::Streaming::CollaborativeSession do
  include_context "with agents"

  # A record of an application's: it has more than anybody else may see.
  user = Struct.new(:id, :name, :password_digest) do
    def as_json(*) = to_h

    def to_json(*) = to_h.to_json
  end

  let(:ann) { user.new(1, "Ann", "s3cret") }
  let(:bob) { user.new(2, "Bob", "s3cret") }
  let(:cid) { user.new(3, "Cid", "s3cret") }
  let(:sent) { Queue.new }
  let(:settings) { {} }
  let(:session) do
    described_class.new(session_id: "7", agent: agent(:host), broadcaster: ->(stream, frame) {
      sent << [stream, frame]
    },
      **settings)
  end

  # @return [Array<Hash>] the frames sent so far, each once
  def frames(of = nil)
    got = noted(sent).map(&:last).uniq { |frame| frame[:seq] }
    of ? got.select { |frame| frame[:type] == of } : got
  end

  # An answer that waits for the example.
  # @return [Queue] whatever is put into it lets the answer end
  def held_answer(word)
    Queue.new.tap do |gate|
      server.script do |_, response|
        response.start(200, "content-type" => "text/event-stream")
        response.event({choices: [{index: 0, delta: {content: word}}]})
        gate.pop
        response.event({choices: [{index: 0, delta: {}, finish_reason: "stop"}]})
        response.write("data: [DONE]\n\n")
      end
    end
  end

  def words_asked
    server.requests.map { |request| request.json[:messages].last[:content] }
  end

  describe "what is said" do
    before { session.add_participant(ann).add_participant(bob) }

    it "is answered, and every word of it told" do
      server.script(deltas: ["Hello ", "Ann."])
      message = session.submit(ann, "Hi")

      expect(message.result.final_output).to eq("Hello Ann.")
      expect(message).to have_attributes(status: :complete, finished?: true, error: nil)
      about = {session_id: "7", message_id: message.id}
      expect(frames.map { |frame| frame.except(:timestamp) }).to match([
        {type: "session_event", event: :participant_joined, data: {user: {id: 1, name: "Ann"}}, session_id: "7",
         seq: 1},
        {type: "session_event", event: :participant_joined, data: {user: {id: 2, name: "Bob"}}, session_id: "7",
         seq: 2},
        {type: "session_event", event: :message_queued, session_id: "7", seq: 3,
         data: {user: {id: 1, name: "Ann"}, message: "Hi", message_id: message.id, queue_size: 1}},
        {type: "session_event", event: :answer_started, session_id: "7", seq: 4,
         data: {user: {id: 1, name: "Ann"}, message_id: message.id}},
        {type: "agent_chunk", chunk_type: :content, content: "Hello ", original_user: "Ann", seq: 5,
         stream_id: instance_of(String), **about},
        {type: "agent_chunk", chunk_type: :content, content: "Ann.", original_user: "Ann", seq: 6,
         stream_id: instance_of(String), **about},
        {type: "agent_chunk", chunk_type: :complete, content: "", original_user: "Ann", seq: 7,
         cumulative: "Hello Ann.", stream_id: instance_of(String), **about}
      ])
    end

    it "goes into one conversation, with the name of who says it" do
      server.script(deltas: ["Hello Ann."])
      server.script(deltas: ["Hello Bob."])
      session.submit(ann, "Hi")
      session.submit(bob, "Me too").wait

      system, *said = server.requests.last.json[:messages].map { |one| one[:content] }
      expect(said).to eq(["Ann: Hi", "Hello Ann.", "Bob: Me too"])
      expect(system).to include("- speaker: Bob").and include("- participant_count: 2")
        .and include('- other_participants: ["Ann"]').and include("- collaborative_session: 7")
      expect(session.conversation_store.messages("7").map { |one| one[:content] })
        .to eq(["Hi", "Hello Ann.", "Me too", "Hello Bob."])
    end

    it "may have parts" do
      server.script(deltas: ["Nice."])
      session.submit(ann, [{type: "text", text: "Look"}]).wait
      expect(words_asked).to eq([[{type: "text", text: "Ann: "}, {type: "text", text: "Look"}]])
    end

    it "waits for its turn without a thread, one answer at a time" do
      gate = held_answer("One")
      20.times { server.script(deltas: ["x"]) }
      first = session.submit(ann, "first")
      server.wait_for_request
      threads = Thread.list.size
      others = Array.new(20) { |i| session.submit(bob, "b#{i}") }
      expect(Thread.list.size).to be <= threads
      expect(others.map(&:status).uniq).to eq([:queued])
      expect(session).to have_attributes(queue_size: 20, current: first)
      expect(first.status).to eq(:answering)
      gate << true
      others.last.wait
      expect(words_asked).to eq(["Ann: first", *Array.new(20) { |i| "Bob: b#{i}" }])
      expect(session).to have_attributes(queue_size: 0, current: nil)
    end

    it "is answered in turns: nobody waits behind all that another one says" do
      gate = held_answer("One")
      6.times { server.script(deltas: ["x"]) }
      session.add_participant(cid)
      session.submit(ann, "a0")
      server.wait_for_request
      messages = [[ann, "a1"], [ann, "a2"], [ann, "a3"], [bob, "b1"], [bob, "b2"], [cid, "c1"]]
      waiting = messages.map { |who, words| session.submit(who, words) }
      gate << true
      waiting.each(&:wait)
      expect(words_asked.map { |words| words[/\w+\z/] }).to eq(%w[a0 a1 b1 c1 a2 b2 a3])
    end

    it "is answered once each, whoever says it from whatever thread" do
      server.script(repeat: true, deltas: ["ok"])
      said = Array.new(8) do |i|
        Thread.new { Array.new(5) { |j| session.submit([ann, bob][i % 2], "m#{i}.#{j}") } }
      end.flat_map(&:value)
      said.each(&:wait)
      expect(said.map(&:status).uniq).to eq([:complete])
      expect(words_asked.map { |words| words[/m[\d.]+\z/] }).to match_array(said.map(&:content))
      got = frames
      expect(got.map { |frame| frame[:seq] }.sort).to eq((1..got.size).to_a)
      in_order = got.sort_by { |frame| frame[:seq] }
      answered = in_order.select { |frame| frame[:type] == "agent_chunk" }.map { |frame| frame[:message_id] }
      expect(answered.chunk_while { |a, b| a == b }.to_a.size).to eq(40) # no answer begins within another
    end

    it "can be said in a callback, and by a tool" do
      server.script(deltas: ["One"])
      server.script(deltas: ["Two"])
      second = Queue.new
      stream = RAAF::Streaming::AsyncRunner.new(agent: agent(:other)).stream("Hi")
      stream.on(:complete) { second << session.submit(bob, "from a callback") }
      expect(second.pop.result.final_output).to eq("Two")
    end

    it "can be waited for by a fiber" do
      require "async"
      server.script(repeat: true, deltas: ["ok"])
      got = Sync { |task| Array.new(3) { |i| task.async { session.submit(ann, "m#{i}").result.text } }.map(&:wait) }
      expect(got).to eq(%w[ok ok ok])
    end
  end

  describe "an answer that fails" do
    before { session.add_participant(ann).add_participant(bob) }

    {"a status of 500" => [{status: 500}, RAAF::Errors::ServerError, []],
     "a key that is refused" => [{status: 401}, RAAF::Errors::AuthenticationError, []],
     "an answer that is cut off" => [{deltas: %w[Half an], fault: :cut, after: 2}, RAAF::Errors::TruncatedStreamError,
       ["Half"]]}.each do |what, (script, error, pieces)|
      it "is told after #{what}, and the next message is answered" do
        server.script(**script)
        server.script(deltas: ["Hello Bob."])
        first, second = session.submit(ann, "Hi"), session.submit(bob, "Hi")

        expect { first.result }.to raise_error(error)
        expect(second.result.final_output).to eq("Hello Bob.")
        expect(first).to have_attributes(status: :failed, error: instance_of(error))
        about = frames("agent_chunk").select { |frame| frame[:message_id] == first.id }
        expect(about.map { |frame| [frame[:chunk_type], frame[:content]] })
          .to match([*pieces.map { |piece| [:content, piece] }, [:error, first.error.message]])
        expect(about.last).to include(error: first.error.message, original_user: "Ann")
      end
    end

    it "is told where it could not even be asked for" do
      lost = described_class.new(session_id: "7", agent: RAAF::Agent.new(name: "lost", model: "claude-sonnet-4-5"),
        broadcaster: ->(_, frame) { sent << [nil, frame] }).add_participant(ann)
      messages = with_env("ANTHROPIC_API_KEY" => nil) { Array.new(5) { lost.submit(ann, "Hi") }.each(&:wait) }
      expect(messages.map(&:error)).to all(be_a(RAAF::Errors::ConfigurationError))
      expect(frames("agent_chunk").map { |frame| frame[:chunk_type] }).to eq([:error] * 5)
    end

    context "with a time limit" do
      let(:settings) { {answer_timeout: AgentServer::A_WHILE} }

      it "is over when its time is" do
        server.script(**silence_after("One"))
        server.script(deltas: ["Two"])
        first, second = session.submit(ann, "Hi"), session.submit(bob, "Hi")
        expect { first.result }.to raise_error(RAAF::Errors::TimeoutError) { |e| expect(e.partial_text).to eq("One") }
        expect(second.result.text).to eq("Two")
      end
    end
  end

  describe "taking back" do
    before { session.add_participant(ann).add_participant(bob) }

    it "ends the current answer at once, and goes on with the next" do
      server.script(**silence_after("One"))
      server.script(deltas: ["Two"])
      first, second = session.submit(ann, "Hi"), session.submit(bob, "Hi")
      request = server.wait_for_request
      expect(session.cancel_current).to be(true)
      expect(second.result.text).to eq("Two")
      expect(first.wait.status).to eq(:cancelled)
      server.wait_for_close(request, timeout: LifecycleHelpers::PATIENCE)
      expect(frames("agent_chunk").find { |frame| frame[:chunk_type] == :error }).to include(message_id: first.id)
      expect(session.cancel_current).to be(false)
    end

    it "takes a message out of the queue, and tells it" do
      gate = held_answer("One")
      server.script(deltas: ["Three"])
      session.submit(ann, "Hi")
      server.wait_for_request
      second, third = session.submit(bob, "Two"), session.submit(bob, "Three")
      second.cancel.cancel
      expect { second.result }.to raise_error(RAAF::Errors::CancelledError)
      gate << true
      third.wait
      expect(words_asked).to eq(["Ann: Hi", "Bob: Three"])
      cancelled = frames("session_event").select { |frame| frame[:event] == :message_cancelled }
      expect(cancelled.map { |frame| frame[:data] }).to eq([{user: {id: 2, name: "Bob"}, message_id: second.id}])
      expect(third.cancel.status).to eq(:complete)
    end

    it "ends a message that is being answered" do
      server.script(**silence_after("One"))
      message = session.submit(ann, "Hi")
      request = server.wait_for_request
      message.cancel
      expect(message.wait.status).to eq(:cancelled)
      server.wait_for_close(request, timeout: LifecycleHelpers::PATIENCE)
    end

    it "ends all of it by close" do
      server.script(**silence_after("One"))
      first, second = session.submit(ann, "Hi"), session.submit(bob, "Hi")
      request = server.wait_for_request
      session.close
      expect([first, second].map { |message| message.wait.status }).to eq(%i[cancelled cancelled])
      server.wait_for_close(request, timeout: LifecycleHelpers::PATIENCE)
      expect { session.submit(ann, "Hi") }.to raise_error(RAAF::Errors::Error, /closed/)
      expect { session.add_participant(cid) }.to raise_error(RAAF::Errors::Error, /closed/)
      expect(session).to be_closed
      expect(server.requests.size).to eq(1)
    end

    it "ends all of it when streaming is shut down; later messages are answered" do
      server.script(**silence_after("One"))
      server.script(deltas: ["Again"])
      first, second = session.submit(ann, "Hi"), session.submit(bob, "Hi")
      server.wait_for_request
      RAAF::Streaming.shutdown
      expect([first, second].map { |message| message.wait.error }).to all(have_attributes(reason: :shutdown))
      expect(session.submit(bob, "Still there?").result.text).to eq("Again")
    end

    it "answers later messages also where a shutdown cut its callbacks off" do
      hold, held = Queue.new, Queue.new
      gone = described_class.new(session_id: "8", agent: agent(:host), broadcaster: lambda { |_, frame|
        hold.push(true) && held.pop if frame[:content] == "One"
      }).add_participant(ann)
      server.script(deltas: %w[One Two])
      server.script(deltas: ["Again"])
      first = gone.submit(ann, "Hi")
      hold.pop
      cut_off
      expect(gone.submit(ann, "Still there?").result.text).to eq("Again")
      expect(first.status).to eq(:cancelled)
    end
  end

  it "goes on though whoever has submitted a message is interrupted before it is asked" do
    held, hold = Queue.new, Queue.new
    slow = ->(_, frame) { (held << true) && hold.pop if frame[:event] == :answer_started && held.empty? }
    session = described_class.new(session_id: 7, agent: agent(:host), broadcaster: slow).add_participant(ann)
    server.script(deltas: ["Here."])
    submitter = Thread.new { session.submit(ann, "Anybody?") }
    held.pop
    lost = session.current
    held << true # so that it holds nobody else
    submitter.kill.join
    expect(lost.wait.status).to eq(:cancelled)
    expect(session.submit(ann, "Hello?").result.text).to eq("Here.")
  end

  it "has the answer though a shutdown cuts off the last frame of it" do
    held, hold = Queue.new, Queue.new
    slow = ->(_, frame) { (held << true) && hold.pop if frame[:chunk_type] == :complete }
    session = described_class.new(session_id: 7, agent: agent(:host), broadcaster: slow).add_participant(ann)
    server.script(deltas: ["Here."])
    message = session.submit(ann, "Anybody?")
    held.pop
    cut_off
    expect(message.result.text).to eq("Here.")
  end

  context "with a long queue" do
    let(:settings) { {max_queue: 200, max_queue_each: 200} }

    it "brings every message to one end, whatever is said, taken back and cancelled by whom" do
      seed = RSpec.configuration.seed
      server.script(repeat: true) do |request, response|
        script = [{deltas: %w[x y], delay: 0.001}, {status: 500}, {deltas: %w[x y], fault: :cut, after: 2}].sample
        RAAF::Testing::ModelServer::Script.build(**script).play(request, response)
      end
      session.add_participant(ann).add_participant(bob)
      messages = Array.new(6) do |i|
        Thread.new(Random.new(seed + i)) do |random|
          Array.new(15) do
            session.submit([ann, bob].sample(random: random), "Hi").tap do |message|
              message.cancel if random.rand(4).zero?
              session.cancel_current if random.rand(6).zero?
            end
          end
        end
      end.flat_map(&:value)
      messages.each(&:wait)
      expect(session).to have_attributes(queue_size: 0, current: nil)
      got = frames.sort_by { |frame| frame[:seq] }
      expect(got.map { |frame| frame[:seq] }).to eq((1..got.size).to_a)
      last = %i[complete error message_cancelled]
      ends = got.select { |frame| last.include?(frame[:chunk_type] || frame[:event]) }
      expect(ends.map { |frame| frame[:message_id] || frame[:data][:message_id] }).to match_array(messages.map(&:id))
    end
  end

  describe "limits" do
    before { session.add_participant(ann).add_participant(bob) }

    let(:settings) { {max_queue: 3, max_queue_each: 2} }

    it "hold for all that wait, and for each participant" do
      gate = held_answer("One")
      server.script(repeat: true, deltas: ["x"])
      session.submit(ann, "0")
      server.wait_for_request
      2.times { session.submit(ann, "more") }
      expect { session.submit(ann, "too much") }
        .to raise_error(RAAF::Errors::StreamLimitError) { |error| expect(error.limit).to eq(:max_queue_each) }
      last = session.submit(bob, "b")
      expect { session.submit(bob, "too much") }
        .to raise_error(RAAF::Errors::StreamLimitError) { |error| expect(error).to have_attributes(limit: :max_queue, retryable?: true) }
      gate << true
      last.wait
      expect(words_asked).not_to include(/too much/)
    end

    it "are numbers" do
      expect {
        described_class.new(session_id: 1, agent: agent(:a), max_queue: 0)
      }.to raise_error(ArgumentError, /max_queue/)
      expect { described_class.new(session_id: 1, agent: agent(:a), broadcast_to: :all) }
        .to raise_error(ArgumentError, /participants/)
      expect { described_class.new(session_id: 1, agent: "a") }.to raise_error(ArgumentError, /RAAF::Agent/)
    end
  end

  describe "participants" do
    it "are known by id and name alone, whatever they are" do
      session.add_participant(ann).add_participant({"id" => 2, "name" => "Bob"}).add_participant({id: 3})
      expect(session.participants.map(&:to_h)).to eq([{id: 1, name: "Ann"}, {id: 2, name: "Bob"}, {id: 3, name: "3"}])
      expect(JSON.generate(frames)).not_to include("s3cret")
      expect { session.add_participant(Object.new) }.to raise_error(ArgumentError, /id/)
    end

    it "come, change their name, and go, and that is told" do
      session.add_participant(ann).add_participant(bob)
      session.add_participant({id: 1, name: "Anna"})
      session.remove_participant(bob).remove_participant(bob)
      expect(session.participants.map(&:name)).to eq(["Anna"])
      expect(frames.map { |frame| [frame[:event], frame[:data][:user][:name]] })
        .to eq([[:participant_joined, "Ann"], [:participant_joined, "Bob"], [:participant_joined, "Anna"],
          [:participant_left, "Bob"]])
    end

    it "alone may speak" do
      session.add_participant(ann)
      expect { session.submit(bob, "Hi") }.to raise_error(ArgumentError, /takes no part/)
      expect { session.submit(ann, "") }.to raise_error(ArgumentError, /words/)
      expect(server.requests).to eq([])
    end

    it "are the same whether their id is a number, or came as a String" do
      server.script(deltas: ["Hi Ann"])
      session.add_participant(ann)
      expect(session.submit({id: "1"}, "Hi").wait.participant.to_h).to eq({id: 1, name: "Ann"})
      expect(words_asked).to eq(["Ann: Hi"])
      expect(session.remove_participant({"id" => "1"}).participants).to eq([])
    end

    it "who have left get nothing more, and what they said is answered" do
      gate = held_answer("One")
      server.script(deltas: ["Bye Bob"])
      session.add_participant(ann).add_participant(bob)
      session.submit(ann, "Hi")
      server.wait_for_request
      last = session.submit(bob, "Bye")
      noted(sent)
      session.remove_participant(bob)
      gate << true
      expect(last.result.text).to eq("Bye Bob")
      expect(noted(sent).map(&:first).uniq).to eq(["collaboration_7_1"])
    end
  end

  describe "frames" do
    it "go to each participant's stream" do
      server.script(deltas: ["x"])
      session.add_participant(ann).add_participant(bob)
      session.submit(ann, "Hi").wait
      by_stream = noted(sent).group_by(&:first).transform_values { |of| of.map { |_, frame| frame[:seq] } }
      expect(by_stream).to eq("collaboration_7_1" => [1, 2, 3, 4, 5, 6], "collaboration_7_2" => [2, 3, 4, 5, 6])
    end

    it "go to one stream for all, where that is wanted" do
      settings[:broadcast_to] = :session
      server.script(deltas: ["x"])
      session.add_participant(ann).add_participant(bob)
      session.submit(ann, "Hi").wait
      expect(noted(sent).map { |stream, frame| [stream, frame[:seq]] }).to eq((1..6).map { |seq|
        ["collaboration_7", seq]
      })
    end

    it "name the tool that is called" do
      tool = RAAF::Streaming::Tool.new(name: "clock") { "noon" }
      server.script(deltas: [], tool_calls: [{name: "clock", id: "1", arguments: {}}])
      server.script(deltas: ["Noon."])
      with_tool = described_class.new(session_id: 7, agent: agent(:host, tools: [tool]),
        broadcaster: ->(_, frame) { sent << [nil, frame] }).add_participant(ann)
      with_tool.submit(ann, "When?").wait
      expect(frames("agent_chunk").find { |frame| frame[:chunk_type] == :tool_call }).to include(tool_name: "clock")
    end

    it "that cannot be sent are said once, and harm nothing" do
      server.script(deltas: ["x"])
      without_log do |log|
        mute = described_class.new(session_id: 7, agent: agent(:host), broadcaster: ->(*) { raise IOError, "no cable" })
        expect(mute.add_participant(ann).submit(ann, "Hi").result.text).to eq("x")
        expect(log.string.scan("no cable").size).to eq(1)
      end
    end

    it "go to nobody where there is nobody" do
      server.script(deltas: ["x"])
      silent = described_class.new(session_id: 7, agent: agent(:host), broadcaster: nil).add_participant(ann)
      expect(silent.submit(ann, "Hi").result.text).to eq("x")
    end
  end

  it "belongs to its process" do
    session.add_participant(ann)
    reader, writer = IO.pipe
    pid = fork do
      session.submit(ann, "Hi")
    rescue RAAF::Errors::ForkedError
      writer.write("forked")
    ensure
      exit!(0)
    end
    Process.wait(pid)
    writer.close
    expect(reader.read).to eq("forked")
  end

  it "shows no word of anybody" do
    session.add_participant(ann)
    server.script(deltas: ["private"])
    message = session.submit(ann, "secret").wait
    expect([session, message].map(&:inspect).join).not_to match(/secret|private|Ann/)
  end
end
