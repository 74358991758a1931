# frozen_string_literal: true

require "socket"

# A forward proxy on loopback: passes plain requests on, and tunnels. Every name leads to loopback, so that names can be
# asked for that no name server knows.
class ReplayProxy
  # @return [Array<String>] the heads of the requests it got, from the request line to the last header
  attr_reader :heads

  # @yieldparam proxy [ReplayProxy] stopped when the block is left
  def self.start(**options)
    proxy = new(**options)
    yield proxy
  ensure
    proxy&.stop
  end

  # @param refusal [String, nil] a whole response, in place of everything
  def initialize(refusal: nil)
    @refusal = refusal
    @heads = []
    @sockets = []
    @lock = Mutex.new
    @server = TCPServer.new("127.0.0.1", 0)
    @threads = [Thread.new { accept }]
  end

  # @param user [String, nil] "name:password"
  # @return [String]
  def url(user = nil)
    "http://#{"#{user}@" if user}127.0.0.1:#{@server.local_address.ip_port}"
  end

  # @return [Integer] connections it got
  def connections
    heads.size
  end

  # A shutdown ends what threads read and write; closing would not, everywhere.
  def stop
    @server.close
    @threads.first.join
    @sockets.each { |socket| hang_up(socket, Socket::SHUT_RDWR) }
    @threads.each(&:join)
    @sockets.each(&:close)
  end

  private

  def accept
    loop do
      client = @server.accept
      @lock.synchronize do
        @sockets << client
        @threads << Thread.new { serve(client) }
      end
    end
  rescue IOError, SystemCallError
    nil # stopped
  end

  def serve(client)
    head = read_head(client) or return
    @lock.synchronize { heads << head }
    return client.write(@refusal) && hang_up(client, Socket::SHUT_WR) if @refusal

    upstream = connect(head)
    head.start_with?("CONNECT") ? client.write("HTTP/1.1 200 Connection established\r\n\r\n") : upstream.write(head)
    back = Thread.new { pass(upstream, client) }
    pass(client, upstream)
    back.join
  rescue IOError, SystemCallError
    nil # one of the two has gone
  end

  def read_head(client)
    head = client.gets("\r\n\r\n")
    head if head&.end_with?("\r\n\r\n")
  end

  def connect(head)
    port = head[%r{\A(?:CONNECT |POST http://)[^\s/]*:(\d+)}, 1]
    TCPSocket.new("127.0.0.1", Integer(port)).tap do |upstream|
      @lock.synchronize { @sockets << upstream }
    end
  end

  def pass(from, to)
    IO.copy_stream(from, to)
  rescue IOError, SystemCallError
    nil
  ensure
    hang_up(to, Socket::SHUT_WR)
  end

  def hang_up(socket, how)
    socket.shutdown(how)
  rescue IOError, SystemCallError
    nil # it has gone already
  end
end
