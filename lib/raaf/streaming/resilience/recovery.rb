# frozen_string_literal: true

require_relative "policy"
require_relative "step"

module RAAF
  module Streaming
    # What a {ResilientRunner} is made of.
    #
    # @api private
    module Resilience
      # What becomes of the failures of one run. Whoever takes the run's chunks asks it when a native stream has failed,
      # and starts what it gives; so it needs no thread and no lock of its own.
      #
      # @api private
      class Recovery
        # Whom it can ask: with `foreign`, one that the agent's own headers and body fields are not meant for.
        Entry = Struct.new(:provider, :model, :foreign) do
          # @implements Entry

          # @return [Array<Object>] the same for the same server
          def place
            [provider.name, (provider.base_url if provider.respond_to?(:base_url))]
          rescue Errors::ConfigurationError # it has no address yet
            [provider.name, nil]
          end

          # @return [Boolean] whether it asks the same as the other
          def same?(other)
            provider.equal?(other.provider) && model == other.model
          end
        end

        # Errors that are none of the provider's, and of which it is no news that they end a run.
        PLAIN = [Errors::CancelledError, Errors::ForkedError].freeze
        private_constant :Entry, :PLAIN

        # @return [Integer] attempts after the first, in this run
        attr_reader :retries

        # @param policy [Policy]
        def initialize(policy)
          @policy = policy
          @retries = 0
          @turn_retries = 0
          @entries = [] # whom it can ask, the agent's own provider first
          @tried = [] # since the last answer
        end

        # @return [#acquire] for permits to ask
        def breakers
          @policy.breakers
        end

        # @return [Integer] how often the last request was sent, to whomever
        def attempts
          @turn_retries + 1
        end

        # The next question is another one.
        #
        # @return [void]
        def answered
          @turn_retries = 0
          @tried = @tried.last(1)
        end

        # Makes another attempt ready. It counts once it was {#started}.
        #
        # @param call [ModelCall] the one that failed
        # @param native [NativeStream] ended
        # @param error [Exception]
        # @return [Step, nil] nil: the run is over
        def next_step(call, native, error)
          mode = mode(call, native) if @retries < @policy.max_retries && kind(error)
          return unless mode

          current = current(call)
          candidates(current, error, call.config.max_retry_delay).each do |entry, delay|
            step = step(call, native, entry, error, delay, mode, current)
            return step if step
          end
          nil
        end

        # @param step [Step]
        # @param context [RunContext]
        # @return [void]
        def started(step, context)
          @retries = step.number
          @turn_retries += 1
          @tried << step.entry
          Notifications.publish("retry", **step.report(context.stream_id))
        end

        # @param error [Exception] what the run ended with
        # @param answered [Boolean] whether something of the answer had come
        # @return [String] for whoever reads the answer
        def last_words(error, answered)
          kind = kind(error)
          return error.message if kind ? answered && !used_up? : PLAIN.any? { |type| type === error }

          case kind
          when nil then "Unexpected error: #{error.message}"
          when :limit then "Max retries exceeded. Please try again later."
          else "All providers failed. Please try again later."
          end
        end

        # @param error [Exception]
        # @return [Boolean] whether it is a failure of a provider's: the run has a result that says so, and raises
        #   nothing
        def failure?(error)
          !kind(error).nil?
        end

        private

        # Whether a further attempt was what was missing, and not the permission to repeat something.
        def used_up?
          @policy.after_content != :error && @retries >= @policy.max_retries
        end

        # @return [Symbol, nil] :limit (to wait helps), :provider (another may answer), :again (the server wants to be
        #   asked once more); nil: none of these
        def kind(error)
          case error
          when Errors::RateLimitError then :limit
          when Errors::ProviderError then :provider
          when Errors::InvalidRequestError then :again if error.retryable?
          end
        end

        # @return [Symbol, nil] nil: nothing may be repeated, and so it ends
        def mode(call, native)
          return :again unless native.outcome[:answered]
          return if @policy.after_content == :error

          (@policy.after_content == :continue && !call.can_go_on?(native)) ? nil : @policy.after_content
        end

        # Who was asked. Where that is nobody known, the run has come to another agent's provider.
        def current(call)
          asked = Entry.new(call.provider, call.model)
          current = @tried.last
          return current if current&.same?(asked)

          @entries = [asked]
          @tried = [asked]
          asked
        end

        # @return [Array<Array(Entry, Numeric)>] whom to ask, and after how many seconds, in the order of preference
        def candidates(current, error, longest)
          tried, fresh = others(current).partition { |entry| @tried.any? { |tried| tried.same?(entry) } }
          own = @policy.delay(@retries + 1, longest)
          at_once = after(0, fresh)
          same = after([own, error.retry_after || 0].max, worth_waiting?(error, longest) ? [current] : [])
          (kind(error) == :provider) ? at_once + after(own, tried) + same : same + at_once
        end

        def after(delay, entries)
          entries.map { |entry| [entry, delay] }
        end

        def worth_waiting?(error, longest)
          error.retryable? && !error.is_a?(Errors::CircuitOpenError) && (error.retry_after || 0) <= longest
        end

        # Those at another place first: the same server with another model may well fail the same way. Those that come
        # after the one that failed are before those that were asked already.
        def others(current)
          all = entries
          at = all.index { |entry| entry.same?(current) } || 0
          all.rotate(at).drop(1).partition { |entry| entry.place != current.place }.flatten(1)
        end

        # A backup that cannot be set up is left out for this run.
        def entries
          return @entries if @entries.size > 1

          first = @entries.first
          backups = @policy.backups.filter_map { |backup| entry(backup, first) }
          backups.reject! { |entry| entry.place == first.place } if @policy.backups_by_default?
          @entries += backups.reject { |entry| entry.same?(first) }
        end

        def entry(backup, first)
          entry = Entry.new(backup.provider, backup.model(first.model))
          entry.foreign = entry.place != first.place
          entry
        rescue Errors::Error, ArgumentError => e
          left_out(backup.inspect, e)
        end

        # @return [Step, nil] nil: it cannot be asked this, or its circuit breaker is open
        def step(call, native, entry, error, delay, mode, current)
          anew = mode == :reset
          again = call.again(provider: entry.provider, model: entry.model, foreign: entry.foreign,
            said: anew ? "" : call.turn_text(native), delay: delay)
          prepared = again.prepare(native.outcome[:last_seq] + (anew ? 2 : 1), (native unless anew))
          return if again.refused?

          Step.new(call: again, native: prepared, entry: entry, error: error, number: @retries + 1, delay: delay,
            words: words(error, delay, entry.same?(current)), mode: mode)
        rescue Errors::ConfigurationError, Errors::InvalidRequestError, ArgumentError => e
          left_out(entry.provider.name, e)
        end

        def left_out(whom, error)
          Streaming.logger.warn("#{whom} cannot be asked: #{error.message} (#{error.class})")
          nil
        end

        def words(error, delay, same)
          what = (kind(error) == :limit) ? "Rate limited" : "Provider error"
          return "#{what}. Switching to backup..." unless same || delay.positive?

          "#{what}. Retrying in #{(delay == delay.to_i) ? delay.to_i : delay.round(3)}s..."
        end
      end
    end
  end
end
