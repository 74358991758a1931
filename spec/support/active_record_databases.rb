# frozen_string_literal: true

require "erb"
require "tmpdir"

# Databases with our tables, each with an abstract class that connects to it. ActiveRecord is loaded with the first one.
module ActiveRecordDatabases
  TEMPLATE = File.expand_path("../../lib/generators/raaf/streaming/store/templates/create_raaf_streaming_tables.rb.tt",
    __dir__)
  POOL = 30

  module_function

  # @param folder [String]
  # @return [Class]
  def sqlite(folder)
    prepare
    # ActiveRecord gives up the connections of a child's parent, and the gem says that it has closed them then.
    require "sqlite3"
    SQLite3::ForkSafety.suppress_warnings!
    base = named
    # SQLite's own defaults are Rails' up to 7.0.
    base.establish_connection(adapter: "sqlite3", database: File.join(folder, "#{short(base)}.sqlite3"), pool: POOL,
      timeout: 10_000)
    base.connection_pool.with_connection { |connection| connection.execute("PRAGMA journal_mode = WAL") }
    base.tap { migrate(base) }
  end

  # @param base [Class]
  # @param options [Hash] of the connection
  # @return [Class] with connections of its own to the same database
  def again(base, **options)
    config = base.connection_pool.db_config.configuration_hash
    named.tap { |other| other.establish_connection(**config, **options) }
  end

  # @param server [PostgresServer]
  # @return [Class]
  def postgres(server)
    prepare
    base = named
    server.create_database(short(base))
    base.establish_connection(adapter: "postgresql", url: server.url(short(base)), pool: POOL)
    base.tap { migrate(base) }
  end

  # What the generator's migration does.
  # @param base [Class]
  # @param direction [Symbol] :up or :down
  def migrate(base, direction = :up)
    base.connection_pool.with_connection do |connection|
      migration.new.exec_migration(connection, direction)
    end
  end

  # @return [Array<Class>] all that connect to databases of their own
  def all
    @all ||= []
  end

  def prepare
    require "active_record"
    ActiveRecord::Migration.verbose = false
  end

  # Connections are known by the name of their class.
  def named
    base = Class.new(ActiveRecord::Base)
    const_set("Base#{all.size}", base)
    base.abstract_class = true
    all << base
    base
  end

  def short(base)
    base.name[/\w+\z/].downcase
  end

  def migration
    @migration ||= Dir.mktmpdir("raaf-migration") do |folder|
      file = File.join(folder, "migration.rb")
      File.write(file, ERB.new(File.read(TEMPLATE)).result)
      Module.new.tap { |own| load(file, own) }.const_get(:CreateRaafStreamingTables)
    end
  end
end

RSpec.shared_context "with SQLite" do
  before(:context) do
    @folder = Dir.mktmpdir("raaf-sqlite")
    @base = ActiveRecordDatabases.sqlite(@folder)
  end

  after(:context) do
    @base&.remove_connection
    FileUtils.rm_rf(@folder)
  end

  let(:base) { @base }
end

RSpec.shared_context "with PostgreSQL" do
  before(:context) do
    @server = PostgresServer.new
    @base = ActiveRecordDatabases.postgres(@server)
  end

  after(:context) do
    @base&.remove_connection
    @server&.stop
  end

  let(:base) { @base }
end
