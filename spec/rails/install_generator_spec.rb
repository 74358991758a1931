# frozen_string_literal: true

require_relative "support/generators"

RSpec.describe "rails generate raaf:streaming:install" do
  include Generators

  before(:context) { AppBuilder.installed } # which may take longer than an example

  command = "raaf:streaming:install"

  # @return [Hash{String=>String}] of the files that differ
  def changes(before, after)
    (before.keys | after.keys).reject { |name| before[name] == after[name] }
  end

  it "changes nothing the second time, and destroy leaves the application as it was" do
    AppBuilder.copy(AppBuilder.installed) do |app|
      installed = app.files
      expect(changes(AppBuilder.fresh.files, installed).size).to be > 6
      app.rails("generate", command)
      expect(changes(installed, app.files)).to eq([])

      app.rails("destroy", command)
      expect(changes(AppBuilder.fresh.files, app.files)).to eq([])
      expect(Dir.exist?(app.path("app/services"))).to be(false)
    end
  end

  it "writes an initializer that explains every setting, and that the application boots with" do
    text = AppBuilder.installed.read("config/initializers/raaf_streaming.rb")
    set = text.scan(/^  (?:# )?config\.(\w+) = .+$/).flatten.map(&:to_sym)
    expect(set).to eq(RAAF::Streaming::Configuration.keys)
    expect(text.lines.grep(/^  # /).grep(/`|\{[A-Z#]|@\w/)).to eq([]) # YARD's marks
    # Each has some words above it.
    expect(text.scan(/^  # [A-Z].+\n(?:  # .+\n)*  (?:# )?config\./).size).to eq(set.size)

    AppBuilder.copy(AppBuilder.installed) do |app|
      all = text.gsub(/^  # (config\.\w+ = )/, '  \1')
      app.write("config/initializers/raaf_streaming.rb", all)
      changed = app.rails("runner", "puts RAAF::Streaming.configuration.changes_from(RAAF::Streaming::Configuration.new).to_json")
      expect(changed.lines.last.chomp).to eq('{"chunk_buffer_size":50}')
    end
  end

  it "says what is left to do" do
    AppBuilder.copy(AppBuilder.fresh) do |app|
      said = app.rails("generate", command)
      expect(said).to match(/Left for you:\n.*agent_service\.rb says who answers.*needs gem "\w+".*agent_channel\.rb/m)
      expect(said).to include("OPENAI_API_KEY", "define find_user there")
    end
  end

  it "says nothing of what is done already" do
    AppBuilder.copy(AppBuilder.installed) do |app|
      app.replace("app/services/agent_service.rb", "gpt-4o", "gpt-4o-mini")
      ["app/channels/agent_channel.rb", "app/javascript/streaming_chat.js", "app/models/user.rb"].each do |path|
        app.write(path, "# Mine\n")
      end
      said = app.rails("generate", command)
      expect(said).to include("Left for you:")
      expect(said).not_to match(/paste|find_user|have it inherit/)
    end
  end

  it "makes the channels where the application has none, and takes them away again" do
    AppBuilder.copy(AppBuilder.fresh) do |app|
      FileUtils.rm_rf(app.path("app/channels"))
      app.rails("generate", command)
      loaded = "puts ApplicationCable::Connection.identifiers.to_a, ApplicationCable::Channel.superclass"
      expect(app.rails("runner", loaded)).to end_with("current_user\nActionCable::Channel::Base\n")
      app.rails("destroy", command)
      expect(Dir.exist?(app.path("app/channels"))).to be(false)
    end
  end

  # What tells the generator how JavaScript gets to the browser, and what it makes of that.
  built = %({\n  "name": "app",\n  "scripts": {"build": "esbuild app/javascript/*.* --bundle"}\n})
  ways = {
    "esbuild" => [{"package.json" => built},
      "app/javascript", 'javascript_include_tag "streaming_chat", type: "module"'],
    "webpack" => [{"package.json" => %({\n\t"dependencies": {\n\t\t"x": "1"\n\t}\n}\n), "yarn.lock" => ""},
      "app/javascript", 'javascript_include_tag "streaming_chat", type: "module"'],
    "Vite" => [{"package.json" => "{}", "config/vite.json" => "{}"}, "app/frontend",
      'vite_javascript_tag "streaming_chat"'],
    "Vite with Action Cable" => [
      {"package.json" => %({"devDependencies": {"@rails/actioncable": "^7.1.0"}}),
       "config/vite.json" => %({"all": {"sourceCodeDir": "app/javascript", "entrypointsDir": "entries"}})},
      "app/javascript", 'vite_javascript_tag "streaming_chat"'
    ]
  }
  ways.each do |name, (files, folder, tag)|
    it "sets up JavaScript by #{name}, changes nothing the second time, and takes all of it back",
      deep: name != "esbuild" do
      AppBuilder.copy(AppBuilder.fresh) do |app|
        FileUtils.rm(app.path("config/importmap.rb"))
        files.each { |file, content| app.write(file, content) }
        before = app.files
        generate(app, "install")
        made = app.files
        expect(JSON.parse(made["package.json"]).slice("dependencies", "devDependencies").values.reduce(:merge))
          .to include("@rails/actioncable")
        expect(made["package.json"] == before["package.json"]).to be(name == "Vite with Action Cable")
        expect(made).to include("#{folder}/consumer.js", "#{folder}/raaf_streaming/index.js")
        expect(made["app/views/streaming_chat/show.html.erb"]).to end_with("<%= #{tag} %>\n")

        generate(app, "install")
        expect(app.files).to eq(made)
        generate(app, "install", revoke: true)
        expect(changes(before, app.files)).to eq([])
        expect(Dir.exist?(app.path(folder, "raaf_streaming"))).to be(false)
      end
    end
  end

  it "says what is left for each bundler" do
    AppBuilder.copy(AppBuilder.fresh) do |app|
      FileUtils.rm(app.path("config/importmap.rb"))
      expect(generate(app, "install --pretend")).to include("set up importmap-rails, jsbundling-rails or vite_rails")

      app.write("package.json", "{}")
      app.write("pnpm-lock.yaml", "")
      expect(generate(app, "install --pretend"))
        .to include("pnpm install: @rails/actioncable is new", "streaming_chat.js, an entry point: the page loads it")
    end
  end

  it "says what to do where the application goes from one way to another" do
    AppBuilder.copy(AppBuilder.installed) do |app|
      FileUtils.rm(app.path("config/importmap.rb"))
      app.write("package.json", "{}")
      expect(generate(app, "install"))
        .to include('does not import from "./raaf_streaming/index": --force writes it', "is missing in package.json")
      expect(generate(app, "install --force")).not_to include("does not import")
      expect(app.read("app/views/streaming_chat/show.html.erb")).to include("javascript_include_tag")
      generate(app, "install", revoke: true)
      expect(app.read("package.json")).to eq("{}")
    end
  end

  it "has copies of the modules that find each other, and brings them up to date" do
    AppBuilder.copy(AppBuilder.fresh) do |app|
      FileUtils.rm(app.path("config/importmap.rb"))
      app.write("package.json", "{}")
      generate(app, "install")
      folder = "app/javascript/raaf_streaming"
      made = app.files.select { |name, _| name.start_with?(folder) }
      imported = made.values.flat_map { |content| content.scan(%r{^(?!//).*(?:from|import) "(.+)"}).flatten }.uniq
      expect(imported.map { |name| name.sub("./", "#{folder}/") + ".js" } - made.keys).to eq([])

      app.write("#{folder}/index.js", made["#{folder}/index.js"] + "changed()")
      app.write("#{folder}/gone.js", made["#{folder}/index.js"])
      app.write("#{folder}/mine.js", "mine()")
      generate(app, "install")
      expect(app.files.select { |name, _| name.start_with?(folder) })
        .to eq(made.merge("#{folder}/mine.js" => "mine()"))
    end
  end

  it "leaves alone what the application has of its own, and so does destroy" do
    own = {"app/services/agent_service.rb" => "class AgentService\nend\n",
           "app/services/streaming_agent_service.rb" => "class StreamingAgentService\nend\n",
           "app/javascript/consumer.js" => "export default null\n",
           "app/controllers/streaming_chat_controller.rb" => "class StreamingChatController\nend\n",
           "app/views/streaming_chat/show.html.erb" => "Mine\n",
           "config/initializers/raaf_streaming.rb" => "RAAF::Streaming.configure { |config| config.max_turns = 3 }\n",
           "app/channels/application_cable/channel.rb" => <<~RUBY,
             class ApplicationCable::Channel < ActionCable::Channel::Base
               include RAAF::Streaming::ChannelActions
             end
           RUBY
           "app/jobs/application_job.rb" => "class ApplicationJob\n  include RAAF::Streaming::AgentJob\nend\n",
           "app/channels/application_cable/connection.rb" => <<~RUBY}
             module ApplicationCable
               class Connection < ActionCable::Connection::Base
                 identified_by :current_account
               end
             end
           RUBY
    AppBuilder.copy(AppBuilder.fresh) do |app|
      own.each { |name, content| app.write(name, content) }
      app.replace("config/importmap.rb", "pin \"application\"\n", "pin \"application\"\npin \"@rails/actioncable\"\n")
      app.replace("config/routes.rb", "draw do\n", "draw do\n  get \"chat\", to: \"rooms#show\"\n")
      before = app.files
      said = generate(app, "install --force")

      expect(changes(before, app.files)).to eq(%w[config/importmap.rb])
      expect(app.read("config/importmap.rb").scan("@rails/actioncable").size).to eq(1)
      expect(said).to include("connection.rb finds its user itself", "agent_service.rb is yours",
        "consumer.js is yours", "/chat is yours",
        "raaf_streaming.rb is kept as it is, and says nothing of chunk_buffer_size,")
      generate(app, "install", revoke: true)
      expect(changes(before, app.files)).to eq([])
    end
  end

  it "has a connection find its user that does not yet, whichever way its class is written" do
    AppBuilder.copy(AppBuilder.fresh) do |app|
      path = "app/channels/application_cable/connection.rb"
      app.write(path, "class ApplicationCable::Connection < ActionCable::Connection::Base\n  def mine = true\nend\n")
      before = app.files
      generate(app, "install")
      expect(app.rails("runner", "puts ApplicationCable::Connection.identifiers.to_a")).to end_with("current_user\n")
      generate(app, "install", revoke: true)
      expect(changes(before, app.files)).to eq([])
    end
  end

  it "has nothing to say of a connection that knows current_user, as of Rails' own authentication" do
    AppBuilder.copy(AppBuilder.fresh) do |app|
      path = "app/channels/application_cable/connection.rb"
      app.write(path, "module ApplicationCable\n  class Connection < ActionCable::Connection::Base\n" \
                      "    identified_by :current_user\n  end\nend\n")
      before = app.read(path)
      expect(generate(app, "install")).not_to include("connection.rb")
      expect(app.read(path)).to eq(before)
    end
  end

  it "keeps what has been changed in its files, unless --force is given, and writes nothing with --pretend" do
    AppBuilder.copy(AppBuilder.installed) do |app|
      before = app.files
      app.replace("app/services/agent_service.rb", "You are a helpful assistant.", "Be brief.")
      app.replace("config/initializers/raaf_streaming.rb", "config.chunk_buffer_size = 50",
        "config.chunk_buffer_size = 20")
      changed = app.files
      generate(app, "install", "install --skip", "install --pretend")
      generate(app, "install --pretend", revoke: true)
      expect(changes(changed, app.files)).to eq([])
      generate(app, "install --force")
      expect(changes(before, app.files)).to eq([])
    end
  end

  it "says of Action Cable's adapter in production what matters" do
    notes = {"async" => /production has async, by which other processes/,
             "redis" => /needs gem "redis" in the Gemfile.*reconnect_attempts/,
             "solid_cable" => /needs gem "solid_cable"/, "postgresql" => /needs gem "pg"/, "mine" => /\A\n\z/,
             "" => /names no adapter for production/}
    AppBuilder.copy(AppBuilder.fresh) do |app|
      said = app.rails("runner", <<~RUBY)
        require "generators/raaf/streaming/install/cable_notes"
        #{notes.keys.inspect}.each do |adapter|
          File.write("config/cable.yml", {(adapter.empty? ? "test" : "production") => {"adapter" => adapter}}.to_yaml)
          puts "--", RAAF::Streaming::Generators::CableNotes.all.join
        end
      RUBY
      expect(said.split("--\n").drop(1)).to match(notes.values)
    end
  end

  it "adds to an application's own channel what makes answers resumable, and takes it back" do
    own = <<~RUBY
      module ApplicationCable
        class Channel < ActionCable::Channel::Base
          def greeting = "ours"
        end
      end
    RUBY
    AppBuilder.copy(AppBuilder.fresh) do |app|
      app.write("app/channels/application_cable/channel.rb", own)
      app.rails("generate", command)
      asked = "puts ApplicationCable::Channel.include?(RAAF::Streaming::ChannelActions), " \
              "ApplicationCable::Channel.method_defined?(:greeting)"
      expect(app.rails("runner", asked)).to end_with("true\ntrue\n")
      app.rails("destroy", command)
      expect(app.read("app/channels/application_cable/channel.rb")).to eq(own)
    end
  end

  it "makes no page where none is wanted, and limits what is shown of a user where that is" do
    AppBuilder.copy(AppBuilder.fresh) do |app|
      app.write("app/models/user.rb", <<~RUBY)
        class User
          include ActiveModel::Model
          include ActiveModel::Serializers::JSON
          attr_accessor :id, :name, :password_digest
          def attributes = {"id" => id, "name" => name, "password_digest" => password_digest}
        end
      RUBY
      before = app.files
      app.rails("generate", command, "--no-page", "--safe-user")
      shown = app.rails("runner", "puts({user: User.new(id: 1, name: 'Ann', password_digest: 'x')}.to_json)")

      expect(shown.lines.last.chomp).to eq('{"user":{"id":1,"name":"Ann"}}')
      expect(app.file?("app/views/streaming_chat/show.html.erb")).to be(false)
      expect(app.read("config/routes.rb")).not_to include("streaming_chat")
      app.rails("destroy", command)
      expect(changes(before, app.files)).to eq([])
    end
  end
end
