# frozen_string_literal: true

require "digest"
require "fileutils"
require_relative "app_parts"
require_relative "guide"
require_relative "rails_app"

# Makes Rails applications below tmp/rails/, each stage once: a folder's name has the digest of all that goes into it,
# so that it is made anew when any of that changes, and found again when nothing has.
#
#   fresh      what `rails new` makes, and the installers of its gems
#   installed  and what our generator makes
#   guide      and what a reader of the guide adds: its files, users, a way to sign in
#
# Each of them with another adapter of Action Cable's, and with jobs, where that is asked for: see AppParts. In an
# application with jobs it is the guide's job that answers; the channel and the page are the same.
module AppBuilder
  CHECKOUT = File.expand_path("../../..", __dir__)
  FOLDER = File.join(CHECKOUT, "tmp/rails")
  FILES = File.expand_path("../files", __dir__)

  # Left out is what no example needs and what takes time; the rest is what a new application has.
  NEW = %w[--skip-bundle --skip-git --skip-test --skip-bootsnap --skip-jbuilder --skip-brakeman --skip-rubocop
    --skip-action-mailbox --skip-action-text --skip-active-storage --skip-action-mailer --skip-kamal --skip-ci
    --skip-docker --asset-pipeline=propshaft --database=sqlite3].freeze
  # What the guide's reader pastes. The initializer takes the place of the generated one.
  PASTED = %w[app/channels/agent_channel.rb app/javascript/streaming_chat.js config/initializers/raaf_streaming.rb
    app/services/agent_orchestrator.rb app/services/collaborative_agent_service.rb
    app/services/streaming_analytics_service.rb spec/support/streaming_helpers.rb
    spec/services/streaming_agent_service_spec.rb].freeze
  # Where what streams send is kept in the database, too.
  CABLES_IN_DATABASE = %i[solid_cable postgresql].freeze
  # And where a job shall answer.
  PASTED_FOR_JOBS = %w[app/jobs/streaming_agent_job.rb app/services/async_agent_service.rb].freeze

  module_function

  # @param cable [Symbol] one of AppParts::CABLES
  # @param jobs [Symbol, nil] one of AppParts::JOBS
  # @return [RailsApp] for reading only; {copy} gives one to change
  def fresh(cable: :async, jobs: nil)
    return stage("fresh", "Gemfile.lock", "spec/rails/files/Gemfile", __FILE__) { |root| make_fresh(root) } if
      cable == :async && jobs.nil?

    stage(["fresh", cable, jobs], fresh.root, "spec/rails/support/app_parts.rb") do |root|
      AppParts.new(take(fresh, root), cable, jobs).install
    end
  end

  # @return [RailsApp]
  def installed(**parts)
    stage(["installed", *parts.values], fresh(**parts).root, "lib/generators/**/*",
      "lib/raaf/streaming/configuration.rb") do |root|
      app = take(fresh(**parts), root)
      puts_when_asked app.rails("generate", "raaf:streaming:install")
    end
  end

  # @return [RailsApp]
  def guide(**parts)
    stage(["guide", *parts.values], installed(**parts).root, "spec/rails/files/**/*", Guide::PATH) do |root|
      make_guide(take(installed(**parts), root), **parts)
    end
  end

  # A copy that an example may change; it is gone when the block is left.
  #
  # @param app [RailsApp]
  # @yieldparam copy [RailsApp]
  def copy(app)
    copy = copied(app)
    yield copy
  ensure
    FileUtils.rm_rf(copy.root) if copy
  end

  # @return [RailsApp] the same, for whoever removes its folder
  def copied(app)
    take(app, File.join(FOLDER, "copy-#{Process.pid}-#{@copies = @copies.to_i + 1}"))
  end

  # @return [String] where this checkout's gems are
  def bundle_path
    @bundle_path ||= File.expand_path(Bundler.bundle_path.to_s.delete_suffix("/ruby/#{RbConfig::CONFIG["ruby_version"]}"))
  end

  # Made in another folder and then renamed, so that a half-made one is never found.
  def stage(names, *inputs)
    name = Array(names).compact.join(".")
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
  def make_guide(app, cable: :async, jobs: nil)
    app.rails("generate", "model", "User", "name:string", "tier:string", "preferences:text", "password_digest:string")
    app.rails("generate", "rspec:install")
    FileUtils.cp_r("#{FILES}/app/.", app.root)
    route(app, 'get "sign_in/:id" => "sessions#create"')
    make_services(app) if Guide.here?
    make_jobs(app) if jobs
    app.replace("spec/rails_helper.rb", "# Rails.root.glob('spec/support", "Rails.root.glob('spec/support")
    app.write(".rspec", "--require rails_helper\n")
    app.rails("generate", "raaf:streaming:store") if CABLES_IN_DATABASE.include?(cable)
    # PostgreSQL's tables are made where its server is.
    return if cable == :postgresql

    app.rails("db:prepare", env: {"RAILS_ENV" => "development"})
    app.rails("db:migrate", env: {"RAILS_ENV" => "test"})
  end

  # The guide's files, and what uses its services.
  def make_services(app)
    paste(app, PASTED)
    FileUtils.cp_r("#{FILES}/services/.", app.root)
    route(app, 'get "room/:id/:action", controller: "rooms"')
    route(app, 'get "workflow/:id/:action", controller: "workflows"')
    route(app, 'get "figures/:action", controller: "figures"')
  end

  def make_jobs(app)
    FileUtils.cp_r("#{FILES}/jobs/.", app.root)
    paste(app, PASTED_FOR_JOBS) if Guide.here?
    route(app, "resources :asks, only: :create")
  end

  def route(app, line)
    start = "Rails.application.routes.draw do\n"
    app.replace("config/routes.rb", start, "#{start}  #{line}\n")
  end

  def paste(app, paths)
    paths.each { |path| app.write(path, Guide.file(path)) }
  end

  def puts_when_asked(output)
    puts output if ENV["RAAF_SHOW"]
  end
end
