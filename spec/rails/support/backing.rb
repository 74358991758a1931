# frozen_string_literal: true

require_relative "../../support/postgres_server"
require_relative "../../support/redis_server"

# The servers that an application needs besides, by its parts: see AppParts. They are the example's own.
class Backing
  # @return [RedisServer, nil]
  attr_reader :redis
  # @return [PostgresServer, nil]
  attr_reader :postgres

  # @param cable [Symbol]
  # @param jobs [Symbol, nil]
  def initialize(cable, jobs = nil)
    @redis = RedisServer.new if cable == :redis || jobs == :sidekiq
    @postgres = PostgresServer.new if cable == :postgresql
  end

  # @return [Hash{String=>String}] where they are
  def env
    {"REDIS_URL" => redis&.url, "DATABASE_URL" => postgres&.url("app")}.compact
  end

  # Makes the tables that are in none of the application's files.
  #
  # @param app [RailsApp]
  # @return [void]
  def prepare(app)
    app.rails("db:prepare", env: env) if postgres
  end

  # @return [void]
  def stop
    redis&.stop
    postgres&.stop
  end
end
