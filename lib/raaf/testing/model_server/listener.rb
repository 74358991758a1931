# frozen_string_literal: true

require "io/wait"
require "socket"

module RAAF
  module Testing
    class ModelServer
      # Accepts sockets on loopback and runs each in a thread of its own.
      class Listener
        # Connections the kernel may hold until they are accepted.
        BACKLOG = 1024
        # Seconds between looks at the stop flag while nobody connects.
        ACCEPT_WAIT = 60
        # Seconds to wait where the process has no descriptor left.
        NO_DESCRIPTOR_WAIT = 0.05
        # Hosts that stay on this machine.
        LOOPBACK = /\A(?:127(?:\.\d{1,3}){3}|::1|localhost)\z/

        # @return [Integer] the port that was given by the system where 0 was asked for
        attr_reader :port

        # @param host [String] a loopback address
        # @param port [Integer] 0: any free one
        # @param log [AccessLog]
        # @yieldparam socket [TCPSocket] in the connection's own thread
        # @raise [ArgumentError] for a host that others could reach
        # @raise [SystemCallError] where the port is taken
        def initialize(host:, port:, log:, &serve)
          raise ArgumentError, "host must be a loopback address, not #{host.inspect}" unless LOOPBACK.match?(host)

          @server = TCPServer.new(host, port)
          @server.listen(BACKLOG)
          @port = @server.local_address.ip_port
          @log = log
          @serve = serve
          @threads = {}
          @lock = Mutex.new
          @stopping = false
        end

        # @return [self]
        def start
          @thread = Thread.new { accept_loop }
          @thread.name = "raaf-model-server"
          self
        end

        # Accepts no more. Sockets that were accepted stay as they are.
        # @return [void]
        def stop_accepting
          @stopping = true
          @server.close
        end

        # Waits until all threads have ended, and ends those that do not within the time.
        # @param timeout [Numeric] seconds
        # @return [void]
        def join(timeout)
          deadline = Clock.now + timeout
          left = threads.reject { |thread| thread.join([deadline - Clock.now, 0].max) }
          left.each(&:kill)
          left.each { |thread| thread.join(1) }
        end

        private

        def threads
          @lock.synchronize { [@thread, *@threads.keys] }.compact - [Thread.current]
        end

        def accept_loop
          accept_next until @stopping
        rescue IOError, Errno::EBADF
          raise unless @stopping # closing the socket is how stop_accepting wakes this thread
        end

        def accept_next
          socket = @server.accept_nonblock(exception: false)
          (socket == :wait_readable) ? @server.wait_readable(ACCEPT_WAIT) : spawn(socket)
        rescue Errno::EMFILE, Errno::ENFILE
          @log.warning("no file descriptor left: raise the limit (ulimit -n)")
          Kernel.sleep(NO_DESCRIPTOR_WAIT)
        rescue Errno::ECONNABORTED, Errno::EPROTO
          nil # the client gave up before it was accepted
        end

        def spawn(socket)
          @lock.synchronize do
            thread = Thread.new { run(socket) }
            thread.report_on_exception = false
            @threads[thread] = true
          end
        end

        def run(socket)
          @serve.call(socket)
        ensure
          socket.close
          @lock.synchronize { @threads.delete(Thread.current) }
        end
      end
    end
  end
end
