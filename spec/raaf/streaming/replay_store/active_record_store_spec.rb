# frozen_string_literal: true

require "rbconfig"

RSpec.shared_examples "a replay store in a database" do
  include LifecycleForks
  include LifecycleHelpers
  include ReplayStores

  let!(:id) { "stream-#{rand(1_000_000_000)}" } # of this example, and of its children
  let(:database) { RAAF::Streaming::Database.new(base) }

  # The lease lasts for the example: streams that are never finished are not to be heard of after it.
  def make_store(poll: 0.005, lease_seconds: 600, lease_interval: 300, **options)
    described_class.new(base: base, poll: poll, lease_seconds: lease_seconds, lease_interval: lease_interval, **options)
  end

  def row_of(id)
    database.table(:streams).find_by(digest: database.digest(id))
  end

  # Seconds until the stream is forgotten.
  def time_to_live(id)
    (row_of(id).expires_at - database.now) / 1000.0
  end

  # Rows of the tables that belong to streams.
  def rows
    %i[streams places frames keys].map { |name| database.table(name).count }
  end

  def busy_connections
    base.connection_pool.stat[:busy]
  end

  # @return [Array<Array<Object>>] about what the database is asked meanwhile
  def questions(&block)
    asked = []
    note = ->(_name, _start, _end, _id, payload) { asked << payload[:binds].map { |bind| bind.try(:value) || bind } }
    ActiveSupport::Notifications.subscribed(note, "sql.active_record", &block)
    asked
  end

  it_behaves_like "a replay store"

  describe "expiry" do
    it "is an hour after the last frame, and ten minutes after the end" do
      store = make_store
      store.begin(id)
      expect(time_to_live(id)).to be_between(3000, 3600)
      append_to(store, id, 1)
      expect(time_to_live(id)).to be_between(3000, 3600)
      finish(store, id)
      expect(time_to_live(id)).to be_between(500, 600)
      store.cancel("#{id}-2")
      expect(time_to_live("#{id}-2")).to be_between(3000, 3600)
    end

    it "is put off by a frame once a part of the time is over" do
      store = make_store(live_ttl: 1000)
      store.begin(id)
      row_of(id).update_columns(expires_at: database.now + 900_000)
      append_to(store, id, 1)
      expect(time_to_live(id)).to be_between(950, 1000)
    end

    it "has nothing found any more, and a stream of that name begins anew" do
      store = make_store(finished_ttl: 0.001)
      store.begin(id, keys: [id])
      append_to(store, id, 1, 2)
      store.cancel(id)
      finish(store, id)
      eventually("the end") { store.state_of(id).nil? }
      expect([read_of(store, id), store.checkpoint(id, place: "a"), store.finished?(id), store.cancelled?(id),
        store.keys_of(id), store.streams_of(id, recent: true)]).to eq([nil, nil, false, false, [], []])
      expect(store.begin(id)).to eq(1)
      append_to(store, id, 1)
      expect(read_of(store, id)).to have_attributes(frames: [frame(1)], cancelled?: false)
      expect(store.keys_of(id)).to eq([])
    end

    it "has the rows deleted, a few streams at a time, and no others" do
      sweep = described_class::Sweep.new(database)
      sweep.run
      before = rows
      brief = make_store(finished_ttl: 0.001)
      25.times do |number|
        brief.begin("#{id}-#{number}", keys: [id])
        append_to(brief, "#{id}-#{number}", 1, 2)
        brief.finish("#{id}-#{number}")
      end
      expect(brief.flush(LifecycleHelpers::PATIENCE)).to be(true)
      store = make_store
      append_to(store, id, 1)
      eventually("the end of all") { brief.streams_of(id, recent: true).empty? }
      expect(sweep.run).to be_between(0, 25)
      expect(rows).to eq(before.zip([1, 1, 1, 0]).map(&:sum))
    end

    it "is seen to by whoever writes" do
      finish(make_store(finished_ttl: 0.001), id)
      eventually("the end") { make_store.state_of(id).nil? }
      append_to(make_store, "#{id}-2", 1)
      eventually("the deletion") { row_of(id).nil? }
    end
  end

  describe "and two processes" do
    it "share what was sent, and stop each other's streams" do
      child = LifecycleForks::Child.new do |here|
        store = make_store
        stopped = Queue.new
        attempt = store.begin(id, keys: ["session #{id}"])
        store.watch(id, attempt: attempt) { |reason| stopped << reason }
        append_to(store, id, 1, 2)
        reason = stopped.pop
        append_to(store, id, 3)
        finish(store, id)
        here.wait_for_release
        reason
      end
      store = make_store
      eventually("two frames") { read_of(store, id)&.last == 2 }
      expect(store.streams_of("session #{id}")).to eq([id])
      expect(store.cancel(id)).to be(true)
      eventually("the end") { store.finished?(id) }
      expect(read_of(store, id, after: 1)).to have_attributes(frames: [frame(2), frame(3)], finished?: true)
      expect(child.release.value).to eq(:cancelled)
    end

    it "use one that was made and used before the fork, each for itself" do
      store = make_store
      told = Queue.new
      store.watch(id) { |reason| told << [Process.pid, reason] }
      append_to(store, id, 1)
      found = in_child do
        own = Queue.new
        before = read_of(store, id).last
        store.watch("#{id}-child") { |reason| own << reason }
        append_to(store, id, 2)
        store.cancel(id)
        store.cancel("#{id}-child")
        [before, own.pop, told.size]
      end
      expect(found).to eq([1, :cancelled, 0])
      expect(told.pop).to eq([Process.pid, :cancelled])
      append_to(store, id, 3)
      expect(read_of(store, id).frames.map(&:seq)).to eq([1, 2, 3])
    end

    it "have a run told that another one has begun, and refuse what it still sends" do
      store = make_store
      told = Queue.new
      expect(store.begin(id)).to eq(1)
      store.watch(id, attempt: 1) { |reason| told << reason }
      expect(in_child { make_store.begin(id) }).to eq(2)
      expect(told.pop).to eq(:superseded)
      append_to(store, id, 1)
      expect(read_of(store, id)).to have_attributes(attempt: 2, frames: [])
    end

    it "never mix what two runs of one job send" do
      children = Array.new(3) do
        LifecycleForks::Child.new do
          store = make_store
          attempt = store.begin(id)
          (1..100).each do |seq|
            store.append(id, frame_with(seq, attempt: attempt, message: {attempt: attempt}, delta: "#{attempt} "))
          end
          store.flush(LifecycleHelpers::PATIENCE) && attempt
        end
      end
      expect(children.map(&:value)).to contain_exactly(1, 2, 3)
      reading = read_of(make_store, id)
      expect(reading).to have_attributes(attempt: 3, last: 100, gap?: false)
      expect(reading.frames.map(&:message)).to all(eq("attempt" => 3))
      expect(make_store.checkpoint(id, place: "a").text).to eq("3 " * 100)
    end

    it "write at the same time, and lose nothing" do
      children = Array.new(4) do |number|
        LifecycleForks::Child.new do
          store = make_store
          store.begin("#{id}-#{number}", keys: [id])
          (1..200).each { |seq| store.append("#{id}-#{number}", frame(seq)) }
          [store.flush(LifecycleHelpers::PATIENCE), store.stats]
        end
      end
      expect(children.map(&:value)).to all(eq([true, {appended: 200, refused: 0, lost: 0, queued: 0}]))
      expect(make_store.streams_of(id).size).to eq(4)
      4.times { |number| expect(read_of(make_store, "#{id}-#{number}").frames.map(&:seq)).to eq([*1..200]) }
    end

    it "leave what one had written, when it is killed, as it was: without a gap" do
      child = fork do
        store = make_store(lease_seconds: 1, lease_interval: 0.05, max_frames: 40)
        store.begin(id)
        (1..).each do |seq|
          store.append(id, frame(seq))
          sleep(0.0005) if (seq % 20).zero?
        end
      end
      store = make_store
      eventually("some frames") { read_of(store, id)&.last.to_i > 60 }
      expect(store.state_of(id)).to eq(:running)
      Process.kill(:KILL, child)
      Process.wait(child)
      eventually("the end of the lease") { store.state_of(id) == :abandoned }
      last = read_of(store, id).last
      expect(read_of(store, id, after: last - 40).frames.map(&:seq)).to eq([*last - 39..last])
      expect(store.checkpoint(id, place: "a")).to have_attributes(seq: last, text: (1..last).map { |n| "#{n} " }.join)
      expect(store.begin(id)).to eq(2)
      expect(store.state_of(id)).to eq(:running)
    end
  end

  it "renews the lease of its process while a stream runs, and not when none does" do
    store = make_store(lease_seconds: 1, lease_interval: 0.02)
    store.begin(id)
    lease = database.table(:leases).where(process: row_of(id).process)
    first = lease.pick(:expires_at)
    eventually("a renewal") { lease.pick(:expires_at) > first }
    finish(store, id)
    append_to(store, "#{id}-2", 1)
    eventually("the end of the lease") { store.state_of("#{id}-2") == :abandoned }
  end

  it "finds the last hundred streams of a key" do
    store = make_store
    103.times { |number| store.begin("#{id}-#{number}", keys: [id]) }
    expect(store.streams_of(id)).to eq((3..102).map { |number| "#{id}-#{number}" })
  end

  it "asks one question a look, about all streams that are watched, and none where there are none" do
    store = make_store
    watches = Array.new(50) { |number| store.watch("#{id}-#{number}") {} }
    digests = watches.map { |watch| database.digest(watch.stream_id) }
    looks = -> { questions { sleep(0.05) }.map { |asked| digests & asked }.reject(&:empty?) }
    found = []
    eventually("a look at all") { (found = looks.call).any? { |asked| asked.size == 50 } }
    eventually("five looks") { (found = looks.call).size >= 5 }
    expect(found.map(&:size)).to all(eq(50))
    watches.each { |watch| store.unwatch(watch) }
    eventually("the last look") { looks.call.empty? }
  end

  describe "its connections" do
    it "are given back after each use" do
      store = make_store
      store.begin(id)
      store.watch(id) {}
      append_to(store, id, 1)
      read_of(store, id)
      store.cancel(id)
      finish(store, id)
      eventually("the last one") { busy_connections.zero? }
    end

    it "may be as few as one" do
      base.connection_pool.with_connection do
        free = base.connection_pool.size - 1
        held = Array.new(free - 1) { base.connection_pool.checkout }
        store = make_store
        Array.new(8) do |number|
          Thread.new do
            store.begin("#{id}-#{number}")
            (1..20).each { |seq| store.append("#{id}-#{number}", frame(seq)) }
            store.finish("#{id}-#{number}")
          end
        end.each(&:join)
        expect(store.flush(LifecycleHelpers::PATIENCE)).to be(true)
        expect(Array.new(8) { |number| read_of(store, "#{id}-#{number}").last }).to all(eq(20))
      ensure
        held.each { |connection| base.connection_pool.checkin(connection) }
      end
    end

    it "write, whatever role and shard the application is connected to" do
      store = make_store
      ActiveRecord::Base.connected_to(role: :reading, shard: :elsewhere, prevent_writes: true) do
        expect(store.begin(id, keys: [id])).to eq(1)
        append_to(store, id, 1)
        expect(store.cancel(id)).to be(true)
        expect([read_of(store, id).last, store.streams_of(id)]).to eq([1, [id]])
      end
    end

    it "are not answered from the query cache" do
      store = make_store
      base.cache do
        append_to(store, id, 1)
        expect(read_of(store, id).last).to eq(1)
        append_to(store, id, 2)
        expect(read_of(store, id).last).to eq(2)
        expect(store.cancelled?(id)).to be(false)
        in_child { make_store.cancel(id) }
        expect(store.cancelled?(id)).to be(true)
      end
    end

    it "have nothing logged of what users are told" do
      log = StringIO.new
      require "active_support/logger"
      ActiveRecord::Base.logger = ActiveSupport::Logger.new(log)
      store = make_store
      store.begin(id)
      append_to(store, id, 1)
      read_of(store, id)
      expect(log.string).to eq("")
    ensure
      ActiveRecord::Base.logger = nil
    end
  end

  describe "inside a transaction of the application's that is rolled back" do
    it "what was appended stays" do
      store = make_store
      store.begin(id)
      base.transaction do
        (1..5).each { |seq| store.append(id, frame(seq)) }
        store.finish(id)
        raise ActiveRecord::Rollback
      end
      expect(store.flush(LifecycleHelpers::PATIENCE)).to be(true)
      expect(read_of(store, id)).to have_attributes(last: 5, gap?: false, finished?: true)
    end

    it "a stream that has begun there goes on" do
      store = make_store
      base.transaction do
        expect(store.begin(id)).to eq(1)
        store.append(id, frame(1))
        raise ActiveRecord::Rollback
      end
      append_to(store, id, 2)
      expect(read_of(store, id)).to have_attributes(attempt: 1, frames: [frame(1), frame(2)])
    end
  end

  it "connects by a class that is named, also when that is loaded anew" do
    stub_const("StreamsRecord", Class.new(base) { self.abstract_class = true })
    store = described_class.new(base: "StreamsRecord")
    append_to(store, id, 1)
    stub_const("StreamsRecord", Class.new(base) { self.abstract_class = true })
    append_to(store, id, 2)
    expect(read_of(make_store, id).last).to eq(2)
    expect(described_class.usable?(base: "StreamsRecord")).to be(true)
  end

  it "is usable where its tables are" do
    expect(described_class.usable?(base: base)).to be(true)
    ActiveRecordDatabases.migrate(base, :down)
    expect(described_class.usable?(base: base)).to be(false)
    expect { make_store.finished?(id) }.to raise_error(RAAF::Errors::StoreUnavailableError, /database failed/)
  ensure
    ActiveRecordDatabases.migrate(base)
  end

  it "is written to when streaming is shut down" do
    RAAF::Streaming.configure { |config| config.replay_store = make_store }
    store = RAAF::Streaming.configuration.replay_store
    50.times { |seq| store.append(id, frame(seq + 1)) }
    RAAF::Streaming.shutdown(timeout: LifecycleHelpers::PATIENCE)
    expect(read_of(make_store, id).last).to eq(50)
  ensure
    RAAF::Streaming.reset_configuration!
  end
