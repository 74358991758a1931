# frozen_string_literal: true

RSpec.describe "rails generate raaf:streaming:install" do
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
      expect(said).to match(/Left for you:\n.*agent_service\.rb says who answers.*agent_channel\.rb.*OPENAI_API_KEY/m)
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

  it "leaves alone what the application has of its own" do
    own = {"app/services/agent_service.rb" => "class AgentService\nend\n",
           "app/javascript/consumer.js" => "export default null\n",
           "app/channels/application_cable/connection.rb" => <<~RUBY}
             module ApplicationCable
               class Connection < ActionCable::Connection::Base
                 identified_by :current_user
               end
             end
           RUBY
    AppBuilder.copy(AppBuilder.fresh) do |app|
      own.each { |name, content| app.write(name, content) }
      app.replace("config/importmap.rb", "pin \"application\"\n", "pin \"application\"\npin \"@rails/actioncable\"\n")
      said = app.rails("generate", command)

      expect(own.keys.to_h { |name| [name, app.read(name)] }).to eq(own)
      expect(said).to include("connection.rb finds its user itself")
      expect(app.read("config/importmap.rb").scan("@rails/actioncable").size).to eq(1)
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
      app.rails("generate", command, "--no-page", "--safe-user")
      shown = app.rails("runner", "puts({user: User.new(id: 1, name: 'Ann', password_digest: 'x')}.to_json)")

      expect(shown.lines.last.chomp).to eq('{"user":{"id":1,"name":"Ann"}}')
      expect(app.file?("app/views/streaming_chat/show.html.erb")).to be(false)
      expect(app.read("config/routes.rb")).not_to include("streaming_chat")
    end
  end

  it "says where it cannot set up JavaScript" do
    AppBuilder.copy(AppBuilder.fresh) do |app|
      FileUtils.rm(app.path("config/importmap.rb"))
      app.write("package.json", '{"scripts": {"build": "esbuild app/javascript/*.*"}}')
      said = app.rails("generate", command)

      expect(said).to include("esbuild: this version sets up importmap-rails only")
      expect(app.file?("app/javascript/consumer.js")).to be(false)
    end
  end
end
