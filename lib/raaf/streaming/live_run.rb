# frozen_string_literal: true

require "weakref"

require_relative "message_rate"
require_relative "native"
require_relative "stream_limits"

module RAAF
  module Streaming
    # A run as those see it who do not hold its handle: whether it has its place among those of the process, how far it
    # has come, and how to end it.
    #
    # It holds no handle and no native stream, so whoever keeps it keeps no request alive.
    #
    # @api private
    class LiveRun
      # A native stage in the words of {Stream#status}, where they differ.
      STATUSES = {new: :connecting, ended: :streaming}.freeze

      # An id as those are compared: `42` and `"42"` are the same.
      #
      # @param id [#to_s, nil]
      # @return [String, nil]
      def self.key(id)
        id&.to_s
      end

      # @return [RunContext]
      attr_reader :context
      # @return [Array(String?, String?)] session and user, to find it by
      attr_reader :connection
      # @return [Tool::Turn, nil] its tools, while they run
      attr_writer :tools

      # @param context [RunContext]
      # @param config [Configuration]
      def initialize(context, config)
        @context = context
        @config = config
        @connection = [LiveRun.key(context.session_id), LiveRun.key(context.user_id)].freeze
        @place = Place.new(user, config.max_concurrent_streams, config.max_concurrent_streams_per_user,
          config.stream_queue_timeout.positive? ? config.max_queued_streams : 0)
        @reason = :cancelled
        @cancelled = false # set once, without a lock, so that a signal handler may do it
        @tools = nil
        @details = {}
        @handle = nil
      end

      # Lets {#redirect} find the handle, as long as somebody else holds it.
      #
      # @param stream [Stream]
      # @return [void]
      def belongs_to(stream)
        @handle = WeakRef.new(stream) # steep:ignore UnknownConstant
      end

      # Counts a message of the user's. What the block raises takes that back: nothing was sent.
      #
      # @param details [Hash{Symbol=>Object}] :provider and :model, for errors
      # @yieldreturn [Object] returned
      # @raise [Errors::StreamLimitError] where there have been too many within a minute
      def count_message(details)
        most = @config.messages_per_minute_per_user
        return yield unless most && (user = self.user)

        counted = message(user, most, details)
        returned = yield
        counted = false
        returned
      ensure
        MessageRate.current.take_back(user) if counted
      end

      # Begins a request of the run, or has it wait for the place.
      #
      # @param native [NativeStream]
      # @param details [Hash{Symbol=>Object}] :provider and :model
      # @return [void]
      # @raise [Errors::StreamLimitError] for the first one, where there is no place
      def start(native, details)
        refused = native.start(@place)
        raise StreamLimits.refused(refused, @config, details) if refused

        @details = details
        ConnectionManager.instance.track(self)
      end

      # @return [Boolean] whether a request of it runs, waits for its place, or follows
      def live?
        @place.live?
      end

      # @return [Boolean]
      def cancelled?
        @cancelled
      end

      # From now on no request follows.
      #
      # @return [void]
      def cancelled!
        @cancelled = true
      end

      # @return [Symbol] why it was cancelled: :cancelled (somebody asked for it) or :superseded (another run of the
      #   same stream has taken its place)
      attr_reader :reason

      # Ends it as {Stream#cancel} does. Any thread.
      #
      # @param reason [Symbol] see {#reason}
      # @return [Boolean] whether there was something to end
      def cancel(reason = :cancelled)
        @reason = reason unless cancelled?
        cancelled!
        ended = @place.cancel
        @tools&.wake
        ended
      end

      # Goes on with another instruction, as {Stream#redirect} does. Any thread.
      #
      # @param message [String]
      # @return [Boolean] false: its handle is not known
      # @raise (see Stream#redirect)
      def redirect(message)
        stream = @handle&.__getobj__ or return false
        stream.redirect(message)
        true
      rescue WeakRef::RefError # steep:ignore UnknownConstant
        false
      end

      # It has ended: gives the place back, where it has one.
      #
      # @return [void]
      def over
        @place.leave
        ConnectionManager.instance.forget(self)
      end

      # @return [Hash{Symbol=>Object}, nil] :state and what else {ConnectionManager::StreamInfo} counts; nil: it is not
      #   live
      def facts
        facts = @place.facts or return
        stage = facts.delete(:stage)
        facts.merge(state: @tools ? :running_tools : STATUSES.fetch(stage, stage))
      end

      # @return [String, nil] the provider that was asked last
      def provider
        @details[:provider] || context.provider
      end

      # @return [String, nil] the model that was asked last
      def model
        @details[:model] || context.model
      end

      # @return [String] short
      def inspect
        "#<#{self.class.name} #{context.stream_id}>"
      end

      private

      def user
        @connection.last
      end

      # @return [true]
      def message(user, most, details)
        seconds = MessageRate.current.count(user, most)
        raise StreamLimits.too_many_messages(most, seconds, details) if seconds

        true
      end
    end
  end
end
