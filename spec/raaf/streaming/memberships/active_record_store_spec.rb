# frozen_string_literal: true

RSpec.shared_examples "memberships in a database" do
  include LifecycleForks
  include LifecycleHelpers

  def make_memberships(**options)
    described_class.new(base: base, **options)
  end

  it_behaves_like "memberships"

  def rows
    %i[sessions members].map { |name| RAAF::Streaming::Database.new(base).table(name).count }
  end

  it "are the same in every process" do
    make_memberships.join("shared", 1)
    found = in_child { make_memberships.then { |child| [child.member?("shared", 1), child.join("shared", 2)] } }
    expect([found, make_memberships.members("shared")]).to eq([[true, true], %w[1 2]])
  end

  it "leave nothing in the tables when they are over and somebody joins a session" do
    before = rows
    3.times { |number| make_memberships(ttl: 0.001).join("brief #{number}", 1) }
    eventually("the end") do
      make_memberships.join("later", 1)
      rows == before.map { |count| count + 1 }
    end
    RAAF::Streaming::Database.new(base).table(:sessions).delete_all
    RAAF::Streaming::Database.new(base).table(:members).delete_all
  end

  it "are kept beside the frames of streams" do
    store = RAAF::Streaming::ReplayStore::ActiveRecordStore.new(base: base)
    RAAF::Streaming.configure { |config| config.replay_store = store }
    RAAF::Streaming::Memberships.current.join("beside", 1)
    expect(make_memberships.member?("beside", 1)).to be(true)
  ensure
    RAAF::Streaming.reset_configuration!
  end

  it "are nobody's where the tables are missing: every question fails" do
    expect(described_class.usable?(base: base)).to be(true)
    ActiveRecordDatabases.migrate(base, :down)
    expect(described_class.usable?(base: base)).to be(false)
    memberships = make_memberships
    [-> { memberships.member?("a", 1) }, -> { memberships.join("a", 1) }, -> { memberships.leave("a", 1) },
      -> { memberships.members("a") }].each do |question|
      expect(&question).to raise_error(RAAF::Errors::StoreUnavailableError, /database failed/)
    end
  ensure
    ActiveRecordDatabases.migrate(base)
  end
end

RSpec.describe RAAF::Streaming::Memberships::ActiveRecordStore do
  describe "with SQLite" do
    include_context "with SQLite"
    it_behaves_like "memberships in a database"
  end

  describe "with PostgreSQL" do
    include_context "with PostgreSQL"
    it_behaves_like "memberships in a database"
  end
end
