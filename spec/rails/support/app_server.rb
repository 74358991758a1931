# frozen_string_literal: true

require "net/http"
require "socket"
require_relative "rails_app"

# A real Puma that serves an application, as a process of its own on a free port of loopback.
class AppServer
  # Seconds that it may take to start, and to end.
  LIMIT = ENV["RAAF_SLOW"] ? 180 : 60

  # @return [RailsApp]
  attr_reader :app
  # @return [Integer]
  attr_reader :port
  # @return [Integer, nil]
  attr_reader :pid

  # @param app [RailsApp]
  # @param env [Hash{String=>String}] what the process gets besides, such as the model server's address
  def initialize(app, env: {})
    @app = app
    @env = env
    @port = TCPServer.open("127.0.0.1", 0) { |server| server.addr[1] }
    start
  end

  # @return [String]
  def url
    "http://127.0.0.1:#{port}"
  end

  # Starts it, again where it was stopped, and waits until it answers.
  def start
    @log = app.path("log", "puma-#{port}.log")
    @pid = Process.spawn(app.environment(@env), "bundle", "exec", "puma", "-b", "tcp://127.0.0.1:#{port}",
      chdir: app.root, unsetenv_others: true, in: File::NULL, out: [@log, "a"], err: %i[child out])
    wait_until_it_answers
  rescue
    stop(:KILL)
    raise
  end

  # @param signal [Symbol] :KILL for a crash
  # @return [void]
  def stop(signal = :TERM)
    return unless @pid

    Process.kill(signal, @pid)
    unless ended?
      Process.kill(:KILL, @pid)
      Process.wait(@pid)
    end
    @pid = nil
  end

  # @return [String] what it wrote, and Rails' log
  def logs
    [@log, app.path("log", "development.log")].select { |file| File.file?(file) }
      .map { |file| "== #{File.basename(file)}\n#{File.readlines(file).last(120).join}" }.join("\n")
  end

  # @param pattern [Regexp] of a line
  # @raise [RailsApp::Failed] where none comes
  # @return [void]
  def wait_for_log(pattern)
    deadline = now + LIMIT
    until logs.match?(pattern)
      raise RailsApp::Failed, "no line like #{pattern.inspect} in the log:\n#{logs}" if now > deadline

      sleep 0.05
    end
  end

  private

  def now
    Process.clock_gettime(Process::CLOCK_MONOTONIC)
  end

  def ended?
    deadline = now + LIMIT
    sleep 0.02 until (ended = Process.wait(@pid, Process::WNOHANG)) || now > deadline
    ended
  end

  def wait_until_it_answers
    deadline = now + LIMIT
    until answers?
      raise RailsApp::Failed, "Puma ended at once:\n#{logs}" if Process.wait(@pid, Process::WNOHANG)
      raise RailsApp::Failed, "Puma does not answer:\n#{logs}" if now > deadline

      sleep 0.05
    end
  end

  def answers?
    Net::HTTP.get_response(URI("#{url}/up")).is_a?(Net::HTTPSuccess)
  rescue SystemCallError, EOFError
    false
  end
end
