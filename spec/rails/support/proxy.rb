# frozen_string_literal: true

require "socket"

# Stands between a browser and a server, passes bytes on both ways, and lets the network fail: connections are reset,
# and new ones refused for a while. Its methods may be called from any thread.
class Proxy
  # Bytes at once.
  PIECE = 16_384

  # @return [Integer]
  attr_reader :port

  # @param target [Integer] the server's port on loopback
  def initialize(target)
    @target = target
    @lock = Mutex.new # covers the rest
    @pairs = []
    @refuses_until = 0
    @stopped = false
    listen(0)
  end

  # @return [String]
  def url
    "http://127.0.0.1:#{port}"
  end

  # Resets all connections, as a network does that is gone; nothing comes through until they are made again.
  #
  # @param seconds [Numeric] for which new ones are reset too
  # @return [Integer] how many there were
  def cut(seconds = 0)
    pairs = @lock.synchronize do
      @refuses_until = now + seconds
      @pairs.tap { @pairs = [] }
    end
    pairs.each { |pair| pair.each { |socket| reset(socket) } }
    pairs.size
  end

  # @return [Integer] connections that are open
  def size
    @lock.synchronize { @pairs.size }
  end

  # @return [void]
  def stop
    @lock.synchronize { @stopped = true }
    @server.close
    @accepting.join
    cut
  end

  private

  def listen(port)
    @server = TCPServer.new("127.0.0.1", port)
    @port = @server.addr[1]
    @accepting = Thread.new { accept_all }
  end

  def accept_all
    loop do
      take(@server.accept)
    rescue IOError, SystemCallError
      break if @lock.synchronize { @stopped }
    end
  end

  def take(browser)
    return reset(browser) if now < @lock.synchronize { @refuses_until }

    pair = [browser, TCPSocket.new("127.0.0.1", @target)]
    @lock.synchronize { @pairs << pair }
    [pair, pair.reverse].each { |from, to| Thread.new { pass(from, to, pair) } }
  rescue SystemCallError # of a server that is down
    reset(browser)
  end

  def pass(from, to, pair)
    loop { to.write(from.readpartial(PIECE)) }
  rescue IOError, SystemCallError
    @lock.synchronize { @pairs.delete(pair) }
    pair.each(&:close)
  end

  # Closed with nothing lingering: the other side sees a reset.
  def reset(socket)
    socket.setsockopt(Socket::SOL_SOCKET, Socket::SO_LINGER, [1, 0].pack("ii"))
    socket.close
  rescue IOError, SystemCallError
    nil # it has ended by itself
  end

  def now
    Process.clock_gettime(Process::CLOCK_MONOTONIC)
  end
end
