# frozen_string_literal: true

RSpec.shared_examples "a replay store in a database" do
  include LifecycleForks
  include LifecycleHelpers
  include ReplayStores

  let!(:id) { "stream-#{rand(1_000_000_000)}" } # of this example, and of its children

  # The lease lasts for the example: streams that are never finished are not to be heard of after it.
  def make_store(poll: 0.005, lease_seconds: 600, lease_interval: 300, **options)
    described_class.new(base: base, poll: poll, lease_seconds: lease_seconds, lease_interval: lease_interval, **options)
  end

  it_behaves_like "a replay store"
end

RSpec.describe RAAF::Streaming::ReplayStore::ActiveRecordStore do
  describe "with SQLite" do
    before(:context) do
      @folder = Dir.mktmpdir("raaf-sqlite")
      @base = ActiveRecordDatabases.sqlite(@folder)
    end

    after(:context) do
      @base.remove_connection
      FileUtils.rm_rf(@folder)
    end

    let(:base) { @base }

    it_behaves_like "a replay store in a database"
  end

  describe "with PostgreSQL" do
    before(:context) do
      @server = PostgresServer.new
      @base = ActiveRecordDatabases.postgres(@server)
    end

    after(:context) do
      @base&.remove_connection
      @server&.stop
    end

    let(:base) { @base }

    it_behaves_like "a replay store in a database"
  end
end
