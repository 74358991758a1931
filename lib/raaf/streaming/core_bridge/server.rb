# frozen_string_literal: true

require "securerandom"
require "socket"
require_relative "../../models/provider"

module RAAF
  module Streaming
    class CoreBridge < Models::Provider
      # An HTTP server on loopback that answers one request, and is gone with it.
      #
      # It listens as soon as it is made, on a port and a path that nobody can guess, and waits for {WAIT_SECONDS}. One
      # thread waits for the request and then for the end of the connection; the other one runs the block. When the
      # connection is closed, because the stream was cancelled, a limit has passed or nobody wants it any longer, the
      # block is ended wherever it is (its `ensure` runs). A forked child has neither of the threads, and its copies of
      # the sockets do no harm: the parent shuts its connection down before it closes it.
      #
      # @api private
      class Server
        # How long it waits for its request. Unit: seconds.
        WAIT_SECONDS = 10

        # What a request may hold. Unit: bytes.
        MAX_REQUEST = 16_384

        private_constant :MAX_REQUEST

        # @return [String] what stands in the path
        attr_reader :token

        # @param name [String] for the threads' names
        # @param wait [Numeric] seconds
        # @yieldparam response [Response] called once, in a thread of its own
        def initialize(name, wait: WAIT_SECONDS, &answer)
          @answer = answer
          @token = SecureRandom.urlsafe_base64(24)
          @listener = TCPServer.new("127.0.0.1", 0) # steep:ignore UnexpectedPositionalArgument
          @deadline = now + wait
          @thread = thread("raaf-bridge #{name}") { serve }
        end

        # @return [String]
        def url
          @url ||= "http://127.0.0.1:#{@listener.local_address.ip_port}/#{token}"
        end

        private

        def serve
          url # while the listener is open
          connection = accept or return
          @listener.close
          answer(connection)
        ensure
          @listener.close
          close(connection) if connection
        end

        # Whoever does not know the path is turned away, and does not count.
        def accept
          while wait_for(@listener)
            connection = @listener.accept
            return connection if asks_for_it?(connection)

            connection.close
          end
        rescue IOError, SystemCallError
          nil
        end

        # The request is read to its end: closing before would reset the connection, and lose what was written.
        def asks_for_it?(connection)
          bytes = +""
          until whole?(bytes)
            return false if bytes.bytesize > MAX_REQUEST || !wait_for(connection)

            bytes << connection.readpartial(4096)
          end
          bytes.start_with?("POST /#{token} ")
        rescue IOError, SystemCallError
          false
        end

        def whole?(bytes)
          head, end_of_head, body = bytes.partition("\r\n\r\n")
          !end_of_head.empty? && body.bytesize >= head[/^content-length: *(\d+)/i, 1].to_i
        end

        def answer(connection)
          worker = thread(@thread.name.to_s) do
            catch(:gone) { @answer.call(Response.new(connection)) }
          ensure
            shut_down(connection) # wakes who waits for its end
          end
          connection.wait_readable
          worker.kill
        end

        def wait_for(io)
          left = @deadline - now
          left.positive? && io.wait_readable(left)
        end

        # A thread takes over what its maker has put off, and this one must be one that can be ended.
        def thread(name)
          made = Thread.new { Thread.handle_interrupt(Object => :immediate) { yield } }
          made.report_on_exception = false
          made.name = name
          made
        end

        def close(connection)
          shut_down(connection)
          connection.close
        end

        def shut_down(connection)
          connection.shutdown
        rescue IOError, SystemCallError
          nil # the other side was first
        end

        def now
          Process.clock_gettime(Process::CLOCK_MONOTONIC)
        end

        # What is written to the one connection.
        class Response
          # @param connection [Socket]
          def initialize(connection)
            @connection = connection
            @begun = false
          end

          # @return [Boolean] whether the status was sent
          def begun?
            @begun
          end

          # Leaves the block that is answering where nobody reads any longer.
          #
          # @param events [String] nothing is sent for ""
          # @return [void]
          def write(events)
            return if events.empty?

            send_out(@begun ? events : head(200, "text/event-stream") + events)
          end

          # @param status [Integer]
          # @param body [String] JSON
          # @param retry_after [Numeric, nil] seconds
          # @return [void]
          def refuse(status, body, retry_after: nil)
            wait = "Retry-After: #{retry_after.ceil}\r\n" if retry_after
            send_out(head(status, "application/json", "Content-Length: #{body.bytesize}\r\n#{wait}") + body)
          end

          private

          # The provider's own code tries again, where anybody does.
          def head(status, type, more = "")
            @begun = true
            "HTTP/1.1 #{status} -\r\nContent-Type: #{type}\r\nX-Should-Retry: false\r\nConnection: close\r\n#{more}\r\n"
          end

          # Thrown and not raised, so that no `rescue` of the provider's takes it for a reason to try again.
          def send_out(bytes)
            @connection.write(bytes)
          rescue IOError, SystemCallError
            throw :gone
          end
        end
      end
    end
  end
end
