# frozen_string_literal: true

require "json"
require "net/http"
require "socket"
require "websocket/driver"

# A WebSocket client that speaks as much of Action Cable's protocol as is needed where a browser would add nothing. It
# keeps every message, and when it came. Its methods may be called from any thread.
class CableClient
  # Seconds.
  PATIENCE = ENV["RAAF_SLOW"] ? 120 : 30

  # at: seconds on the monotonic clock; data: what a subscription received.
  Message = Struct.new(:at, :data)

  # @return [String] what websocket-driver connects to
  attr_reader :url

  # @param base [String] the server's address
  # @param user [Integer] who is signed in
  # @param channel [String] it subscribes to
  # @raise [RuntimeError] where the subscription is not confirmed
  def initialize(base, user: 1, channel: "AgentChannel")
    @uri = URI(base)
    @url = "ws://#{@uri.host}:#{@uri.port}/cable"
    @identifier = JSON.generate(channel: channel)
    @lock = Mutex.new # covers the messages and the driver
    @changed = ConditionVariable.new
    @messages = []
    connect(sign_in(user))
    wait_until { @confirmed }
  end

  # @return [Array<Message>] so far
  def messages
    @lock.synchronize { @messages.dup }
  end

  # @param action [String] of the channel's
  # @param data [Hash]
  # @return [Float] when it was sent, on the monotonic clock
  def perform(action, data)
    send_command("message", data: JSON.generate(action: action, **data))
    now
  end

  # @yieldparam messages [Array<Message>]
  # @return [Object] what the block returned, as soon as it is true
  # @raise [RuntimeError] where it does not get true
  def wait_until
    deadline = now + PATIENCE
    @lock.synchronize do
      until (found = yield(@messages))
        left = deadline - now
        raise "it did not come within #{PATIENCE} s: #{@messages.last(3).inspect}" if left <= 0

        @changed.wait(@lock, left)
      end
      found
    end
  end

  # @return [void]
  def close
    @socket.close
    @reading.join
  end

  # @param bytes [String] what the driver sends
  # @return [void]
  # @api private
  def write(bytes)
    @socket.write(bytes)
  end

  private

  def now
    Process.clock_gettime(Process::CLOCK_MONOTONIC)
  end

  def sign_in(user)
    answer = Net::HTTP.get_response(URI.join(@uri, "/sign_in/#{user}"))
    answer.get_fields("set-cookie").map { |cookie| cookie[/\A[^;]+/] }.join("; ")
  end

  def connect(cookies)
    @socket = TCPSocket.new(@uri.host, @uri.port)
    @driver = WebSocket::Driver.client(self, protocols: ["actioncable-v1-json"])
    @driver.set_header("Cookie", cookies)
    @driver.set_header("Origin", @uri.origin)
    @driver.on(:message) { |event| take(JSON.parse(event.data, symbolize_names: true)) }
    @driver.start
    @reading = Thread.new { read }
  end

  def read
    loop do
      bytes = @socket.readpartial(65_536)
      @lock.synchronize { @driver.parse(bytes) }
    end
  rescue IOError, SystemCallError
    nil # closed by either side
  end

  def take(frame)
    case frame[:type]
    when "welcome" then @driver.text(JSON.generate(command: "subscribe", identifier: @identifier))
    when "confirm_subscription" then @confirmed = true
    when nil then @messages << Message.new(now, frame[:message])
    end
    @changed.broadcast
  end

  def send_command(command, **more)
    @lock.synchronize { @driver.text(JSON.generate(command: command, identifier: @identifier, **more)) }
  end
end
