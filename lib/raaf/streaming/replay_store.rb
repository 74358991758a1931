# frozen_string_literal: true

require "securerandom"

require_relative "complaints"
require_relative "replay_store/choice"
require_relative "replay_store/frame"
require_relative "replay_store/lease"
require_relative "replay_store/reading"
require_relative "replay_store/watcher"

module RAAF
  module Streaming
    # Keeps what streams have sent for a while, so that a reader who was away gets what it has missed, in order; and
    # tells whoever runs a stream that somebody wants it to stop, from whichever process.
    #
    # This class is the interface. {MemoryStore} is for one process, {RedisStore} and {ActiveRecordStore} for several;
    # another one inherits from this class and has the methods that raise NotImplementedError here.
    #
    # *Whoever runs a stream* calls {#begin}, which gives the number of the attempt, appends each frame that it sends,
    # with the number that it has at its place ({Delivery#stamp}), and at last calls {#finish}. Frames of one stream and
    # place are appended in the order of their numbers; one that comes after a higher number is left out. A run that
    # begins the same stream another time makes a new attempt: the frames of the older one are dropped, and what its
    # run still appends is refused. So of two runs of one job the frames are never mixed.
    #
    # *A reader* calls {#read} with the last number that it knows. Where that was dropped meanwhile, {Reading#gap?} says
    # so, and {#checkpoint} has the text so far. Whether more is to come, {#state_of} says: whoever runs streams renews
    # the lease of its process meanwhile, so that a process that has crashed is noticed.
    #
    # *A store that fails never fails a stream*: {#begin}, {#await}, {#append}, {#add_keys}, {#finish}, {#watch} and
    # {#unwatch} raise nothing for it; what could not be kept is counted ({#stats}) and logged once a minute. {#append},
    # {#add_keys} and {#finish} never wait for another process. What asks ({#read}, {#checkpoint}, {#state_of},
    # {#finished?}, {#cancelled?}, {#streams_of}, {#keys_of}) and {#cancel} raise {Errors::StoreUnavailableError}: that
    # nothing is known is no answer.
    #
    # Every method may be called from any thread, and in forked children.
    #
    # @example
    #   store = RAAF::Streaming::ReplayStore::RedisStore.new(Redis.new(url: ENV["REDIS_URL"], timeout: 0.5))
    #   RAAF::Streaming.configure { |config| config.replay_store = store }
    #
    #   attempt = store.begin(stream.id, owner: "#{job_id}-#{SecureRandom.hex(4)}", keys: ["session:42"])
    #   watch = store.watch(stream.id, attempt: attempt) { stream.cancel }
    #   store.append(stream.id, RAAF::Streaming::ReplayStore::Frame.new(place: "user_1", seq: 1, attempt: attempt,
    #     message: {type: "agent_chunk", content: "Hello"}, delta: "Hello"))
    #   store.finish(stream.id, attempt: attempt)
    #
    #   store.read(stream.id, place: "user_1", after: 0).frames.map(&:message)
    #   store.cancel(stream.id)   # in another process
    class ReplayStore
      # Needs no ActiveRecord until it is used.
      autoload :ActiveRecordStore, File.expand_path("replay_store/active_record_store", __dir__)

      # Frames kept of each stream and place, unless another number is given.
      MAX_FRAMES = 2000
      # Bytes of JSON kept of each stream and place, unless another number is given: 1 MiB.
      MAX_BYTES = 1024 * 1024
      # Bytes of text kept for the checkpoint of each stream and place, unless another number is given: 1 MiB.
      MAX_TEXT_BYTES = 1024 * 1024
      # Places of one stream; frames for further ones are refused.
      MAX_PLACES = 16
      # Seconds for which a stream is kept after its last frame, unless another number is given.
      LIVE_TTL = 3600
      # Seconds for which a stream is kept after its end, unless another number is given.
      FINISHED_TTL = 600
      # Frames that one {#read} gives, unless another number is given.
      READ_LIMIT = 500
      # Seconds after its last renewal for which a process counts as alive, unless another number is given.
      LEASE_SECONDS = 10
      # Seconds between two renewals, unless another number is given.
      LEASE_INTERVAL = 2
      # Keys of one stream; further ones are left out.
      MAX_KEYS = 32
      # Bytes of an id, a place, an owner or a key.
      MAX_NAME_BYTES = 1024
      # What something has to have to be the setting `replay_store`.
      INTERFACE = %i[begin await append add_keys finish read checkpoint state_of finished? cancel cancelled? streams_of
        keys_of watch unwatch].freeze

      extend Choice

      # @return [Integer]
      attr_reader :max_frames
      # @return [Integer]
      attr_reader :max_bytes
      # @return [Integer]
      attr_reader :max_text_bytes
      # @return [Numeric] seconds
      attr_reader :live_ttl
      # @return [Numeric] seconds
      attr_reader :finished_ttl
      # @return [Numeric] seconds
      attr_reader :lease_seconds
      # @return [Numeric] seconds
      attr_reader :lease_interval

      # @param value [#to_s]
      # @param what [String] for the message
      # @return [String] frozen
      # @raise [ArgumentError] where it is empty or too long
      # @api private
      def self.name_of(value, what)
        name = value.to_s
        return name.dup.freeze if name.bytesize.between?(1, MAX_NAME_BYTES)

        raise ArgumentError, "#{what} must have 1 to #{MAX_NAME_BYTES} bytes, not #{name.bytesize}"
      end

      # @param max_frames [Integer] kept of each stream and place; of more the oldest are dropped
      # @param max_bytes [Integer] of JSON kept of each stream and place; of more the oldest frames are dropped
      # @param max_text_bytes [Integer] of text; a longer one has no checkpoint
      # @param live_ttl [Numeric] seconds for which a stream is kept after {#begin} and its last frame
      # @param finished_ttl [Numeric] seconds for which a stream is kept after {#finish}
      # @param lease_seconds [Numeric] seconds after its last renewal for which a process counts as alive
      # @param lease_interval [Numeric] seconds between two renewals; a fraction of lease_seconds
      # @raise [ArgumentError] for a wrong number
      def initialize(max_frames: MAX_FRAMES, max_bytes: MAX_BYTES, max_text_bytes: MAX_TEXT_BYTES, live_ttl: LIVE_TTL,
        finished_ttl: FINISHED_TTL, lease_seconds: LEASE_SECONDS, lease_interval: LEASE_INTERVAL)
        @max_frames = count("max_frames", max_frames)
        @max_bytes = count("max_bytes", max_bytes)
        @max_text_bytes = count("max_text_bytes", max_text_bytes)
        @live_ttl = seconds("live_ttl", live_ttl)
        @finished_ttl = seconds("finished_ttl", finished_ttl)
        @lease_seconds = seconds("lease_seconds", lease_seconds)
        @lease_interval = seconds("lease_interval", lease_interval)
      end

      # Begins an attempt at a stream, which this process runs. What an older attempt had appended is dropped, and
      # whoever watches that is told `:superseded`; that the stream was cancelled stays known, and so do its keys.
      #
      # Whether a job that runs again is to do so, it finds out before: {#finished?}, {#cancelled?}.
      #
      # @param stream_id [String]
      # @param owner [String] this run, by a name that no other run of the same job has: who asks again gets the same
      #   attempt
      # @param keys [Array<String>] by which {#streams_of} finds it, and which say whose it is ({#keys_of}); those of
      #   this gem are `user:<id>`, `session:<id>`, `request:<id>` and `place:<name>`
      # @param at_least [Integer] the lowest number for the attempt: how often the job has been run, as far as is known,
      #   this time included. So that where the store fails, or has lost everything, the number is higher than before
      # @return [Integer] the attempt, from 1; where the store fails, at_least
      def begin(stream_id, owner: SecureRandom.uuid, keys: [], at_least: 1)
        raise NotImplementedError, "#{self.class} has no begin"
      end

      # Nobody runs the stream now, but somebody will: a job that waits in a queue, or that goes back there. Until an
      # attempt begins its state is `:waiting`. Where one has begun since `attempt`, or that one has come to its end,
      # this does nothing.
      #
      # @param stream_id [String]
      # @param attempt [Integer] the one that was made last; 0: none
      # @param keys [Array<String>] as for {#begin}
      # @return [void]
      def await(stream_id, attempt: 0, keys: [])
        raise NotImplementedError, "#{self.class} has no await"
      end

      # Further keys of a stream that has begun: places that it is sent to. Nothing where nothing is known of it.
      #
      # @param stream_id [String]
      # @param keys [Array<String>] as for {#begin}
      # @return [void]
      def add_keys(stream_id, keys)
        raise NotImplementedError, "#{self.class} has no add_keys"
      end

      # Keeps a frame, as long as there is room. One of an older attempt is refused, as is one after the end of its
      # attempt, and one whose number is not above the last one's of its place. One of a newer attempt, of which the
      # store knows nothing, begins it.
      #
      # @param stream_id [String]
      # @param frame [Frame]
      # @return [void]
      def append(stream_id, frame)
        raise NotImplementedError, "#{self.class} has no append"
      end

      # The stream has come to its end; ends the watches of this process for it. For an older attempt it does nothing
      # else. One of a newer attempt, of which the store knows nothing, begins it.
      #
      # @param stream_id [String]
      # @param attempt [Integer]
      # @return [void]
      def finish(stream_id, attempt: 1)
        raise NotImplementedError, "#{self.class} has no finish"
      end

      # @param stream_id [String]
      # @param place [String]
      # @param after [Integer] the last number that the reader knows; 0: none
      # @param attempt [Integer, nil] the attempt that the number is of; where there is a newer one, it is read from its
      #   beginning. nil: the one there is
      # @param limit [Integer] frames at most
      # @return [Reading, nil] nil: nothing is known of the stream
      # @raise [Errors::StoreUnavailableError]
      def read(stream_id, place:, after: 0, attempt: nil, limit: READ_LIMIT)
        raise NotImplementedError, "#{self.class} has no read"
      end

      # @param stream_id [String]
      # @param place [String]
      # @return [Checkpoint, nil] the text so far; nil: nothing was sent there, or the text is not whole (it is too
      #   long, or frames have not reached the store)
      # @raise [Errors::StoreUnavailableError]
      def checkpoint(stream_id, place:)
        raise NotImplementedError, "#{self.class} has no checkpoint"
      end

      # @param stream_id [String]
      # @return [Symbol, nil] :finished; :cancelled (somebody wants it to stop; also when it has stopped); :waiting (see
      #   {#await}); :running; :abandoned (it has begun and not ended, and the process that ran it is gone); nil:
      #   nothing is known of it
      # @raise [Errors::StoreUnavailableError]
      def state_of(stream_id)
        raise NotImplementedError, "#{self.class} has no state_of"
      end

      # @param stream_id [String]
      # @return [Boolean] false also where nothing is known of it
      # @raise [Errors::StoreUnavailableError]
      def finished?(stream_id)
        raise NotImplementedError, "#{self.class} has no finished?"
      end

      # Somebody wants the stream to stop: whoever watches it is told, in this process at once. What has not begun yet
      # can be cancelled too.
      #
      # @param stream_id [String]
      # @return [Boolean] false: it had come to its end
      # @raise [Errors::StoreUnavailableError] unless this process itself runs it
      def cancel(stream_id)
        raise NotImplementedError, "#{self.class} has no cancel"
      end

      # @param stream_id [String]
      # @return [Boolean] false also where nothing is known of it
      # @raise [Errors::StoreUnavailableError]
      def cancelled?(stream_id)
        raise NotImplementedError, "#{self.class} has no cancelled?"
      end

      # @param key [String] as given to {#begin}
      # @param recent [Boolean] whether those too that have come to their end and are still kept
      # @return [Array<String>] the ids of the streams that have begun, or wait, and not come to an end, oldest first
      # @raise [Errors::StoreUnavailableError]
      def streams_of(key, recent: false)
        raise NotImplementedError, "#{self.class} has no streams_of"
      end

      # Whose a stream is, also when it has come to its end.
      #
      # @param stream_id [String]
      # @return [Array<String>] all that were given for it, in no order; none where nothing is known of it
      # @raise [Errors::StoreUnavailableError]
      def keys_of(stream_id)
        raise NotImplementedError, "#{self.class} has no keys_of"
      end

      # Has the block called once, when the stream is cancelled or its attempt superseded: soon, on any thread. It must
      # be short; what it raises is logged. {#finish} ends it.
      #
      # @param stream_id [String]
      # @param attempt [Integer]
      # @yieldparam reason [Symbol] :cancelled or :superseded
      # @return [Watch] for {#unwatch}
      # @raise [ArgumentError] without a block
      def watch(stream_id, attempt: 1, &block)
        raise NotImplementedError, "#{self.class} has no watch"
      end

      # @param watch [Watch]
      # @return [void]
      def unwatch(watch)
        raise NotImplementedError, "#{self.class} has no unwatch"
      end

      # Where memberships are kept that have no place of their own: beside the frames.
      #
      # @return [Memberships] a new one
      def memberships
        Memberships::MemoryStore.new
      end

      # Waits until what was appended is kept.
      #
      # @param seconds [Numeric] at most
      # @return [Boolean] whether it is
      def flush(seconds = 1) # rubocop:disable Lint/UnusedMethodArgument
        true
      end

      # @return [Hash{Symbol=>Integer}] frames since this process began: appended, refused (of an older attempt, after
      #   the end, out of order, for too many places), lost (the store failed for too long); and queued (now)
      def stats
        {appended: 0, refused: 0, lost: 0, queued: 0}
      end

      # @return [String] short
      def inspect
        "#<#{self.class.name}>"
      end

      private

      def id_of(stream_id)
        ReplayStore.name_of(stream_id, "stream_id")
      end

      def count(name, value, least = 1)
        return value if value.is_a?(Integer) && value.between?(least, Frame::MOST)

        raise ArgumentError, "#{name} must be a number from #{least} up, not #{value.inspect}"
      end

      def seconds(name, value)
        return value if value.is_a?(Numeric) && value.real? && value.positive? &&
          value <= ConfigurationKeys::MAX_SECONDS

        raise ArgumentError, "#{name} must be a number of seconds above 0, not #{value.inspect}"
      end

      def check_keys(keys)
        keys.map { |key| ReplayStore.name_of(key, "key") }
      end

      def check_frame(frame)
        raise ArgumentError, "a ReplayStore::Frame is needed, not #{frame.class}" unless frame.is_a?(Frame)
      end
    end
  end
end

require_relative "replay_store/memory_store"
require_relative "replay_store/recording"
require_relative "replay_store/redis_store"
