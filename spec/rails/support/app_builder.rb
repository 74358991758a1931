# frozen_string_literal: true

require "digest"
require "fileutils"
require_relative "guide"
require_relative "rails_app"

# Makes Rails applications below tmp/rails/, each stage once: a folder's name has the digest of all that goes into it,
# so that it is made anew when any of that changes, and found again when nothing has.
#
#   fresh      what `rails new` makes, and the installers of its gems
#   installed  and what our generator makes
#   guide      and what a reader of the guide adds: its files, users, a way to sign in
module AppBuilder
  CHECKOUT = File.expand_path("../../..", __dir__)
  FOLDER = File.join(CHECKOUT, "tmp/rails")
  FILES = File.expand_path("../files", __dir__)

  # Left out is what no example needs and what takes time; the rest is what a new application has.
  NEW = %w[--skip-bundle --skip-git --skip-test --skip-bootsnap --skip-jbuilder --skip-brakeman --skip-rubocop
    --skip-action-mailbox --skip-action-text --skip-active-storage --skip-action-mailer --skip-kamal --skip-ci
    --skip-docker --asset-pipeline=propshaft --database=sqlite3].freeze
  # What the guide's reader pastes, for the channel and for its examples of specs.
  PASTED = %w[app/channels/agent_channel.rb app/javascript/streaming_chat.js spec/support/streaming_helpers.rb
    spec/services/streaming_agent_service_spec.rb].freeze

  module_function

  # @return [RailsApp] for reading only; {copy} gives one to change
  def fresh
    stage("fresh", "Gemfile.lock", "spec/rails/files/Gemfile", __FILE__) { |root| make_fresh(root) }
  end

  # @return [RailsApp]
  def installed
    stage("installed", fresh.root, "lib/generators/**/*", "lib/raaf/streaming/configuration.rb") do |root|
      app = take(fresh, root)
      puts_when_asked app.rails("generate", "raaf:streaming:install")
    end
  end

  # @return [RailsApp]
  def guide
    stage("guide", installed.root, "spec/rails/files/**/*", Guide::PATH) { |root| make_guide(take(installed, root)) }
  end

  # A copy that an example may change; it is gone when the block is left.
  #
  # @param app [RailsApp]
  # @yieldparam copy [RailsApp]
  def copy(app)
    root = File.join(FOLDER, "copy-#{Process.pid}-#{@copies = @copies.to_i + 1}")
    yield take(app, root)
  ensure
    FileUtils.rm_rf(root)
  end

  # @return [String] where this checkout's gems are
  def bundle_path
    @bundle_path ||= File.expand_path(Bundler.bundle_path.to_s.delete_suffix("/ruby/#{RbConfig::CONFIG["ruby_version"]}"))
  end

  # Made in another folder and then renamed, so that a half-made one is never found.
  def stage(name, *inputs)
    root = File.join(FOLDER, "#{name}-#{digest(inputs)}")
    return RailsApp.new(root) if File.directory?(root)

    Dir.glob(File.join(FOLDER, "#{name}-*")).each { |old| FileUtils.rm_rf(old) }
    making = "#{root}.making-#{Process.pid}"
    FileUtils.mkdir_p(FOLDER)
    yield making
    File.rename(making, root)
    RailsApp.new(root)
  ensure
    FileUtils.rm_rf(making) if making
  end

  def digest(inputs)
    parts = inputs.flat_map do |input|
      Dir.glob(File.expand_path(input, CHECKOUT)).sort.map do |file|
        File.file?(file) ? [file, File.binread(file)] : file
      end
    end
    Digest::SHA256.hexdigest(parts.join("\0"))[0, 12]
  end

  def take(app, root)
    FileUtils.rm_rf(root)
    FileUtils.cp_r(app.root, root)
    FileUtils.rm_f(Dir.glob("#{root}/log/*.log"))
    RailsApp.new(root)
  end

  # Rails' own generator, by this checkout's bundle; then the gems' installers by the application's.
  def make_fresh(root)
    output, status = Open3.capture2e("bundle", "exec", "rails", "new", root, *NEW, chdir: CHECKOUT)
    raise RailsApp::Failed, output unless status.success?

    app = RailsApp.new(root)
    FileUtils.cp(File.join(FILES, "Gemfile"), app.path("Gemfile"))
    app.run("bundle", "install", "--local")
    %w[importmap:install turbo:install stimulus:install].each { |task| app.rails(task) }
  end

  # Step for step what the guide's reader does after the generator.
  def make_guide(app)
    app.rails("generate", "model", "User", "name:string", "tier:string", "preferences:text", "password_digest:string")
    app.rails("generate", "rspec:install")
    FileUtils.cp_r("#{FILES}/app/.", app.root)
    PASTED.each { |path| app.write(path, Guide.file(path)) } if Guide.here?
    app.replace("spec/rails_helper.rb", "# Rails.root.glob('spec/support", "Rails.root.glob('spec/support")
    app.write(".rspec", "--require rails_helper\n")
    app.replace("config/initializers/raaf_streaming.rb", "config.chunk_buffer_size = 50",
      "config.chunk_buffer_size = Integer(ENV.fetch(\"CHUNK_BUFFER_SIZE\", \"50\"))")
    app.replace("config/routes.rb", "Rails.application.routes.draw do\n",
      "Rails.application.routes.draw do\n  get \"sign_in/:id\" => \"sessions#create\"\n")
    %w[development test].each { |env| app.rails("db:migrate", env: {"RAILS_ENV" => env}) }
  end

  def puts_when_asked(output)
    puts output if ENV["RAAF_SHOW"]
  end
end
