# frozen_string_literal: true

require "socket"
require "tmpdir"

# A real Redis of the spec's own, on a free port of loopback, which keeps nothing.
class RedisServer
  # Seconds that it may take to start.
  LIMIT = ENV["RAAF_SLOW"] ? 60 : 15

  # @return [Integer]
  attr_reader :port
  # @return [Integer]
  attr_reader :pid

  # @param port [Integer] where one that was stopped comes back
  def initialize(port: free_port)
    @port = port
    start
  end

  # @return [String]
  def url
    "redis://127.0.0.1:#{port}/0"
  end

  # Starts it again on its port, with nothing in it.
  def start
    @folder = Dir.mktmpdir("raaf-redis")
    @pid = Process.spawn("redis-server", "--port", port.to_s, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no",
      "--dir", @folder, out: File::NULL, err: File::NULL)
    wait_until_it_answers
  rescue Errno::ENOENT
    raise "redis-server is missing: bin/setup installs it (Debian: apt-get install redis-server)"
  end

  # @param signal [Symbol] :KILL for a crash
  def stop(signal = :TERM)
    return unless @pid

    Process.kill(signal, @pid)
    Process.wait(@pid)
    @pid = nil
    FileUtils.rm_rf(@folder)
  end

  private

  def free_port
    TCPServer.open("127.0.0.1", 0) { |server| server.addr[1] }
  end

  def wait_until_it_answers
    deadline = Process.clock_gettime(Process::CLOCK_MONOTONIC) + LIMIT
    until answers?
      raise "redis-server ended at once" if Process.wait(@pid, Process::WNOHANG)
      raise "redis-server does not answer" if Process.clock_gettime(Process::CLOCK_MONOTONIC) > deadline

      sleep 0.02
    end
  end

  def answers?
    TCPSocket.open("127.0.0.1", port) do |socket|
      socket.write("PING\r\n")
      socket.gets == "+PONG\r\n"
    end
  rescue SystemCallError
    false
  end
end
