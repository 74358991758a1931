# frozen_string_literal: true

require "raaf/testing"

# The guide's application as it runs: its processes, the servers that they need, and the model server of this process
# that they ask.
class RunningApp
  # Those that files share: by their parts. They run to the end of the suite.
  @shared = {}

  class << self
    # @param parts [Hash{Symbol=>Symbol}] as AppBuilder.guide's
    # @return [RunningApp] one that other examples use too, each as a user of its own
    def shared(**parts)
      @shared[parts] ||= new(**parts)
    end

    # @return [void]
    def stop_shared
      @shared.each_value(&:stop).clear
    end
  end

  # @return [RAAF::Testing::ModelServer]
  attr_reader :model
  # @return [Backing]
  attr_reader :backing
  # @return [JobWorker, nil]
  attr_reader :worker
  # @return [AppServer]
  attr_reader :server

  # It runs in a folder of its own, with databases of its own: workers of two would take each other's jobs.
  #
  # @param cable [Symbol]
  # @param jobs [Symbol, nil]
  # @param env [Hash{String=>String}] what its processes get besides
  # @param workers [Integer] Puma's
  # @param worker_options [Array<String>] of the command that performs jobs
  # @yieldparam app [RailsApp] before it runs
  def initialize(cable: nil, jobs: nil, env: {}, workers: 0, worker_options: [])
    @app = AppBuilder.copied(AppBuilder.guide(**{cable: cable, jobs: jobs}.compact))
    yield @app if block_given?
    @model = RAAF::Testing::ModelServer.start
    @backing = Backing.new(cable, jobs)
    @backing.prepare(@app)
    env = {"OPENAI_BASE_URL" => @model.base_url, "OPENAI_API_KEY" => "sk-none", **@backing.env, **env}
    @worker = JobWorker.new(@app, jobs, env: env, options: worker_options) if JobWorker::COMMANDS.key?(jobs)
    @server = AppServer.new(@app, env: env, workers: workers)
  rescue
    stop
    raise
  end

  # @return [void]
  def stop
    [server, worker, backing, model].each { |each| each&.stop }
    FileUtils.rm_rf(@app.root) if @app
  end
end