end

RSpec.describe RAAF::Streaming::ReplayStore::ActiveRecordStore do
  include LifecycleForks
  include LifecycleHelpers
  include ReplayStores

  describe "with SQLite" do
    include_context "with SQLite"

    it_behaves_like "a replay store in a database"

    it "does not have its own threads wait for each other with Ruby's global lock" do
      store = described_class.new(base: base, poll: 0.005, lease_seconds: 10, lease_interval: 0.001)
      threads = Array.new(4) do |number|
        Thread.new do
          30.times do |attempt|
            store.begin("own #{number}")
            store.append("own #{number}", frame(1, attempt: attempt + 1))
            store.cancel("own #{number} #{attempt}")
          end
        end
      end
      threads.each(&:join)
      expect(store.flush(LifecycleHelpers::PATIENCE)).to be(true)
      expect(Array.new(4) { |number| read_of(store, "own #{number}").attempt }).to all(eq(30))
    ensure
      4.times { |number| store.finish("own #{number}", attempt: 30) }
    end

    describe "while another process writes" do
      let(:file) { base.connection_pool.db_config.database }

      # Holds the one lock for writing, when this returns, until it is released.
      def writer
        reader, told = IO.pipe
        child = LifecycleForks::Child.new do |here|
          other = SQLite3::Database.new(file)
          other.busy_timeout(LifecycleHelpers::PATIENCE * 1000)
          other.execute("BEGIN IMMEDIATE")
          told.write("locked")
          here.wait_for_release
          other.execute("ROLLBACK")
          :done
        end
        reader.read(6)
        child
      end

      it "keeps what is sent, and writes it afterwards" do
        without_log do |log|
          impatient = ActiveRecordDatabases.again(base, timeout: 1)
          child = writer
          store = described_class.new(base: impatient, poll: 0.005)
          (1..50).each { |seq| store.append("busy", frame(seq)) }
          eventually("a line of the log") { log.string.include?("the replay store failed") }
          expect(store.begin("busy-2", at_least: 4)).to eq(4)
          expect(log.string).to include("goes on as attempt 4")
          expect { store.cancel("busy-3") }.to raise_error(RAAF::Errors::StoreUnavailableError)
          expect(child.release.value).to eq(:done)
          expect(store.flush(LifecycleHelpers::PATIENCE)).to be(true)
          expect(read_of(store, "busy")).to have_attributes(last: 50, gap?: false)
        end
      end
    end
  end

  describe "with PostgreSQL" do
    include_context "with PostgreSQL"

    it_behaves_like "a replay store in a database"

    it "has begun, cancelled and waits for others, whatever becomes of the application's transaction" do
      store = described_class.new(base: base)
      base.transaction do
        store.begin("apart", keys: ["apart"])
        store.cancel("apart-2")
        store.await("apart-3")
        raise ActiveRecord::Rollback
      end
      expect(%w[apart apart-2 apart-3].map { |id| store.state_of(id) }).to eq(%i[running cancelled waiting])
      store.finish("apart")
    end

    it "reads what others have written, also where the application's transaction has failed" do
      store = described_class.new(base: base)
      append_to(store, "failed", 1)
      base.transaction do
        expect { base.connection_pool.with_connection { |one| one.execute("nonsense") } }.to raise_error(/syntax/)
        expect(read_of(store, "failed").last).to eq(1)
        raise ActiveRecord::Rollback
      end
    end

    describe "when the server goes away" do
      before(:context) do
        @brittle = PostgresServer.new
        @brittle_base = ActiveRecordDatabases.postgres(@brittle)
      end

      after(:context) do
        @brittle_base&.remove_connection
        @brittle&.stop
      end

      let(:server) { @brittle }
      let(:store) { described_class.new(base: @brittle_base, poll: 0.005) }
      let!(:id) { "stream-#{rand(1_000_000_000)}" }

      after { server.start unless server.pid }

      it "keeps what is sent meanwhile, and writes it in order when it is back" do
        without_log do |log|
          store.begin(id)
          append_to(store, id, *1..50)
          server.stop(:KILL, keep: true)
          (51..300).each { |seq| store.append(id, frame(seq)) }
          eventually("a line of the log") { log.string.include?("the replay store failed") }
          store.finish(id)
          server.start
          expect(store.flush(LifecycleHelpers::PATIENCE)).to be(true)
          expect(read_of(store, id)).to have_attributes(finished?: true, gap?: false, last: 300)
          expect(store.checkpoint(id, place: "a").text).to eq((1..300).map { |seq| "#{seq} " }.join)
          expect(log.string.scan("the replay store failed").size).to eq(1)
        end
      end

      it "says so to who asks, lets streams begin, and stops those of this process" do
        without_log do |log|
          told = Queue.new
          store.watch(id) { |reason| told << reason }
          server.stop(:KILL, keep: true)
          questions = [-> { read_of(store, id) }, -> { store.checkpoint(id, place: "a") }, -> { store.finished?(id) },
            -> { store.cancelled?(id) }, -> { store.streams_of("a") }, -> { store.keys_of(id) },
            -> { store.state_of(id) }, -> { store.cancel("#{id}-2") }]
          questions.each do |question|
            expect(&question).to raise_error(RAAF::Errors::StoreUnavailableError, /database failed/)
          end
          expect(store.begin(id, at_least: 3, keys: ["a"])).to eq(3)
          expect(store.await("#{id}-2")).to be_nil
          expect(log.string).to include("goes on as attempt 3")
          expect(store.cancel(id)).to be(true)
          expect(told.pop).to eq(:cancelled)
          store.finish(id)
          server.start
          expect(store.flush(LifecycleHelpers::PATIENCE)).to be(true)
        end
      end

      it "goes on telling who watches when it is back" do
        without_log do |log|
          told = Queue.new
          store.watch(id) { |reason| told << reason }
          server.stop(:KILL, keep: true)
          eventually("a line of the log") { log.string.include?("does not say which streams are to stop") }
          server.start
          in_child { described_class.new(base: @brittle_base).cancel(id) }
          expect(told.pop).to eq(:cancelled)
        end
      end
    end
  end

  describe "without a database" do
    # A process of its own, where nothing of ActiveRecord is loaded.
    def ruby(code)
      library = File.expand_path("../../../../lib", __dir__)
      IO.popen([RbConfig.ruby, "-I", library, "-r", "raaf-streaming", "-e", code], err: [:child, :out], &:read)
    end

    it "is not usable, and loads no ActiveRecord with the gem" do
      expect(ruby("p defined?(ActiveRecord)")).to eq("nil\n")
      question = "p RAAF::Streaming::ReplayStore::ActiveRecordStore.usable?"
      expect(ruby(question)).to eq("false\n")
      none = "module Kernel; alias r require; def require(n) = n == 'active_record' ? raise(LoadError, n) : r(n); end; "
      expect(ruby(none + question)).to eq("false\n")
      expect(ruby("#{question.sub("p ", "begin; ").sub(".usable?", ".new.finished?(1)")}; " \
                  "rescue => e; puts e.class; end")).to eq("RAAF::Errors::StoreUnavailableError\n")
    end
  end
end
