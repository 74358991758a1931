# frozen_string_literal: true

require "net/http"
require "socket"
require_relative "app_process"

# A real Puma that serves an application, as a process of its own on a free port of loopback, where it comes back when
# it is started again.
class AppServer < AppProcess
  # @return [Integer]
  attr_reader :port

  # @param app [RailsApp]
  # @param env [Hash{String=>String}] what the process gets besides, such as the model server's address
  # @param workers [Integer] processes in Puma's cluster; 0: it is a single one
  def initialize(app, env: {}, workers: 0)
    @port = TCPServer.open("127.0.0.1", 0) { |server| server.addr[1] }
    @workers = workers
    super(app, env: env)
  end

  # @return [String]
  def url
    "http://127.0.0.1:#{port}"
  end

  private

  def command
    ["bundle", "exec", "puma", "-w", @workers.to_s, "-b", "tcp://127.0.0.1:#{port}"]
  end

  def log
    app.path("log", "puma-#{port}.log")
  end

  def ready?
    Net::HTTP.get_response(URI("#{url}/up")).is_a?(Net::HTTPSuccess)
  rescue SystemCallError, EOFError
    false
  end
end
