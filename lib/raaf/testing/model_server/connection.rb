# frozen_string_literal: true

require "io/wait"
require "socket"

module RAAF
  module Testing
    class ModelServer
      # One accepted socket. Reads and writes without ever blocking on more than one wait, and every wait
      # also watches for the client's end of file: so a client that goes away is noticed at once, whatever
      # the server is doing, and {#shutdown} from another thread ends any wait.
      #
      # All methods but {#shutdown} belong to the connection's own thread.
      class Connection
        # Bytes a client may send ahead while its answer is still on the way.
        MAX_READ_AHEAD = 1 << 20
        # Seconds without a single byte going out before the server gives up on a client that does not read.
        WRITE_TIMEOUT = 600
        # Seconds that an answer held open on purpose may stay silent.
        MAX_SILENCE = 3600
        # Bytes asked for in one read.
        READ_SIZE = 1 << 16

        # @return [Integer] counted from 1
        attr_reader :id

        # @param socket [TCPSocket]
        # @param id [Integer]
        # @param tls [OpenSSL::SSL::SSLContext, nil]
        def initialize(socket, id:, tls: nil)
          @id = id
          @raw = socket
          @raw.setsockopt(Socket::IPPROTO_TCP, Socket::TCP_NODELAY, 1)
          @tls = tls
          @io = socket
          @buffer = String.new(encoding: Encoding::BINARY)
          @shut = false
        end

        # @return [Boolean]
        def tls?
          !@tls.nil?
        end

        # @return [Boolean] whether the server itself has ended this connection
        def shut?
          @shut
        end

        # Performs the TLS handshake; nothing to do without TLS.
        # @param timeout [Numeric] seconds
        # @return [void]
        # @raise [Disconnected]
        def handshake(timeout)
          return unless @tls

          @io = OpenSSL::SSL::SSLSocket.new(@raw, @tls)
          deadline = Clock.now + timeout
          guarded do
            while (step = @io.accept_nonblock(exception: false)).is_a?(Symbol)
              wait_for(step, deadline)
            end
          end
        end

        # @param timeout [Numeric] seconds
        # @return [Boolean] whether a first byte is there
        # @raise [Disconnected]
        def await_input(timeout)
          fill(Clock.now + timeout) if @buffer.empty?
          true
        end

        # Reads up to and with `mark`.
        # @param mark [String]
        # @param limit [Integer] bytes
        # @param timeout [Numeric] seconds
        # @return [String] without the mark
        # @raise [BadRequest] where the mark does not come within the limit
        # @raise [Disconnected]
        def read_until(mark, limit:, timeout:)
          deadline = Clock.now + timeout
          until (at = @buffer.index(mark))
            raise BadRequest.new("more than #{limit} bytes of header", status: 431) if @buffer.bytesize > limit

            fill(deadline)
          end
          taken = @buffer.slice!(0, at + mark.bytesize)
          taken.slice(0, at)
        end

        # @param count [Integer] bytes
        # @param timeout [Numeric] seconds
        # @return [String]
        # @raise [Disconnected]
        def read(count, timeout:)
          deadline = Clock.now + timeout
          fill(deadline) while @buffer.bytesize < count
          @buffer.slice!(0, count)
        end

        # @param bytes [String]
        # @return [void]
        # @raise [Disconnected]
        def write(bytes)
          deadline = nil
          left = bytes
          until left.empty?
            written = guarded { @io.write_nonblock(left, exception: false) }
            if written.is_a?(Symbol)
              deadline ||= Clock.now + WRITE_TIMEOUT
              wait_to_write(written, deadline)
            else
              deadline = nil
              left = left.byteslice(written, left.bytesize)
            end
          end
        end

        # Writes what the socket takes at once. Plain connections only; the pacer's thread may call it.
        # @param bytes [String]
        # @return [String] what is left
        # @raise [Disconnected]
        def write_some(bytes)
          written = guarded { @io.write_nonblock(bytes, exception: false) }
          written.is_a?(Symbol) ? bytes : bytes.byteslice(written, bytes.bytesize)
        end

        # Waits until the client sends something, while another thread writes.
        # @return [void]
        # @raise [Disconnected]
        def watch
          @raw.wait(IO::READABLE, MAX_SILENCE) && drain
        end

        # Sends nothing for a while.
        # @param seconds [Numeric]
        # @return [void]
        # @raise [Disconnected] as soon as the client goes away or the server stops
        def pause(seconds)
          deadline = Clock.now + seconds
          while (left = deadline - Clock.now).positive?
            @raw.wait(IO::READABLE, left) && drain
          end
        end

        # Sends nothing until the client goes away or the server stops.
        # @return [void]
        # @raise [Disconnected] always
        def hold
          pause(MAX_SILENCE)
          raise ServerClosed, "silent for #{MAX_SILENCE} seconds"
        end

        # Ends the connection from any thread: whatever its own thread waits for is over.
        # @return [void]
        def shutdown
          @shut = true
          @raw.shutdown(Socket::SHUT_RDWR)
        rescue IOError, SystemCallError
          nil # already closed by one of the two ends
        end

        # Closes in the ordinary way (FIN).
        # @return [void]
        def close
          @shut = true
          @raw.close
        rescue IOError, SystemCallError
          nil
        end

        # Closes with a reset (RST), and throws away what was not sent yet.
        # @return [void]
        def reset
          @raw.setsockopt(Socket::Option.linger(true, 0))
          close
        end

        private

        # @return [void] after at least one byte was added to the buffer
        def fill(deadline)
          loop do
            data = guarded { @io.read_nonblock(READ_SIZE, exception: false) }
            raise_closed("the client closed the connection") if data.nil?
            return @buffer << data unless data.is_a?(Symbol)

            wait_for(data, deadline)
          end
        end

        # Takes what is readable during a silence, which is a closed socket or a request sent ahead.
        def drain
          raise ServerClosed, "too many bytes sent ahead" if @buffer.bytesize > MAX_READ_AHEAD

          data = guarded { @io.read_nonblock(READ_SIZE, exception: false) }
          raise_closed("the client closed the connection") if data.nil?
          @buffer << data unless data.is_a?(Symbol)
        end

        # A client may close while the server waits for room: so both directions are watched.
        def wait_to_write(direction, deadline)
          left = deadline - Clock.now
          raise ServerClosed, "the client did not read for #{WRITE_TIMEOUT} seconds" unless left.positive?

          events = (direction == :wait_readable) ? IO::READABLE : IO::READABLE | IO::WRITABLE
          @raw.wait(events, left)
          drain if @raw.wait(IO::READABLE, 0)
        end

        def wait_for(direction, deadline)
          left = deadline - Clock.now
          ready = left.positive? && @raw.wait((direction == :wait_readable) ? IO::READABLE : IO::WRITABLE, left)
          raise ServerClosed, "nothing came within the time limit" unless ready
        end

        # Whatever the system says of a broken connection, callers see one of two errors.
        def guarded
          yield
        rescue *broken_errors => e
          raise_closed(e.message)
        end

        # OpenSSL is loaded for TLS only.
        def broken_errors
          @tls ? [IOError, SystemCallError, OpenSSL::SSL::SSLError] : [IOError, SystemCallError]
        end

        def raise_closed(message)
          raise @shut ? ServerClosed : ClientClosed, message
        end
      end
    end
  end
end
