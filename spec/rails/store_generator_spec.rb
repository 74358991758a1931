# frozen_string_literal: true

RSpec.describe "rails generate raaf:streaming:store" do
  command = "raaf:streaming:store"

  def migrations(app)
    Dir.glob("db/migrate/*_create_raaf_streaming_tables.rb", base: app.root)
  end

  # Frames that a process of the application's has sent, as another one finds them.
  write = <<~RUBY
    store = RAAF::Streaming::ReplayStore::ActiveRecordStore.new
    attempt = store.begin("s", keys: ["user:1"])
    (1..3).each do |seq|
      store.append("s", RAAF::Streaming::ReplayStore::Frame.new(place: "p", seq: seq, message: {n: seq}, delta: "\#{seq} "))
    end
    store.finish("s", attempt: attempt)
    puts store.flush(20)
  RUBY
  read = <<~RUBY
    store = RAAF::Streaming::ReplayStore::ActiveRecordStore.new
    RAAF::Streaming::Memberships::ActiveRecordStore.new.join("room", 1)
    puts store.read("s", place: "p").frames.map(&:seq).inspect, store.checkpoint("s", place: "p").text,
      store.state_of("s"), RAAF::Streaming::Memberships::ActiveRecordStore.new.members("room").inspect
  RUBY
  # What is chosen by itself, too.
  usable = <<~RUBY
    puts RAAF::Streaming::ReplayStore.for_cable(adapter: "solid_cable").class.name.split("::").last,
      RAAF::Streaming::ReplayStore::ActiveRecordStore.usable?
  RUBY

  it "makes tables that several processes share, and can be taken back" do
    AppBuilder.copy(AppBuilder.installed) do |app|
      before = app.files
      expect(app.rails("runner", usable)).to end_with("MemoryStore\nfalse\n")
      expect(app.rails("generate", command)).to match(/Left for you:\n  - rails db:migrate/)
      expect(app.read(migrations(app).first)).to match(/ActiveRecord::Migration\[\d\.\d\]/)
      app.rails("generate", command)
      expect(migrations(app).size).to eq(1)

      app.rails("db:migrate")
      expect(app.rails("runner", usable)).to end_with("ActiveRecordStore\ntrue\n")
      expect(app.rails("runner", write)).to end_with("true\n")
      expect(app.rails("runner", read)).to end_with("[1, 2, 3]\n1 2 3 \nfinished\n[\"1\"]\n")
      expect(app.read("log/development.log")).not_to include('INSERT INTO "raaf_stream_frames"')

      app.rails("db:rollback")
      expect(app.rails("runner", usable)).to end_with("MemoryStore\nfalse\n")
      app.rails("destroy", command)
      expect(app.files.except("db/schema.rb")).to eq(before.except("db/schema.rb"))
    end
  end

  it "comes along with the installation where Action Cable goes by the database, or where it is asked for" do
    AppBuilder.copy(AppBuilder.fresh) do |app|
      app.rails("generate", "raaf:streaming:install", "--no-page")
      expect(migrations(app)).to eq([])
      app.rails("generate", "raaf:streaming:install", "--no-page", "--store")
      expect(migrations(app).size).to eq(1)
      app.rails("destroy", "raaf:streaming:install", "--store")
      expect(migrations(app)).to eq([])

      app.write("config/cable.yml", "production:\n  adapter: solid_cable\n")
      app.rails("generate", "raaf:streaming:install", "--no-page")
      expect(migrations(app).size).to eq(1)
      app.rails("destroy", "raaf:streaming:install")
      expect(migrations(app)).to eq([])
    end
  end

  it "puts them into a database of their own" do
    AppBuilder.copy(AppBuilder.installed) do |app|
      app.write("config/database.yml", <<~YAML)
        default: &default
          adapter: sqlite3
          pool: 5
          timeout: 5000
        development:
          primary:
            <<: *default
            database: storage/development.sqlite3
          streams:
            <<: *default
            database: storage/streams.sqlite3
            migrations_paths: db/streams_migrate
      YAML
      app.write("app/models/streams_record.rb", <<~RUBY)
        class StreamsRecord < ActiveRecord::Base
          self.abstract_class = true
          connects_to database: {writing: :streams, reading: :streams}
        end
      RUBY
      expect(app.rails("generate", command, "--database", "streams")).to include('new(base: "ItsName")')
      app.rails("db:migrate")
      other = [write, read].map { |code| code.gsub("Store.new", 'Store.new(base: "StreamsRecord")') }
      expect(app.rails("runner", usable)).to end_with("MemoryStore\nfalse\n")
      expect(app.rails("runner", other.first)).to end_with("true\n")
      expect(app.rails("runner", other.last)).to end_with("[1, 2, 3]\n1 2 3 \nfinished\n[\"1\"]\n")
    end
  end
end
