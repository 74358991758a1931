# frozen_string_literal: true

require_relative "circuit_breaker/error_filter"
require_relative "circuit_breaker/redis_store"
require_relative "circuit_breaker/settings"
require_relative "circuit_breaker/shared_state"
require_relative "circuit_breaker/store"

module RAAF
  module Streaming
    # Stops calling what keeps failing: after too many failures calls are refused for a while, at once and without a
    # try; then a few, the probes, find out whether things work again.
    #
    # State and counting are native and atomic. No lock is held while a block runs, so any number of threads may be
    # inside, and calls may be nested. Every method may be called from any thread and fiber. A forked child has a copy
    # that goes its own way.
    #
    # An outcome counts only in the state in which its call began: what ends late neither opens nor closes a breaker
    # that has changed since.
    #
    # @example
    #   breaker = RAAF::Streaming::CircuitBreaker.new(failure_threshold: 5, timeout: 60, name: "openai/gpt-4o",
    #     errors: RAAF::Errors::ProviderError)
    #   breaker.call { ask(provider) }
    #
    # With a `store`, several processes and hosts share that it is open or closed: see {Store}.
    #
    # @example For an outcome that comes later, in another thread
    #   permit = breaker.acquire
    #   stream = runner.stream("Hello")
    #   stream.on(:complete) { permit.success }
    #         .on(:error) { |chunk| permit.failure(chunk.exception) if chunk.terminal? }
    #
    # @example Opened by a rate: half of the last minute's calls failed, and there were at least 20
    #   RAAF::Streaming::CircuitBreaker.new(failure_rate: 0.5, window_duration: 60, minimum_calls: 20)
    class CircuitBreaker
      # What {#state} can be.
      STATES = [:closed, :open, :half_open].freeze

      # What listeners are told: whose state has changed, its name, from which to which of {STATES}, and why: :failures,
      # :failure_rate, :slow_call_rate, :timeout (it was open long enough), :probe_failed, :probe_succeeded, :by_hand
      # ({CircuitBreaker#trip}, {CircuitBreaker#reset}) or :shared (by what the store says).
      Change = Struct.new(:breaker, :name, :from, :to, :reason, keyword_init: true)

      # Seconds after which a process asks again whether it may probe, where it looks at the store at every call.
      SHORTEST_DELAY = 0.01
      private_constant :SHORTEST_DELAY

      # @return [String, nil] what it protects, for messages, notifications and the store
      attr_reader :name

      # @return [Float] seconds for which it is open
      attr_reader :timeout

      # At least one of `failure_threshold`, `failure_rate` and `slow_call_rate` has to be there; any of them opens it.
      #
      # @param name [#to_s, nil] what it protects
      # @param failure_threshold [Integer, nil] failures in a row that open it; nil: any number is allowed. Default 5,
      #   and nil where a `failure_rate` is given
      # @param timeout [Numeric, ActiveSupport::Duration] seconds for which it is open, 0 or more
      # @param half_open_permits [Integer] probes at the same time while it is half-open
      # @param success_threshold [Integer] probes that have to succeed before it closes. One that fails opens it again
      # @param failure_rate [Float, nil] share of the window's calls, above 0 and up to 1, that opens it when so many
      #   have failed
      # @param slow_call_rate [Float, nil] the same for slow calls; a slow probe has failed then
      # @param slow_call_duration [Numeric, nil] seconds from which a call is slow; wanted with `slow_call_rate`
      # @param window_size [Integer, nil] the rates are of the last so many calls (1 to 100,000). Default 100, without
      #   `window_duration`
      # @param window_duration [Numeric, nil] instead: of the last so many seconds; calls leave it in steps of a
      #   twentieth
      # @param minimum_calls [Integer] in the window before a rate says anything; no more than `window_size`. Default
      #   20, or `window_size` where that is smaller
      # @param errors [Module, #call, Array<Module, #call>, nil] which errors count as failures: those of a class, and
      #   those for which a callable says so; nil: every StandardError, a CancelledError too. What is no StandardError
      #   never counts. An error that does not count is no success either
      # @param ignore [Module, #call, Array<Module, #call>, nil] which errors of these do not count
      # @param store [Store, nil] where breakers of this name in other processes are, such as a {RedisStore}; nil: it is
      #   on its own
      # @param clock [#call, nil] gives seconds that never go back, for tests; nil: the monotonic clock
      # @raise [ArgumentError] for anything else
      def initialize(name: nil, failure_threshold: Settings::DEFAULT, timeout: 60, half_open_permits: 1,
        success_threshold: 1, failure_rate: nil, slow_call_rate: nil, slow_call_duration: nil, window_size: nil,
        window_duration: nil, minimum_calls: nil, errors: nil, ignore: nil, store: nil,
        clock: nil)
        settings = Settings.check(failure_threshold: failure_threshold, timeout: timeout,
          half_open_permits: half_open_permits, success_threshold: success_threshold, failure_rate: failure_rate,
          slow_call_rate: slow_call_rate, slow_call_duration: slow_call_duration, window_size: window_size,
          window_duration: window_duration, minimum_calls: minimum_calls)
        Settings.check_clock(clock)
        @name = name&.to_s&.dup&.freeze
        @store = Settings.check_store(store, @name)
        @timeout = settings[:timeout]
        @filter = ErrorFilter.new(errors, ignore)
        @lock = Mutex.new # covers the exchange of @listeners
        @listeners = {}.freeze # {state => [callable]}
        setup(settings, clock, !(errors.nil? && ignore.nil?), store&.refresh)
        @shared = store && SharedState.new(@name.to_s, store, lease: @timeout, local: method(:local_summary),
          wake: method(:refresh_soon))
      end

      # Has a block called when the state changes, in the thread whose call has changed it, while no lock is held. Two
      # threads may tell of two changes at the same time. A block that raises is logged, and changes nothing.
      #
      # @param states [Array<Symbol>] which of {STATES} it enters; none, or :*, for all
      # @yieldparam change [Change]
      # @return [self]
      # @raise [ArgumentError] without a block, or for a state that there is not
      def on(*states, &block)
        raise ArgumentError, "on needs a block" unless block

        entered = (states.empty? || states.include?(:*)) ? STATES : states
        unknown = entered - STATES
        raise ArgumentError, "unknown states #{unknown.inspect}: there are #{STATES.inspect}" if unknown.any?

        @lock.synchronize do
          @listeners = @listeners.merge(entered.to_h { |state| [state, [*@listeners.fetch(state, []), block]] }).freeze
        end
        self
      end

      # The same as {#on} for all states.
      #
      # @yieldparam change [Change]
      # @return [self]
      # @raise [ArgumentError] without a block
      def on_state_change(&block)
        on(:*, &block)
      end

      # Opens it, also where it is open already.
      #
      # @param seconds [Numeric] for which it is open, such as the `retry_after` of an error
      # @return [self]
      # @raise [ArgumentError] for a negative time
      def trip(seconds = timeout)
        open_for(Settings.seconds("trip", seconds), true)
        adopt(@shared&.publish(by_hand: true))
        self
      end

      # Closes it and forgets all failures.
      #
      # @return [self]
      def reset
        close_now(true)
        adopt(@shared&.publish(by_hand: true))
        self
      end

      # @return [Hash{Symbol=>Object}] :state, :failures (in a row), :probes (under way), :successes (of probes),
      #   :retry_after (seconds), and with a window :window_calls, :window_failures and :window_slow_calls
      def to_h
        state # looks at the store where it is time for that
        {name: name}.merge(local_figures)
      end

      # @return [String] name and state
      def inspect
        "#<#{[self.class.name, name, local_state].compact.join(" ")}>"
      end

      private

      # The following are called by the native part.

      def changed(from, to, reason)
        Notifications.publish("circuit", name: name, from: from, to: to, reason: reason)
        tell_listeners(from, to, reason)
        adopt(@shared&.publish) unless to == :half_open || reason == :by_hand || reason == :shared
      end

      def tell_listeners(from, to, reason)
        listeners = @listeners[to] or return
        change = Change.new(breaker: self, name: name, from: from, to: to, reason: reason).freeze
        listeners.each do |listener|
          listener.call(change)
        rescue => e
          Streaming.logger.error("a listener of the circuit breaker #{name || "without a name"} raised " \
                                 "#{e.class}: #{e.message}")
        end
      end

      def refused(retry_after)
        raise Errors::CircuitOpenError.new(
          "Circuit breaker is open#{" (#{name})" if name}: the next call is let through in " \
          "#{retry_after.ceil(1)} s, at the earliest",
          retry_after: retry_after
        )
      end

      def counts?(error)
        @filter.counts?(error)
      end

      def synchronize
        adopt(@shared&.news)
      end

      # The answer is for nobody: where another process has the right to probe, the next probe is put off.
      def may_probe?
        shared = @shared or return true
        granted = shared.claim_probe
        adopt(shared.take_news)
        postpone([@store&.refresh || 0.0, SHORTEST_DELAY].max) if granted == false
        granted
      end

      # What another process has done holds here too.
      def adopt(record)
        return unless record

        case record.state
        when :open then open_for([record.seconds, 0.0].max, false)
        when :closed then close_now(false) unless local_state == :closed
        end
      end

      # For the threads that ask the store.
      def local_summary
        figures = local_figures
        [figures[:state], figures[:retry_after]]
      end
    end
  end
end
