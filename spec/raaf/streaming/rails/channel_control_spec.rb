# frozen_string_literal: true

require "redis"
require "securerandom"

require_relative "../../../../lib/raaf/streaming/rails/agent_service"
require_relative "../../../../lib/raaf/streaming/rails/channel_control"

# Without Action Cable: what it says is all there is. With it: spec/rails/channel_actions_spec.rb.
RSpec.describe RAAF::Streaming::ChannelControl do
  include LifecycleForks
  include LifecycleHelpers
  include ReplayStores

  # What of Action Cable's channel and connection is asked.
  let(:channel_class) do
    Struct.new(:current_user, :connection) do
      def self.action_methods
        ["chat", "receive"]
      end
    end
  end
  let(:user_class) { Struct.new(:id) }
  let!(:user) { user_class.new(rand(1_000_000_000)) }
  let(:other) { user_class.new(rand(1_000_000_000)) }
  let(:place) { "agent_#{user.id}" }
  let(:id) { "stream-#{rand(1_000_000_000)}" }
  let(:sent) { Queue.new }
  let(:control) { control_of(user) }

  before { RAAF::Streaming.configure { |config| config.replay_store = store } }
  after { RAAF::Streaming.reset_configuration! }

  def connection_of(user)
    Struct.new(:connection_identifier).new("user-#{user&.id}")
  end

  def control_of(user, connection = connection_of(user))
    messages = sent
    RAAF::Streaming::ChannelControl.new(channel_class.new(user, connection), ->(message) { messages << message })
      .tap { |control| control.places.add("agent_#{user&.id}", nil, nil) }
  end

  # All that was sent to the browser since it was asked last, as it gets it.
  def received
    Array.new(sent.size) { JSON.parse(sent.pop.to_json) }
  end

  # @param known [Hash{String=>Hash}] what the browser knows of streams, by their ids
  def resume(by: control, recent: nil, **known)
    by.resume({"action" => "raaf_resume", "streams" => known, "recent" => recent})
    received
  end

  def states(messages)
    messages.last.fetch("streams").transform_values { |state| state["state"] }
  end

  # As the delivery of a stream does it.
  def send_frames(*seqs, attempt: 1, to: place, **options)
    seqs.each do |seq|
      store.append(id, frame_with(seq, place: to, attempt: attempt, delta: "#{seq} ", message: {n: seq}, **options))
    end
    expect(store.flush(LifecycleHelpers::PATIENCE)).to be(true)
  end

  def begin_stream(whose = user, **options)
    store.begin(id, keys: ["user:#{whose.id}", "place:#{place}", "request:#{SecureRandom.uuid}"], **options)
  end

  def logged
    log = StringIO.new
    RAAF::Streaming.logger = Logger.new(log)
    yield
    log.string
  ensure
    RAAF::Streaming.logger = nil
  end

  def refusals(messages = received)
    messages.map { |message| message.values_at("type", "action", "reason") }
  end

  shared_examples "a control" do
    describe "an action with a request's id" do
      let(:request_id) { SecureRandom.uuid }
      let(:performed) { [] }

      def perform(data = {}, by: control)
        by.perform({"action" => "chat", "message" => "Hi", "raaf" => {"request_id" => request_id}, **data}) do |given|
          performed << [given, RAAF::Streaming::Origin.current&.stream_id]
          yield if block_given?
        end
      end

      it "is acknowledged before it runs, by the id that its stream gets, and does not see what is ours" do
        acknowledged = nil
        perform { acknowledged = received }
        id = acknowledged.first["stream_id"]

        expect(acknowledged).to eq([{"type" => "raaf_ack", "request_id" => request_id, "stream_id" => id}])
        expect(id).to match(/\A\h{32}\z/)
        expect(performed).to eq([[{"action" => "chat", "message" => "Hi"}, id]])
        expect(RAAF::Streaming::Origin.current).to be_nil
      end

      it "is acknowledged again when it is sent again, and not performed again" do
        2.times { perform }
        expect(performed.size).to eq(1)
        expect(received.map { |message| message["type"] }).to eq(%w[raaf_ack raaf_ack])
      end

      it "has a stream that nobody else's request of the same name has" do
        perform
        perform(by: control_of(other))
        expect(performed.map(&:last).uniq.size).to eq(2)
      end

      it "is performed all the same with what is no id, and not acknowledged" do
        [nil, 7, "", "no-uuid", {"request_id" => 7}, {"request_id" => "x" * 36}, {"request_id" => "\xED\xA0\x80" * 12},
          [request_id]].each { |raaf| perform({"raaf" => raaf}) }
        expect(performed.size).to eq(8)
        expect(received).to eq([])
      end

      it "lets what is no object through to Action Cable" do
        seen = []
        [nil, [], "chat"].each { |data| control.perform(data) { |given| seen << given } }
        expect(seen).to eq([nil, [], "chat"])
      end

      it "tells the browser of an error that nobody has rescued, without a word of it, and lets it go its way" do
        expect { perform { raise "the password is 7" } }.to raise_error("the password is 7")
        expect(received.last).to eq("type" => "raaf_refused", "request_id" => request_id, "action" => "chat",
          "reason" => "unavailable", "message" => "The server could not do it.")
      end

      it "tells the browser of too many messages" do
        error = RAAF::Errors::StreamLimitError.new("try again in 3 s", limit: :messages_per_minute_per_user)
        expect { perform { raise error } }.to raise_error(error)
        expect(received.last).to include("reason" => "rate_limited", "message" => "try again in 3 s")
      end

      it "tells the browser that there is no such action, and leaves the log to Action Cable" do
        perform({"action" => "unsubscribe_from_channel"})
        expect(performed.size).to eq(1)
        expect(refusals).to eq([%w[raaf_refused unsubscribe_from_channel invalid]])
      end
    end

    describe "who may" do
      def authorize(&hook)
        RAAF::Streaming.configure { |config| config.authorize = hook }
      end

      it "is asked before each action, and who may not is told" do
        asked = []
        authorize { |user, action, stream| (asked << [user, action, stream]) && false }
        performed = 0
        request_id = SecureRandom.uuid
        control.perform({"action" => "chat", "raaf" => {"request_id" => request_id}}) { performed += 1 }
        control.perform({"action" => "chat"}) { performed += 1 }
        control.perform({}) { performed += 1 }

        expect(performed).to eq(0)
        expect(asked).to eq([[user, :chat, nil], [user, :chat, nil], [user, :receive, nil]])
        expect(received.map { |message| message.values_at("request_id", "reason") })
          .to eq([[request_id, "forbidden"], [nil, "forbidden"], [nil, "forbidden"]])
      end

      it "is forbidden where the hook raises, and the log says why" do
        authorize { raise "no database" }
        log = logged { control.perform({"action" => "chat"}) { raise "performed" } }
        expect(log).to match(/authorize raised RuntimeError for chat.*no database/)
        expect(refusals).to eq([%w[raaf_refused chat forbidden]])
      end

      it "is asked for each stream, and told whose it is" do
        asked = []
        authorize { |_, action, stream| (asked << [action, stream&.to_h]) && action != :stop }
        begin_stream(other)
        send_frames(1)
        resume(id => {})
        control.stop({"stream_id" => id})

        expect(asked).to include([:resume, {id: id, user_id: other.id.to_s, session_id: nil, place: place}],
          [:stop, {id: id, user_id: other.id.to_s, session_id: nil, place: nil}])
        expect(refusals).to eq([%w[raaf_refused raaf_stop forbidden]])
        expect(store.state_of(id)).to eq(:running)
      end
    end

    describe "resuming" do
      it "gives what comes after a number, in order, and says at the end how it is" do
        begin_stream
        send_frames(1, 2, 3)
        messages = resume(id => {"attempt" => 1, "seq" => 1})
        expect(messages.first(2)).to eq([{"n" => 2}, {"n" => 3}])
        expect(messages.last["streams"]).to match(id => {"state" => "running", "attempt" => 1, "last" => 3,
                                                         "request_id" => a_string_matching(/\A\h{8}-/)})
        expect(resume(id => {"attempt" => 1, "seq" => 3}).size).to eq(1)
      end

      it "gives an empty page what runs, and where it asks what has just ended" do
        begin_stream
        send_frames(1, 2)
        expect(resume).to include({"n" => 1}, {"n" => 2})
        finish(store, id)
        expect(resume).to eq([{"type" => "raaf_resumed", "streams" => {}}])
        messages = resume(recent: true)
        expect(messages.first(2)).to eq([{"n" => 1}, {"n" => 2}])
        expect(states(messages)).to eq(id => "finished")
      end

      it "gives of what has ended only the newest few" do
        ids = Array.new(8) { |i| "#{id}-#{i}" }
        ids.each do |one|
          store.begin(one, keys: ["place:#{place}"])
          finish(store, one)
        end
        begin_stream
        expect(states(resume(recent: true)).keys).to eq([*ids.last(5), id])
      end

      it "gives a newer attempt from its beginning" do
        begin_stream
        send_frames(1, 2, 3)
        begin_stream
        send_frames(1, attempt: 2)
        messages = resume(id => {"attempt" => 1, "seq" => 3})
        expect(messages.first).to eq({"n" => 1})
        expect(messages.last["streams"][id]).to include("attempt" => 2, "last" => 1)
      end

      it "gives more than is read at once" do
        begin_stream
        send_frames(*1..250)
        expect(resume(id => {}).filter_map { |message| message["n"] }).to eq([*1..250])
      end

      it "gives what is left of a channel that has a handler of its own to that handler" do
        seen = []
        begin_stream
        send_frames(1)
        control.places.add(place, ->(message) { seen << message }, nil)
        resume(id => {})
        control.places.add(place, ->(message) { seen << message }, JSON)
        resume(id => {})
        expect(seen).to eq([%({"n":1}), {"n" => 1}])
        control.places.delete(place)
        expect(resume(id => {}).size).to eq(1)
      end

      it "notes that its user reads it again, for the process that wants to end it" do
        begin_stream
        send_frames(1)
        noted = -> { store.read("attended:#{id}", place: "none")&.attempt }
        stranger = control_of(other)
        stranger.places.add(place, nil, nil)
        expect([resume(by: stranger).size, noted.call]).to eq([2, nil])
        resume
        expect(noted.call).to eq(1)
        resume
        expect(noted.call).to eq(2)
      end

      it "tells the browser where a handler of the application's raises, and lets that go its way" do
        begin_stream
        send_frames(1)
        control.places.add(place, ->(_) { raise "mine" }, nil)
        expect { resume(id => {}) }.to raise_error("mine")
        expect(refusals).to eq([%w[raaf_refused raaf_resume unavailable]])
      end

      it "says that a stream waits, has ended, was cancelled, or is not known" do
        waits, ended, cancelled, nothing = Array.new(4) { |i| "#{id}-#{i}" }
        mine = ["user:#{user.id}"]
        store.await(waits, keys: mine)
        [ended, cancelled].each { |id| store.begin(id, keys: mine) }
        store.cancel(cancelled)
        finish(store, ended)
        messages = resume(**[waits, ended, cancelled, nothing].to_h { |id| [id, {}] })
        expect(states(messages)).to eq(waits => "waiting", ended => "finished", cancelled => "cancelled",
          nothing => "unknown")
        expect(messages.last["streams"][ended]["error"]).to eq("The question was not answered.")
      end

      it "says that a question waits whose action is being performed" do
        request_id = SecureRandom.uuid
        messages = nil
        control.perform({"action" => "chat", "raaf" => {"request_id" => request_id}}) do
          id = received.first["stream_id"]
          messages = [resume(id => {}), resume(id => {}, :by => control_of(other))].map { |answer| states(answer)[id] }
        end
        expect(messages).to eq(%w[waiting unknown])
      end

      it "says of no question that it waits which was not performed again, once nothing is known of its stream" do
        request_id = SecureRandom.uuid
        stream = RAAF::Streaming::ChannelControl::Request.of(request_id, "user-#{user.id}").stream_id
        store.begin(stream)
        control.perform({"action" => "chat", "raaf" => {"request_id" => request_id}}) { raise "twice" }
        received
        RAAF::Streaming.configure { |config| config.replay_store = RAAF::Streaming::ReplayStore::MemoryStore.new }
        expect(states(resume(stream => {}))).to eq(stream => "unknown")
      end

      it "says how it is with a stream that is sent here, also where none of its frames is kept" do
        store.begin(id, keys: ["user:#{other.id}", "place:#{place}"])
        expect(states(resume(id => {"attempt" => 1, "seq" => 3}))).to eq(id => "running")
        expect(states(resume(id => {}, :by => control_of(user_class.new(0))))).to eq(id => "unknown")
      end

      it "tells nobody of what is not sent to them, and is not theirs" do
        store.begin(id, keys: ["user:#{other.id}", "place:agent_#{other.id}", "request:#{SecureRandom.uuid}"])
        send_frames(1, to: "agent_#{other.id}")
        expect(resume(id => {})).to eq([{"type" => "raaf_resumed",
                                         "streams" => {id => {"state" => "unknown", "attempt" => 0, "last" => 0}}}])
      end

      it "answers a hundred kinds of nonsense, and raises at none" do
        values = [nil, 0, -1, 1.5, "x", "", true, [], {}, [{}], {"a" => nil}, "\xED\xA0\x80", 1 << 70, "x" * 200,
          {"attempt" => -1}, {"attempt" => "1"}, {"seq" => 1.5}, {"seq" => 1 << 60}, {"seq" => [1]},
          (1..60).to_h { |i| ["s#{i}", {}] }]
        nonsense = values.flat_map do |value|
          [{"streams" => value}, {"streams" => {id => value}}, {"streams" => {value => {}}}, {"recent" => value}]
        end
        answers = nonsense.map do |data|
          control_of(user).resume(data)
          received.map { |message| message.values_at("type", "reason") }
        end
        allowed = [[["raaf_resumed", nil]], [%w[raaf_refused invalid]]]
        expect(answers - allowed).to eq([])
        expect(answers.tally[allowed.last]).to be > 40
      end

      it "is limited for each connection" do
        connection = connection_of(user)
        flood = control_of(user, connection)
        200.times { flood.resume({}) }
        expect(received.map { |message| message["type"] }.tally).to eq("raaf_resumed" => 120, "raaf_refused" => 80)
        control_of(user, connection).resume({"request_id" => (request_id = SecureRandom.uuid)})
        expect(received).to match([a_hash_including("reason" => "rate_limited", "request_id" => request_id)])
        expect(resume.size).to eq(1)
      end
    end

    describe "stopping" do
      it "tells whoever runs the stream" do
        told = Queue.new
        begin_stream
        store.watch(id) { |reason| told << reason }
        control.stop({"stream_id" => id})
        expect(told.pop).to eq(:cancelled)
        expect(received).to eq([])
      end

      it "is for one's own" do
        begin_stream(other)
        control.stop({"stream_id" => id, "request_id" => SecureRandom.uuid})
        control_of(nil).stop({"stream_id" => id})
        expect(refusals).to eq([%w[raaf_refused raaf_stop forbidden]] * 2)
        expect(store.state_of(id)).to eq(:running)
      end

      it "ends before it has begun what a request asks for, and all that it began" do
        request = described_class::Request.of(SecureRandom.uuid, "user-#{user.id}")
        store.begin("#{request.stream_id}-2", keys: ["request:#{request.id}"])
        control.stop({"request_id" => request.id})
        expect(received).to eq([])
        told = Queue.new
        attempt = store.begin(request.stream_id)
        store.watch(request.stream_id, attempt: attempt) { |reason| told << reason }
        expect(told.pop).to eq(:cancelled)
        expect(store.state_of("#{request.stream_id}-2")).to eq(:cancelled)
      end

      it "knows nobody's request by its name alone" do
        request = described_class::Request.of(SecureRandom.uuid, "user-#{user.id}")
        control_of(other).stop({"request_id" => request.id, "stream_id" => request.stream_id})
        expect(refusals).to eq([%w[raaf_refused raaf_stop forbidden]])
        expect(store.state_of(request.stream_id)).to be_nil
      end

      it "answers nonsense" do
        [{}, {"stream_id" => nil}, {"stream_id" => {}}, {"stream_id" => "a b"}, {"request_id" => "7"},
          {"stream_id" => "\xED\xA0\x80"}].each { |data| control.stop(data) }
        expect(refusals).to eq([%w[raaf_refused raaf_stop invalid]] * 6)
      end
    end
  end

  describe "with a store in memory" do
    let(:store) { RAAF::Streaming::ReplayStore::MemoryStore.new }

    it_behaves_like "a control"

    it "sends the text so far where frames are no longer kept, and then goes on behind it" do
      RAAF::Streaming.configure { |config| config.replay_store = @small = store.class.new(max_frames: 3) }
      @small.begin(id, keys: ["place:#{place}"])
      (1..9).each { |seq| @small.append(id, frame_with(seq, place: place, delta: "#{seq} ", message: {n: seq})) }
      messages = resume(id => {"attempt" => 1, "seq" => 2})
      expect(messages.first).to eq("type" => "raaf_checkpoint", "text" => (1..9).map { |seq| "#{seq} " }.join,
        "raaf" => {"stream_id" => id, "attempt" => 1, "seq" => 9})
      expect(messages.size).to eq(2)
      # What is still kept needs none.
      expect(resume(id => {"attempt" => 1, "seq" => 6}).first(3)).to eq([{"n" => 7}, {"n" => 8}, {"n" => 9}])

      # The last frame is one that pages wait for.
      @small.append(id, frame_with(10, place: place, message: {n: 10}, terminal: true))
      @small.finish(id)
      messages = resume(id => {"attempt" => 1, "seq" => 2})
      expect(messages[0]["raaf"]["seq"]).to eq(9)
      expect(messages[1]).to eq("n" => 10)
      expect(messages[2]["streams"][id]).to include("state" => "finished", "last" => 10)
    end

    it "says where a part is lost for good" do
      RAAF::Streaming.configure { |config| config.replay_store = @small = store.class.new(max_frames: 2, max_text_bytes: 4) }
      @small.begin(id, keys: ["place:#{place}"])
      (1..5).each { |seq| @small.append(id, frame_with(seq, place: place, delta: "#{seq} ", message: {n: seq})) }
      messages = resume(id => {"attempt" => 1, "seq" => 1})
      expect(messages.first(2)).to eq([{"n" => 4}, {"n" => 5}])
      expect(messages.last["streams"][id]["error"]).to eq("A part of the answer was lost.")
    end

    it "sends no more at once than a few MiB; asked again, the rest" do
      RAAF::Streaming.configure { |config| config.replay_store = @roomy = store.class.new(max_bytes: 1 << 30) }
      @roomy.begin(id, keys: ["place:#{place}"])
      (1..8).each { |seq| @roomy.append(id, frame_with(seq, place: place, message: {n: seq, big: "x" * 900_000})) }
      first = resume(id => {}).filter_map { |message| message["n"] }
      rest = resume(id => {"attempt" => 1, "seq" => first.last}).filter_map { |message| message["n"] }
      expect(first + rest).to eq([*1..8])
      expect([first.size, rest.size].max).to be < 8
    end

    it "remembers a bounded number of requests" do
      1100.times { control.perform({"action" => "chat", "raaf" => {"request_id" => SecureRandom.uuid}}) {} }
      expect(described_class::Asked.size).to eq(described_class::Asked::MOST)
    end

    describe "a stream that runs here" do
      include_context "with a model server"

      def ask(stream_id, **options)
        origin = RAAF::Streaming::Origin.new(stream_id: stream_id, user_id: user.id)
        RAAF::Streaming::Origin.within(origin) { runner_for(server.base_url, **options).stream("Hi") }
      end

      def stream_in_silence(**options)
        server.script(**silence_after("a"))
        stream = ask(id, **options)
        stream.on {}
        server.wait_for_request
        stream
      end

      it "is stopped at once, and the provider's connection is closed" do
        stream = stream_in_silence
        control.stop({"stream_id" => id})
        expect(stream.wait(LifecycleHelpers::PATIENCE).status).to eq(:cancelled)
        server.wait_for_close(server.requests.last)
      end

      it "is redirected, for the user whose it is" do
        stream = stream_in_silence
        control_of(other).redirect({"stream_id" => id, "message" => "Shorter"})
        expect(refusals).to eq([%w[raaf_refused raaf_redirect forbidden]])
        server.script(deltas: %w[short])
        control.redirect({"stream_id" => id, "message" => "Shorter"})
        expect(stream.result.text).to eq("short")
        expect(server.requests.last.json[:messages].last[:content]).to eq("Shorter")

        control.redirect({"stream_id" => id, "message" => "Again"})
        expect(refusals).to eq([%w[raaf_refused raaf_redirect invalid]])
      end

      it "is not redirected by more messages than the user may send, or by what is none" do
        stream = stream_in_silence(messages_per_minute_per_user: 1)
        control.redirect({"stream_id" => id, "message" => "Shorter"})
        expect(received.last).to include("reason" => "rate_limited", "message" => a_string_including("try again in"))
        [nil, "", {}, "x" * 40_000, "\xED\xA0\x80"].each do |message|
          control.redirect({"stream_id" => id, "message" => message})
        end
        expect(refusals).to eq([%w[raaf_refused raaf_redirect invalid]] * 5)
        stream.cancel
        control.redirect({"stream_id" => id, "message" => "Shorter"})
        expect(refusals).to eq([%w[raaf_refused raaf_redirect invalid]])
        stream.wait(LifecycleHelpers::PATIENCE)
      end

      it "is not kept alive by being redirectable" do
        skip "the collector keeps what it likes" unless RUBY_ENGINE == "ruby"
        ids = Array.new(20) { |i| "#{id}-#{i}" }
        20.times { server.script(**silence_after("a")) }
        Thread.new { ids.each { |one| ask(one) } }.join
        collected = ids.count do |one|
          GC.start
          !RAAF::Streaming::ConnectionManager.instance.redirect(one, "Shorter")
        end
        expect(collected).to be > 10
      end
    end

    it "tells the browser where another process runs what it wants to redirect" do
      begin_stream
      control.redirect({"stream_id" => id, "message" => "Shorter"})
      expect(received).to eq([{"type" => "raaf_redirect_elsewhere", "stream_id" => id, "message" => "Shorter"}])
    end
  end

  describe "with Redis" do
    before(:context) { @redis = RedisServer.new }
    after(:context) { @redis.stop }

    def redis_store(**options)
      client = Redis.new(url: @redis.url, timeout: LifecycleHelpers::PATIENCE, reconnect_attempts: 0)
      RAAF::Streaming::ReplayStore::RedisStore.new(client, poll: 0.005, lease_seconds: 600, lease_interval: 300,
**options)
    end

    let(:store) { redis_store }

    it_behaves_like "a control"

    # In a process of its own, whose store is another one on the same Redis.
    def elsewhere
      LifecycleForks::Child.new do |child|
        RAAF::Streaming.configure { |config| config.replay_store = redis_store }
        yield child, RAAF::Streaming.configuration.replay_store
      end
    end

    it "does not perform again what another process has begun" do
      question = {"action" => "chat", "raaf" => {"request_id" => SecureRandom.uuid}}
      begun = elsewhere do |_, store|
        attempt = nil
        control.perform(question) { attempt = store.begin(RAAF::Streaming::Origin.current.take_id) }
        attempt
      end
      expect(begun.release.value).to eq(1)
      control.perform(question) { raise "twice" }
      expect(received.map { |message| message["type"] }).to eq(%w[raaf_ack])
    end

    describe "and a stream that another process runs" do
      include_context "with a model server"

      it "stops it, and the provider's connection is closed" do
        server.script(**silence_after("a"))
        address = server.base_url
        origin = RAAF::Streaming::Origin.new(stream_id: id, user_id: user.id)
        child = elsewhere do
          stream = RAAF::Streaming::Origin.within(origin) { runner_for(address).stream("Hi") }
          stream.wait(LifecycleHelpers::PATIENCE).status
        end
        server.wait_for_request
        eventually("it has begun") { store.state_of(id) == :running }
        control.redirect({"stream_id" => id, "message" => "Shorter"})
        control.stop({"stream_id" => id})

        expect(received).to match([a_hash_including("type" => "raaf_redirect_elsewhere")])
        expect(child.release.value).to eq(:cancelled)
        server.wait_for_close(server.requests.last)
      end
    end
  end

  describe "without a store" do
    let(:store) { nil }

    it "says that nothing is kept" do
      expect(resume.first).to include("type" => "raaf_refused", "reason" => "unavailable")
    end
  end

  describe "with a store that is away" do
    let(:question) { {"action" => "chat", "raaf" => {"request_id" => SecureRandom.uuid}} }
    let(:store) do
      RAAF::Streaming::ReplayStore::RedisStore.new(Redis.new(url: "redis://127.0.0.1:1/0", reconnect_attempts: 0))
    end

    it "says that nothing is to be had, and performs actions all the same" do
      expect(refusals(resume(id => {}))).to eq([%w[raaf_refused raaf_resume unavailable]])
      control.stop({"stream_id" => id})
      expect(refusals).to eq([%w[raaf_refused raaf_stop unavailable]])
      performed = 0
      2.times { control.perform(question) { performed += 1 } }
      expect(performed).to eq(1)
    end
  end
end
