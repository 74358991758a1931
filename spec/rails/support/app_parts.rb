# frozen_string_literal: true

# What an application is given besides, before our generator runs: an adapter of Action Cable's and one of ActiveJob's,
# each by its gem's own installer, and set up for development, where installers leave the async ones, as its README
# says.
#
# Where servers are stands in the environment (REDIS_URL, DATABASE_URL), so that one stage serves any port. What is in
# SQLite stays there when the application's own tables are in PostgreSQL.
class AppParts
  CABLES = %i[async redis solid_cable postgresql].freeze
  JOBS = %i[async sidekiq solid_queue].freeze

  # The Gemfile's lines.
  GEMS = {redis: ["redis"], solid_cable: ["solid_cable"], postgresql: ["pg"], sidekiq: ["sidekiq"],
          solid_queue: ["solid_queue"]}.freeze

  # @param app [RailsApp] as `rails new` made it
  # @param cable [Symbol] one of {CABLES}
  # @param jobs [Symbol, nil] one of {JOBS}; nil: the application has none
  def initialize(app, cable, jobs)
    @app = app
    @cable = cable
    @jobs = jobs
  end

  # @return [void]
  def install
    install_gems
    send(:"install_#{@cable}") unless @cable == :async
    send(:"install_#{@jobs}") if @jobs && @jobs != :async
  end

  private

  def install_gems
    gems = GEMS.values_at(@cable, @jobs).flatten.compact
    return if gems.empty?

    @app.write("Gemfile", @app.read("Gemfile") + gems.map { |name| "gem #{name.inspect}\n" }.join)
    @app.run("bundle", "install", "--local")
  end

  def install_redis
    cable("  adapter: redis\n  url: <%= ENV.fetch(\"REDIS_URL\") { \"redis://localhost:6379/1\" } %>\n")
  end

  # Every server listens on a connection of Active Record's.
  def install_postgresql
    database("  primary:\n    adapter: postgresql\n    encoding: unicode\n    url: <%= ENV[\"DATABASE_URL\"] %>\n" \
             "    pool: <%= ENV.fetch(\"RAILS_MAX_THREADS\") { 5 } %>\n")
    cable("  adapter: postgresql\n")
  end

  def install_solid_cable
    @app.rails("generate", "solid_cable:install")
    add_database("cable")
    production = @app.read("config/cable.yml")[/^production:\n(.*?)(?:\n\n|\z)/m, 1]
    cable("#{production}\n")
  end

  def install_sidekiq
    queue_adapter(":sidekiq")
  end

  def install_solid_queue
    @app.rails("generate", "solid_queue:install")
    add_database("queue")
    queue_adapter(":solid_queue", "\n  config.solid_queue.connects_to = {database: {writing: :queue}}")
  end

  def queue_adapter(name, more = "")
    @app.replace("config/environments/development.rb", "Rails.application.configure do\n",
      "Rails.application.configure do\n  config.active_job.queue_adapter = #{name}#{more}\n")
  end

  def cable(lines)
    @app.write("config/cable.yml", @app.read("config/cable.yml").sub(/^development:\n(?:  .*\n)+/) do
      "development:\n#{lines}"
    end)
  end

  # @return [void]
  def add_database(name)
    database("#{one_database}  #{name}:\n    <<: *default\n    database: storage/development_#{name}.sqlite3\n" \
             "    migrations_paths: db/#{name}_migrate\n")
  end

  # The lines of development, as they are where there are several databases.
  def one_database
    lines = @app.read("config/database.yml")[/^development:\n((?:  .*\n)+)/, 1]
    lines.start_with?("  primary:") ? lines : "  primary:\n#{lines.gsub(/^/, "  ")}"
  end

  def database(lines)
    @app.write("config/database.yml", @app.read("config/database.yml").sub(/^development:\n(?:  .*\n)+/) do
      "development:\n#{lines}"
    end)
  end
end
