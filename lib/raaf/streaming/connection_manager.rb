# frozen_string_literal: true

require "singleton"
require_relative "config_api"
require_relative "live_run"
require_relative "timers"

module RAAF
  module Streaming
    # Who is connected to this process, which streams run in it, and how to end them.
    #
    # A connection is a session and a user: one that was registered here by hand, or one for whom a runner's stream runs
    # (`session_id:` or `user_id:`). Both, or several streams of the same two, are one connection. A stream registers
    # itself when it starts and is gone when it has ended, whatever ends it. Ids are compared as strings.
    #
    # What was registered by hand and shows no activity for `stale_connection_timeout` seconds is removed, with a line
    # in the log: by {#cleanup_stale_connections}, or by itself, by one timer for all. Activity is {#update_activity},
    # and every byte that a stream of the same session and user receives. A running stream is never removed: it has
    # timeouts of its own.
    #
    # The limits `max_concurrent_streams`, `max_concurrent_streams_per_user`, `stream_queue_timeout`,
    # `max_queued_streams` and `messages_per_minute_per_user` ({Configuration}) hold for every stream that starts; what
    # is registered by hand counts towards none.
    #
    # One a process; a forked child begins with none. Any thread; {#streams} and what cancels also in a signal handler.
    #
    # @example
    #   manager = RAAF::Streaming::ConnectionManager.instance
    #   manager.streams.each { |stream| puts "#{stream.user_id}: #{stream.model}, #{stream.state}, #{stream.age} s" }
    #   manager.cancel_user(42)
    class ConnectionManager
      include Singleton

      # A stream that runs, or waits for its place. Frozen.
      #
      # id: String, {Stream#id}; user_id, session_id: as they were given, or nil; provider, model: String, who was asked
      # last; state: Symbol, as {Stream#status}; age: Float, seconds since it was asked for; idle: Float, seconds since
      # the last byte came (before the first, since it began, or began to wait); bytes: Integer, of response bodies so
      # far; deltas: Integer, pieces of text, reasoning, refusals and arguments that the provider has sent so far;
      # text_bytes: Integer, of text, reasoning and refusals so far.
      StreamInfo = Struct.new(:id, :user_id, :session_id, :provider, :model, :state, :age, :idle, :bytes, :deltas,
        :text_bytes, keyword_init: true) do
        # @implements StreamInfo

        # The model's tokens so far, estimated as one a piece. Most providers send them so; some put several into one.
        # The provider itself counts only at the end: {Result#usage}.
        #
        # @return [Integer]
        def estimated_tokens
          deltas
        end
      end

      # The longest between two looks for what is stale, so that a shorter setting counts soon. Seconds.
      LONGEST_LOOK = 30
      # Runs that have ended unseen (the garbage collector's) are looked for once there are so many more than alive.
      MOST_UNSEEN = 64
      private_constant :LONGEST_LOOK, :MOST_UNSEEN

      def initialize
        @lock = Mutex.new # covers the rest
        @pid = Process.pid
        begin_empty
      end

      # @param session_id [#to_s, nil]
      # @param user_id [#to_s, nil]
      # @return [void]
      def register_stream(session_id, user_id)
        synchronize do
          note(connection(session_id, user_id), now)
          schedule
        end
        nil
      end

      # Does nothing for what is not registered. Streams that run are left alone, and counted as before.
      #
      # @param session_id [#to_s, nil]
      # @param user_id [#to_s, nil]
      # @return [void]
      def unregister_stream(session_id, user_id)
        synchronize { @connections.delete(connection(session_id, user_id)) }
        nil
      end

      # Does nothing for what is not registered.
      #
      # @param session_id [#to_s, nil]
      # @param user_id [#to_s, nil]
      # @return [void]
      def update_activity(session_id, user_id)
        synchronize { touch(connection(session_id, user_id)) }
        nil
      end

      # @return [Integer] different pairs of session and user that are registered or have streams
      def active_connections_count
        synchronize do
          streaming = live_runs.map(&:connection).reject { |connection| connection.none? }
          (@connections.keys | streaming).size
        end
      end

      # Removes what was registered and shows no activity for `stale_connection_timeout` seconds.
      #
      # @return [Integer] how many were removed
      def cleanup_stale_connections
        stale = synchronize { remove_stale }
        stale.each { |session, user| Streaming.logger.info("Cleaned up stale connection: #{session}_#{user}") }
        stale.size
      end

      # Streams of this process that run or wait for their place, the oldest first. Whoever keeps the list keeps no
      # stream alive.
      #
      # @return [Array<StreamInfo>]
      def streams
        runs.filter_map { |run| info(run) }
      end

      # Ends a stream, as {Stream#cancel} does.
      #
      # @param stream [#to_s, #id] {Stream#id}; or what has it, a {Stream} or a {StreamInfo}
      # @return [Integer] how many were ended: 1 or 0
      def cancel(stream)
        id = stream.respond_to?(:id) ? stream.id : stream
        cancel_those { |run| run.context.stream_id == id.to_s }
      end

      # Has a stream of this process go on with another instruction, as {Stream#redirect} does: one that was begun for a
      # request of a browser's or a job.
      #
      # @param id [#to_s] {Stream#id}
      # @param message [String] what the user says next
      # @return [Boolean] false: it is none that runs here
      # @raise [Errors::StreamLimitError] where messages_per_minute_per_user allows no further message
      # @raise [Errors::Error] where it was cancelled, or has just ended
      # @api private
      def redirect(id, message)
        run = runs.reverse_each.find { |one| one.context.stream_id == id.to_s }
        run ? run.redirect(message) : false
      end

      # Ends all streams of a session.
      #
      # @param session_id [#to_s]
      # @return [Integer] how many were ended
      def cancel_session(session_id)
        cancel_those { |run| run.connection.first == session_id.to_s }
      end

      # Ends all streams of a user.
      #
      # @param user_id [#to_s]
      # @return [Integer] how many were ended
      def cancel_user(user_id)
        cancel_those { |run| run.connection.last == user_id.to_s }
      end

      # Ends all streams of this process.
      #
      # @return [Integer] how many were ended
      def cancel_all
        cancel_those { true }
      end

      # A run has started, or goes on.
      #
      # @param run [LiveRun]
      # @return [void]
      # @api private
      def track(run)
        synchronize do
          look_for_unseen if @runs.size >= @most_runs
          @runs[run] = true
          touch(run.connection)
        end
      end

      # A run has ended.
      #
      # @param run [LiveRun]
      # @return [void]
      # @api private
      def forget(run)
        synchronize do
          next unless @runs.delete(run)

          touch(run.connection)
          @most_runs = [@most_runs, most_runs].min
        end
      end

      # @return [String] how much there is; nobody's id
      def inspect
        "#<#{self.class.name} connections=#{active_connections_count} streams=#{streams.size}>"
      end

      private

      # What came with a fork is the parent's.
      def synchronize
        @lock.synchronize do
          begin_empty unless @pid == Process.pid
          yield
        end
      end

      def begin_empty
        @pid = Process.pid
        @connections = {} # [session, user] => when it last showed activity, the longest ago first
        @runs = {}.compare_by_identity
        @most_runs = MOST_UNSEEN
        @timer = nil
        @look_at = nil # the timer's time
      end

      def connection(session_id, user_id)
        [LiveRun.key(session_id), LiveRun.key(user_id)]
      end

      # ---- under the lock ----

      def touch(connection)
        note(connection, now) if @connections.key?(connection)
      end

      def note(connection, time)
        @connections.delete(connection)
        @connections[connection] = time
      end

      # Who looks at them all forgets those that have ended unseen.
      def live_runs
        look_for_unseen
        @runs.keys
      end

      def look_for_unseen
        @runs.keep_if { |run, _| run.live? }
        @most_runs = most_runs
      end

      def most_runs
        (2 * @runs.size) + MOST_UNSEEN
      end

      def remove_stale
        note_activity
        before = now - timeout
        stale = @connections.keys.take_while { |connection| @connections[connection] <= before }
        stale.each { |connection| @connections.delete(connection) }
      end

      # What streams have received counts for what was registered for the same session and user.
      def note_activity
        @runs.each_key do |run|
          next unless @connections.key?(run.connection)

          facts = run.facts or next
          last = now - facts[:idle] #: Float
          @connections[run.connection] = last if last > @connections[run.connection]
        end
        @connections = @connections.sort_by(&:last).to_h
      end

      # One timer for all; another one only where the setting has become shorter.
      def schedule
        oldest = @connections.each_value.first or return
        seconds = (oldest + timeout - now).clamp(0, LONGEST_LOOK)
        return if @timer && @look_at <= now + seconds

        Timers.cancel(@timer)
        @timer = Timers.after(seconds) { look_for_stale }
        @look_at = now + seconds
      rescue ThreadError
        @timer = nil # the process is ending and takes no new threads
      end

      # ---- without it ----

      # The timer's.
      def look_for_stale
        cleanup_stale_connections
      ensure
        synchronize do
          @timer = nil
          schedule
        end
      end

      def timeout
        Streaming.configuration.stale_connection_timeout
      end

      # A signal handler cannot take the lock. Ruby copies the keys in one step.
      def runs
        (@pid == Process.pid) ? @runs.keys : []
      end

      def info(run)
        facts = run.facts or return
        context = run.context
        StreamInfo.new(id: context.stream_id, user_id: context.user_id, session_id: context.session_id,
          provider: run.provider, model: run.model, **facts).freeze
      end

      def cancel_those(&chosen)
        runs.select(&chosen).count(&:cancel)
      end

      def now
        Process.clock_gettime(Process::CLOCK_MONOTONIC)
      end
    end
  end
end
