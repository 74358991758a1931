# frozen_string_literal: true

module RAAF
  module Streaming
    # Who belongs to which session, for all processes of an application: who may hear what is said in it, and take part.
    #
    # This class is the interface. {MemoryStore} is for one process, {RedisStore} and {ActiveRecordStore} for several;
    # another one inherits from this class and has the private methods that raise NotImplementedError here. Anything
    # with its public methods can be the setting `memberships`.
    #
    # The application lets users in, where it decides that they may; a channel asks {#member?} before it subscribes
    # anybody. A membership ends by {#leave}, or `ttl` seconds after the last {#join}: so whoever forgets to call leave
    # leaves nothing behind, and who is to stay longer joins again. A session has at most `max_members`.
    #
    # Ids are compared as strings. All methods raise {Errors::StoreUnavailableError} where the store fails: that nothing
    # is known is no permission. Every method may be called from any thread, and in forked children.
    #
    # @example
    #   memberships = RAAF::Streaming::Memberships.current
    #   memberships.join("42", user.id)
    #   memberships.member?("42", user.id)   # => true, in every process
    #   memberships.members("42")            # => ["7"]
    class Memberships
      # Needs no ActiveRecord until it is used.
      autoload :ActiveRecordStore, File.expand_path("memberships/active_record_store", __dir__)

      # Members of one session, unless another number is given.
      MAX_MEMBERS = 1000
      # Seconds for which a membership holds, unless another number is given: a week.
      TTL = 604_800
      # What something has to have to be the setting `memberships`.
      INTERFACE = %i[join leave member? members].freeze

      @lock = Mutex.new
      @departures = 0

      class << self
        # @return [Integer] changes whenever somebody has left in this process
        # @api private
        attr_reader :departures

        # Where channels of other processes hear that somebody has left.
        #
        # @param session_id [#to_s]
        # @param user_id [#to_s]
        # @return [String] the name of a broadcasting
        # @api private
        def place(session_id, user_id)
          "raaf_membership/#{session_id}/#{user_id}"
        end

        # Somebody has left. Channels that do not hear it find out by themselves, a little later.
        #
        # @param session_id [String]
        # @param user_id [String]
        # @return [void]
        # @api private
        def departed(session_id, user_id)
          @lock.synchronize { @departures += 1 }
          Delivery.within(nil, nil) { Broadcaster.call(place(session_id, user_id), {type: "raaf_left"}) }
        rescue => e
          Streaming.logger.warn("other processes were not told that a user has left a session: #{e.class}")
        end

        # @return [Memberships] the setting `memberships`; else one that keeps them where the setting `replay_store`
        #   keeps its frames
        def current
          configuration = Streaming.configuration
          configuration.memberships || beside(configuration.replay_store)
        end

        # Lets a user in, or says why not.
        #
        # @param session_id [#to_s]
        # @param user_id [#to_s]
        # @return [void]
        # @raise [Errors::StreamLimitError] where the session is full
        # @raise [ArgumentError, Errors::StoreUnavailableError] as {#join}
        def admit(session_id, user_id)
          return if current.join(session_id, user_id)

          raise Errors::StreamLimitError.new("the session #{session_id} has as many members as it may have",
            limit: :max_members)
        end

        private

        # One for each store, as long as that is the setting.
        def beside(store)
          @lock.synchronize do
            next @beside if @beside && @store.equal?(store)

            @store = store
            @beside = store.respond_to?(:memberships) ? store.memberships : MemoryStore.new
          end
        end
      end

      # @return [Integer]
      attr_reader :max_members
      # @return [Numeric] seconds
      attr_reader :ttl

      # @param max_members [Integer] of one session
      # @param ttl [Numeric] seconds for which a membership holds after the last {#join}
      # @raise [ArgumentError] for a wrong number
      def initialize(max_members: MAX_MEMBERS, ttl: TTL)
        @max_members = count("max_members", max_members)
        unless ttl.is_a?(Numeric) && ttl.real? && ttl.positive? && ttl <= ConfigurationKeys::MAX_SECONDS
          raise ArgumentError, "ttl must be a number of seconds above 0, not #{ttl.inspect}"
        end

        @ttl = ttl
      end

      # @param session_id [#to_s]
      # @param user_id [#to_s]
      # @return [Boolean] false: the session is full, and the user is none of its members
      # @raise [ArgumentError] for an id that is empty or too long
      # @raise [Errors::StoreUnavailableError]
      def join(session_id, user_id)
        add(ReplayStore.name_of(session_id, "session_id"), ReplayStore.name_of(user_id, "user_id"))
      end

      # @param session_id [#to_s]
      # @param user_id [#to_s]
      # @return [Boolean] whether the user was a member
      # @raise [Errors::StoreUnavailableError]
      def leave(session_id, user_id)
        return false unless possible?(session_id, user_id)

        left = remove(session_id.to_s, user_id.to_s)
        Memberships.departed(session_id.to_s, user_id.to_s) if left
        left
      end

      # @param session_id [#to_s]
      # @param user_id [#to_s, nil]
      # @return [Boolean] false also for what can be no id
      # @raise [Errors::StoreUnavailableError]
      def member?(session_id, user_id)
        possible?(session_id, user_id) && include?(session_id.to_s, user_id.to_s)
      end

      # @param session_id [#to_s]
      # @return [Array<String>] ids of users, who joined first first
      # @raise [Errors::StoreUnavailableError]
      def members(session_id)
        possible?(session_id) ? list(session_id.to_s) : []
      end

      # @return [String] short
      def inspect
        "#<#{self.class.name}>"
      end

      private

      # @return [Boolean] false: there is no room
      def add(_session, _user)
        raise NotImplementedError, "#{self.class} has no add"
      end

      # @return [Boolean] whether there was anything to remove
      def remove(_session, _user)
        raise NotImplementedError, "#{self.class} has no remove"
      end

      # @return [Boolean]
      def include?(_session, _user)
        raise NotImplementedError, "#{self.class} has no include?"
      end

      # @return [Array<String>]
      def list(_session)
        raise NotImplementedError, "#{self.class} has no list"
      end

      def possible?(*ids)
        ids.all? { |id| id.to_s.bytesize.between?(1, ReplayStore::MAX_NAME_BYTES) }
      end

      def count(name, value)
        return value if value.is_a?(Integer) && value.positive?

        raise ArgumentError, "#{name} must be a number from 1 up, not #{value.inspect}"
      end
    end
  end
end

require_relative "memberships/memory_store"
require_relative "memberships/redis_store"
