# frozen_string_literal: true

module RAAF
  module Testing
    class ModelServer
      # One answer that the {Pacer} writes while the connection's own thread only watches for the client.
      # The lock covers everything: a client may answer the last byte before the pacer has noted its end.
      class PacedStream
        # Seconds until a client that does not read is tried again.
        RETRY_DELAY = 0.01
        # Seconds behind its time after which an answer gives up catching up.
        MAX_LAG = 1

        # @param response [Response] started already
        # @param connection [Connection]
        # @param events [#next] gives delays (seconds) and bytes, and nil after the last
        def initialize(response, connection, events)
          @response = response
          @connection = connection
          @events = events
          @unsent = ""
          @over = false
          @lock = Mutex.new
        end

        # Looks for the first event. Pacer thread only, as {#advance}.
        # @param now [Float] seconds, monotonic clock
        # @return [Float, nil] when the first write is due
        def begin(now)
          @due = now
          @lock.synchronize do
            next if @over

            @following = @events.next
            schedule(now)
          end
        end

        # Writes what is due.
        # @param now [Float] seconds, monotonic clock
        # @return [Float, nil] when the next write is due; nil when there is none
        def advance(now)
          @lock.synchronize do
            next nil if @over
            next now + RETRY_DELAY unless flush

            @response.record(@bytes.bytesize) if @bytes
            @following ? schedule(now) : complete
          end
        rescue Disconnected
          give_up # the connection's own thread sees the same and tells who closed
        end

        # Any thread: nothing more is written.
        # @return [nil]
        def give_up
          @lock.synchronize { @over = true }
          nil
        end

        # Any thread.
        # @return [Boolean] whether nothing more is written
        def over?
          @lock.synchronize { @over }
        end

        # Ends the connection after a failure of the server's own.
        # @return [void]
        def fail
          give_up
          @connection.shutdown
        end

        private

        # @return [Boolean] whether everything went out
        def flush
          @unsent = @connection.write_some(@unsent) unless @unsent.empty?
          @unsent.empty?
        end

        # Counts from when the last write was due, not from when it was done: on a busy machine an answer comes
        # in larger steps, but not later. The mark that ends the body goes out with the last event: a client that has
        # read the last event may leave.
        def schedule(now)
          delay, @bytes = @following
          @following = @events.next if @bytes
          @unsent = @bytes ? @response.frame(@bytes) : +""
          @unsent += @response.ending unless @following
          @due = now if now - @due > MAX_LAG
          @due += delay || 0
        end

        def complete
          @over = true
          @response.complete
          @connection.shutdown unless @response.reusable?
          nil
        end
      end
    end
  end
end
