# frozen_string_literal: true

require "etc"
require "fileutils"
require "socket"
require "tmpdir"

# A real PostgreSQL of the spec's own, on a free port of loopback, in a temporary folder that goes with it. It trusts
# whoever connects, and does not wait for the disk: what was committed outlives its crash, not the machine's.
#
#   server = PostgresServer.new
#   server.create_database("app")
#   server.url("app")   # "postgresql://postgres@127.0.0.1:40123/app"
#   server.stop
class PostgresServer
  # Seconds that it may take to start, or to stop.
  LIMIT = ENV["RAAF_SLOW"] ? 300 : 60
  MISSING = "PostgreSQL is missing: bin/setup installs it (Debian: apt-get install postgresql)"
  USER = "postgres"
  # What is not worth its time for data that nobody needs afterwards.
  OPTIONS = {fsync: "off", full_page_writes: "off", max_connections: 200}.freeze

  # @return [Integer]
  attr_reader :port
  # @return [Integer, nil] of the postmaster; nil: it is stopped
  attr_reader :pid

  # @return [String, nil] the folder of its programs, the newest version's
  def self.programs
    folders = Dir["/usr/lib/postgresql/*/bin"].sort_by { |folder| folder[/\d+/].to_i }.reverse
    (folders + ENV["PATH"].split(":")).find { |folder| File.executable?(File.join(folder, "initdb")) }
  end

  # @raise [RuntimeError] where it is not installed
  def initialize
    @programs = self.class.programs or raise MISSING
    @port = TCPServer.open("127.0.0.1", 0) { |server| server.addr[1] }
    @folder = Dir.mktmpdir("raaf-postgres")
    FileUtils.chown(USER, USER, @folder) if root?
    run("initdb", "--pgdata", data, "--username", USER, "--auth", "trust", "--encoding", "UTF8", "--locale", "C",
      "--no-sync")
    start
  end

  # @param database [String]
  # @return [String]
  def url(database = "postgres")
    "postgresql://#{USER}@127.0.0.1:#{port}/#{database}"
  end

  # @param name [String]
  # @return [void]
  def create_database(name)
    run("createdb", "--host", "127.0.0.1", "--port", port.to_s, "--username", USER, name)
  end

  # Starts it again on its port, with what it has kept.
  def start
    options = {port: port, listen_addresses: "127.0.0.1", unix_socket_directories: @folder, **OPTIONS}
    flags = options.flat_map { |name, value| ["-c", "#{name}=#{value}"] }
    @pid = Process.spawn(*as_user, program("postgres"), "-D", data, *flags, out: log, err: log, chdir: @folder)
    wait_until_it_answers
  end

  # Cuts all connections. What is kept stays until {#stop} is called without `keep`.
  #
  # @param signal [Symbol] :INT ends it in order; :KILL for a crash
  # @param keep [Boolean] whether it is to be started again
  def stop(signal = :INT, keep: false)
    if @pid
      Process.kill(signal, @pid)
      Process.wait(@pid)
      @pid = nil
    end
    FileUtils.rm_rf(@folder) unless keep
  end

  private

  def data
    File.join(@folder, "data")
  end

  def log
    [File.join(@folder, "log"), "a"]
  end

  def program(name)
    File.join(@programs, name)
  end

  def root?
    Process.uid.zero?
  end

  # It refuses to run as root. setpriv becomes the program, so that the process is the program's.
  def as_user
    return [] unless root?

    ["setpriv", "--reuid=#{USER}", "--regid=#{USER}", "--clear-groups", "--"]
  end

  def run(name, *arguments)
    return if system(*as_user, program(name), *arguments, out: log, err: log, chdir: @folder)

    raise "#{name} failed:\n#{said}"
  end

  # @return [String] the last lines of what it has written
  def said
    File.readlines(log.first).last(10).join
  end

  def wait_until_it_answers
    deadline = now + LIMIT
    until answers?
      raise "PostgreSQL ended at once:\n#{said}" if Process.wait(@pid, Process::WNOHANG)
      raise "PostgreSQL does not answer:\n#{said}" if now > deadline

      sleep 0.05
    end
  end

  def answers?
    system(program("pg_isready"), "--quiet", "--host", "127.0.0.1", "--port", port.to_s)
  end

  def now
    Process.clock_gettime(Process::CLOCK_MONOTONIC)
  end
end
