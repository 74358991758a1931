# frozen_string_literal: true

require_relative "app_process"

# The process that performs an application's jobs: Sidekiq, or Solid Queue's supervisor with its workers.
class JobWorker < AppProcess
  COMMANDS = {sidekiq: %w[bundle exec sidekiq], solid_queue: %w[bundle exec ruby bin/jobs]}.freeze
  # The last that it writes before it takes jobs: Sidekiq to its output, Solid Queue into Rails' log.
  READY = {sidekiq: /Sidekiq \S+ connecting to Redis .*\bdefault\b/, solid_queue: /Started Worker/}.freeze

  @starts = 0

  # @return [Integer] counts up: a start's log is its own
  def self.next_start
    @starts += 1
  end

  # @param app [RailsApp]
  # @param kind [Symbol] :sidekiq or :solid_queue
  # @param env [Hash{String=>String}] what the process gets besides
  # @param options [Array<String>] of its command
  def initialize(app, kind, env: {}, options: [])
    @kind = kind
    @options = options
    super(app, env: env)
  end

  def start
    @log = app.path("log", "#{@kind}-#{Process.pid}-#{self.class.next_start}.log")
    super
  end

  private

  attr_reader :log

  def command
    COMMANDS.fetch(@kind) + @options
  end

  def ready?
    written?(READY.fetch(@kind))
  end
end
