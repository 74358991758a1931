# frozen_string_literal: true

require_relative "../broadcaster"

module RAAF
  module Streaming
    class ReplayStore
      # A run as the store knows it, from its beginning to its end: what it sends is kept, and it is ended where
      # somebody wants it to stop, from whichever process.
      #
      # It refers to no handle, so whoever keeps it keeps no request alive; where all is dropped without an end, the
      # garbage collector tells the store of it. Nothing here raises: a store that fails fails no stream. Any thread.
      #
      # @api private
      class Recording
        # Seconds for which a run that has ended without saying so at each of its places may still do so: handlers of
        # events run on threads of their own.
        LATE_SECONDS = 1

        @complaints = Complaints.new
        @ending = {} # those that are to finish soon, by themselves; changed by one step each

        class << self
          # @return [Complaints]
          attr_reader :complaints
          # @return [Hash{Recording=>true}]
          attr_reader :ending

          # Those that end now finish now: the process ends.
          #
          # @return [void]
          def finish_all
            ending.keys.each(&:finish)
          end

          # @return [Proc] for a watch; it keeps nothing but the run
          def stopper(live)
            ->(reason) { live.cancel(reason) }
          end

          # @return [Proc] a finalizer. It runs in the middle of anything, where no lock may be taken
          def finisher(store, id, attempt)
            pid = Process.pid
            lambda do |_|
              Thread.new { store.finish(id, attempt: attempt) } if pid == Process.pid && !Streaming.exiting?
            rescue ThreadError
              nil
            end
          end
        end

        # @return [Integer] from 1
        attr_reader :attempt

        # Begins it.
        #
        # @param store [ReplayStore]
        # @param live [LiveRun] what is to be stopped
        def initialize(store, live)
          @store = store
          @context = live.context
          @pid = Process.pid
          @lock = Mutex.new # covers the rest
          @places = {}
          @over = false
          @attempt = @context.attempt
          guarded { enter(live) }
        end

        # @param place [String] where it is sent from now on
        # @return [void]
        def add_place(place)
          @lock.synchronize { @places[place] = true }
          guarded { @store.add_keys(id, ["place:#{place}"]) }
        end

        # @param frame [Hash] see {Frame#initialize}
        # @return [void]
        def append(frame)
          guarded { @store.append(id, Frame.new(**frame, attempt: attempt)) } # steep:ignore
        end

        # It has ended, for good.
        #
        # @return [void]
        def finish
          settle { @store.finish(id, attempt: attempt) }
        end

        # It has ended, and its last word may still be on its way.
        #
        # @return [void]
        def finish_soon
          Recording.ending[self] = true
          Timers.after(LATE_SECONDS) { finish }
        rescue ThreadError
          finish
        end

        # It was interrupted. A job may be run again, so its stream is not at an end: {#hand_back} says that it will be,
        # and where nobody says so, its process is gone some time, or the garbage collector comes.
        #
        # @return [void]
        def leave
          return finish unless @context.origin&.owner

          guarded { @store.unwatch(@watch) if @watch }
        end

        # The job goes back into its queue: the stream is ended here, waits in the store, and who reads it is told.
        #
        # @return [Boolean] false: it had come to its end
        def hand_back
          settled = settle do
            @live&.cancel
            @store.flush(1) if @store.respond_to?(:flush) # what only has the methods of one may have none
            @store.await(id, attempt: attempt)
          end
          tell_readers if settled
          settled
        end

        # @return [Boolean] whether nothing is kept any longer
        def over?
          @lock.synchronize { @over }
        end

        # @return [String] short
        def inspect
          "#<#{self.class.name} #{id} attempt=#{attempt}>"
        end

        private

        def id
          @context.stream_id
        end

        def enter(live)
          origin = @context.origin
          @attempt = @store.begin(id, owner: origin&.owner || SecureRandom.uuid, keys: keys, at_least: @attempt)
          ObjectSpace.define_finalizer(self, Recording.finisher(@store, id, @attempt))
          @watch = @store.watch(id, attempt: @attempt, &Recording.stopper(live))
          return unless origin&.owner

          @live = live # for who hands it back
          origin.note(self)
          live.cancel if @store.cancelled?(id) # at once: the watch may say so a little later
        end

        def keys
          {"user" => @context.user_id, "session" => @context.session_id, "request" => @context.origin&.request_id}
            .filter_map { |kind, id| "#{kind}:#{id}" unless id.nil? }
        end

        # Once, and in no child.
        def settle(&block)
          first = @lock.synchronize { !@over && (@over = true) }
          Recording.ending.delete(self)
          return false unless first

          ObjectSpace.undefine_finalizer(self)
          guarded(&block) if @pid == Process.pid
          true
        rescue ThreadError # in a signal's handler
          false
        end

        def tell_readers
          @lock.synchronize { @places.keys }.each do |place|
            guarded do
              Broadcaster.call(place, {type: "raaf_handed_back", raaf: {stream_id: id, attempt: attempt}})
            end
          end
        end

        def guarded
          yield
        rescue => e
          Recording.complaints.add do |times|
            "the stream #{id} is not kept as it should be: #{e.class}: #{Secrets.redact(e.message)} (#{times} such " \
              "failures so far); it goes on"
          end
        end
      end
    end
  end
end
