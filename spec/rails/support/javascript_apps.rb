# frozen_string_literal: true

require_relative "app_builder"

# The application of the guide, with its JavaScript brought to the browser by a bundler: made as {AppBuilder} makes its
# own, in the same stages. What the bundlers are made of comes by npm, from the registry that the machine is set up for.
module JavaScriptApps
  # How each gets into a new application, and makes what the browser loads.
  WAYS = {
    esbuild: {gem: "jsbundling-rails", build: %w[npm run build]},
    vite: {gem: "vite_rails", build: %w[bundle exec vite build --mode development]}
  }.freeze
  # Vite's own demand. Source: https://vite.dev/guide/, for Vite 8.
  NODE = "20.19"

  module_function

  # @param way [Symbol] of WAYS, or :importmap
  # @return [RailsApp]
  def guide(way)
    return AppBuilder.guide if way == :importmap

    AppBuilder.stage("#{way}-guide", installed(way).root, "spec/rails/files/**/*", Guide::PATH) do |root|
      app = AppBuilder.take(installed(way), root)
      AppBuilder.make_guide(app)
      app.run(*WAYS.fetch(way)[:build])
    end
  end

  # @return [RailsApp] that ran our generator, and what that said is left to run
  def installed(way)
    AppBuilder.stage("#{way}-installed", fresh(way).root, "lib/generators/**/*", "app/javascript/**/*") do |root|
      app = AppBuilder.take(fresh(way), root)
      app.rails("generate", "raaf:streaming:install")
      app.run("npm", "install")
    end
  end

  # @return [RailsApp] with the bundler
  def fresh(way)
    AppBuilder.stage("#{way}-fresh", "Gemfile.lock", "spec/rails/files/Gemfile", __FILE__) do |root|
      app = make_new(root, WAYS.fetch(way)[:gem])
      (way == :vite) ? add_vite(app) : add_esbuild(app)
    end
  end

  def make_new(root, gem)
    command = ["bundle", "exec", "rails", "new", root, *AppBuilder::NEW, "--skip-javascript"]
    output, status = Open3.capture2e(*command, chdir: AppBuilder::CHECKOUT)
    raise RailsApp::Failed, output unless status.success?

    RailsApp.new(root).tap do |app|
      FileUtils.cp(File.join(AppBuilder::FILES, "Gemfile"), app.path("Gemfile"))
      app.replace("Gemfile", 'gem "importmap-rails"', "gem #{gem.inspect}")
      app.run("bundle", "install", "--local")
    end
  end

  # Its installer wants yarn; without that it writes all but esbuild itself.
  def add_esbuild(app)
    app.rails("javascript:install:esbuild")
    app.run("npm", "install", "--save-dev", "esbuild")
  end

  # Its installer says nothing where the registry has not the version of the plugin that it wants; any will do.
  def add_vite(app)
    FileUtils.mkdir_p(app.path("app/javascript"))
    app.run("bundle", "exec", "vite", "install", "--package-manager=npm")
    app.run("npm", "install", "--save-dev", "vite", "vite-plugin-ruby") unless app.file?("package-lock.json")
    app.replace("config/vite.json", '"all": {', '"all": { "skipCompatibilityCheck": true,')
  end

  # @return [String, nil] why a way cannot be tried here
  def missing(way)
    return if way == :importmap

    version = IO.popen(%w[node --version], &:read).delete_prefix("v").strip
    IO.popen(%w[npm --version], &:read)
    "Vite needs Node.js #{NODE} or newer" if way == :vite && Gem::Version.new(version) < Gem::Version.new(NODE)
  rescue Errno::ENOENT
    "Node.js and npm are missing: bin/setup deep installs them (Debian: apt-get install nodejs npm)"
  end
end
