# frozen_string_literal: true

module RAAF
  module Streaming
    # Where the streams come from that are begun meanwhile: a request of a browser's, a job, and whose it is. It is kept
    # in the fiber's storage while an action of a channel or a job is performed, so that application code that knows
    # nothing of it begins streams which can be found again: by the browser that has asked, by another process that
    # wants to stop one, by the same job when it is run another time.
    #
    # The first stream gets the id {#stream_id}, further ones the same with a number behind. So a job that is run again
    # begins the same streams again, in the same order.
    #
    # @example
    #   origin = RAAF::Streaming::Origin.new(stream_id: "9b2f", user_id: 1)
    #   RAAF::Streaming::Origin.within(origin) do
    #     runner.stream("Hello").id   # "9b2f"
    #     runner.stream("Hello").id   # "9b2f-2"
    #   end
    #
    # @api private
    class Origin
      KEY = :raaf_streaming_origin
      private_constant :KEY

      class << self
        # @return [Origin, nil] nil: nobody has said
        def current
          Thread.current[KEY] # of the fiber
        end

        # @param origin [Origin, nil] nil: none holds inside
        # @yieldreturn [Object]
        # @return [Object] what the block returned
        def within(origin)
          storage = Thread.current
          outer = storage[KEY]
          storage[KEY] = origin
          yield
        ensure
          storage[KEY] = outer
        end
      end

      # @return [String, nil] the id of the first stream; nil: each gets one of its own
      attr_reader :stream_id
      # @return [String, nil] what the browser calls its request
      attr_reader :request_id
      # @return [String, nil] the application's session
      attr_reader :session_id
      # @return [Object, nil] the application's user id
      attr_reader :user_id
      # @return [Integer] which run of the job this is, from 1
      attr_reader :attempt
      # @return [String, nil] this run of the job, by a name that no other run of it has
      attr_reader :owner

      # @param stream_id [String, nil]
      # @param request_id [String, nil]
      # @param session_id [#to_s, nil]
      # @param user_id [Object, nil]
      # @param attempt [Integer]
      # @param owner [String, nil]
      def initialize(stream_id: nil, request_id: nil, session_id: nil, user_id: nil, attempt: 1, owner: nil)
        @stream_id = stream_id
        @request_id = request_id
        @session_id = session_id&.to_s
        @user_id = user_id
        @attempt = attempt
        @owner = owner
        @lock = Mutex.new # covers the rest
        @taken = 0
        @recordings = []
        @last = nil
        @let_go = false
      end

      # @return [Delivery, nil] of the stream that this run of the job has begun last; nil: none, or it is no job
      attr_reader :last

      # @param delivery [Delivery]
      # @return [void]
      def last=(delivery)
        @lock.synchronize { @last = delivery if owner && !@let_go }
      end

      # @return [String, nil] the id of the next stream
      def take_id
        number = @lock.synchronize { @taken += 1 }
        return stream_id if number == 1 || stream_id.nil?

        "#{stream_id}-#{number}"
      end

      # A stream that this run of the job has begun in the store.
      #
      # @param recording [ReplayStore::Recording]
      # @return [void]
      def note(recording)
        @lock.synchronize { @recordings = [*@recordings.reject(&:over?), recording] unless @let_go }
      end

      # This run of the job was interrupted, and the job goes back into its queue. Its streams that have not come to
      # their end are ended here, wait in the store for the next run, and whoever reads them is told
      # (`raaf_handed_back`). Called where the job's own code has been left; never raises.
      #
      # @return [Integer] how many streams
      def hand_back
        @lock.synchronize { @recordings }.count(&:hand_back)
      end

      # This run of the job is over. What it has begun and let go of is nobody's now, and the garbage collector ends it;
      # from here it would be kept, since the store's watch knows where its stream comes from.
      #
      # @return [void]
      def let_go
        @lock.synchronize do
          @let_go = true
          @last = nil
          @recordings = []
        end
      end

      # @return [String] short
      def inspect
        "#<#{self.class.name} #{stream_id}>"
      end
    end
  end
end
