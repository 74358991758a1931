# frozen_string_literal: true

require_relative "native"

module RAAF
  module Streaming
    # Figures about streams: how many, how fast, how they ended.
    #
    # {Analytics.summary} tells of every stream of this process, without anything to be done for it: the native thread
    # counts them, in fixed memory. What an application would rather count by itself, in the words of the guide's
    # StreamingAnalyticsService, goes to an object of this class ({Analytics.instance}, or one of its own), and stays
    # apart from that, so that nothing is counted twice.
    #
    # Time is divided into minutes of the day's clock; the last {SLOTS} of them are known. A range counts every minute
    # that it touches. Each pair of a provider and a model has figures of its own, up to {LABELS} pairs; later ones are
    # counted together, as "other". One pair that is asked all the time takes 1.3 MB, all of them 22 MB at the most
    # ({memory}). Quantiles are off by a thirty-second (3.1 %) at most; means, sums and counts are exact.
    #
    # A forked child begins at zero, and so does every process: nothing is kept elsewhere.
    #
    # @example
    #   RAAF::Streaming::Analytics.summary[:first_token]            # => {count: 42, mean: 0.41, p50: 0.38, p95: 0.9, …}
    #   RAAF::Streaming::Analytics.summary(300, by: :model)         # the last five minutes: {"gpt-4o" => {…}, …}
    #   RAAF::Streaming::Analytics.summary(Time.now - 3600..)[:failures] # => {"RateLimitError" => 2}
    class Analytics
      # Seconds of a slot: the finest that ranges tell apart.
      SLOT_SECONDS = NativeAnalytics::SLOT_SECONDS
      # Slots that are known, back from now: two hours.
      SLOTS = NativeAnalytics::SLOTS
      # Pairs of a provider and a model with figures of their own, "other" among them.
      LABELS = NativeAnalytics::LABELS

      # Seconds that a summary covers where nothing else is said, as in the guide.
      DEFAULT_RANGE = 3600

      # Farther from now there is nothing. Unit: seconds since 1970.
      ENDS_OF_TIME = -(2**62)..2**62
      private_constant :ENDS_OF_TIME

      @native = NativeAnalytics.process
      @lock = Mutex.new

      class << self
        # What the streams of this process came to.
        #
        # A *stream* is a run, as the application sees it, from its first request until its last chunk has been taken,
        # with all its turns and tools. It is counted under the provider and model of its first request, and completed,
        # failed or cancelled when it ends: a consumer that leaves early has cancelled it. What was refused before
        # anything was sent is none. Everything else is about *calls* of models, of which a run makes one or several, a
        # call with its retries being one; it is counted as it happens.
        #
        # - `streams_started`, `streams_completed`, `streams_failed`, `streams_cancelled`: Integer
        # - `streams_running`: Integer, now, whatever the range
        # - `failures`: `{name of the error's class => Integer}`, without the module where it is one of {Errors}; after
        #   31 kinds "other"
        # - `completion_rate`: percent of the streams started, as the guide has it: rounded to two places, 0 where none
        #   was; at most 100.0, since one can be completed that was started before the range
        # - `avg_stream_duration`: seconds, of those completed; 0 where none was. `duration`: the same as a measure
        # - `total_chunks`, and `chunks` by type: the pieces of answers that calls brought; :complete, :error, and what
        #   is added in Ruby (:tool_result, :handoff) are not among them. `total_bytes` of their text
        # - `calls`: `{completed:, failed:, cancelled:}`; `retries`: attempts after the first
        # - `tokens`: `{prompt:, completion:, total:, cached:, reasoning:, calls:}`: what providers counted, and for how
        #   many calls they did
        # - measures, `{count:, mean:, p50:, p95:, p99:, max:}`, where all but the count are nil if it is 0:
        #   `first_token` (seconds from the request to the first token, retries included), `tokens_per_second` (those
        #   after the first token, by the time they took; where the provider counts them; without those of reasoning
        #   that was not shown), `gaps` (seconds between two arrivals of chunks; those that are read together arrive
        #   together, and after a pause that the consumer brought about there is none), `chunk_sizes` (bytes),
        #   `duration` (seconds)
        #
        # @param range [Range, Numeric, nil] Times (or seconds since 1970; either end may be missing); a number of
        #   seconds back from now; nil: all that is known. A clock that was set back has left figures ahead of now: a
        #   number of seconds includes them
        # @param by [Symbol, nil] :model or :provider: a Hash of such Hashes, by the names of those that did anything
        # @return [Hash]
        # @raise [ArgumentError] for a range or a grouping that is none
        def summary(range = DEFAULT_RANGE, by: nil)
          unless [nil, :model, :provider].include?(by)
            raise ArgumentError, "by must be :model, :provider or nil, not #{by.inspect}"
          end

          first, last = seconds(range)
          found = @native.figures(first, last, by)
          by ? found.to_h { |figures| [figures[:label], tell(figures)] } : tell(found.first)
        end

        # Forgets what was counted of this process's streams, and in {instance}. Those that run are counted when they
        # end.
        #
        # @return [void]
        def reset
          @native.reset
          instance.reset
        end

        # @return [Integer] bytes of native memory that {summary} rests on
        def memory
          @native.memory
        end

        # @return [Analytics] where the guide's `StreamingAnalyticsService.instance` was; for what is counted by hand
        def instance
          @instance || @lock.synchronize { @instance ||= new }
        end

        # Of {instance}.
        #
        # @return [void]
        # @see Analytics#record_stream_started
        def record_stream_started(...)
          instance.record_stream_started(...)
        end

        # Of {instance}.
        #
        # @return [void]
        # @see Analytics#record_chunk_sent
        def record_chunk_sent(...)
          instance.record_chunk_sent(...)
        end

        # Of {instance}.
        #
        # @return [void]
        # @see Analytics#record_stream_completed
        def record_stream_completed(...)
          instance.record_stream_completed(...)
        end

        # Of {instance}.
        #
        # @return [Hash{Symbol=>Object}]
        # @see Analytics#get_analytics_summary
        def get_analytics_summary(...)
          instance.get_analytics_summary(...)
        end

        # The slots of a range, each as one of its seconds.
        #
        # @return [Array(Integer, Integer), Array(Integer, nil), Array(nil, Integer), Array(nil, nil)]
        # @raise [ArgumentError]
        # @api private
        def seconds(range)
          case range
          when nil then [nil, nil]
          when Range then [second(range.begin), last_second(range)]
          else [second(Time.now.to_r - span(range)), nil]
          end
        end

        # @return [Numeric]
        # @api private
        def completion_rate(started, completed)
          return 0 if started.zero?

          [(completed.to_f / started * 100).round(2), 100.0].min
        end

        private

        def span(range)
          return range.to_r if number?(range)

          raise ArgumentError, "a range is a Range of Times, a number of seconds or nil, not #{range.inspect}"
        end

        def number?(value)
          value.is_a?(Numeric) && value.real? && value.finite?
        end

        def second(time)
          return if time.nil?
          return time.to_r.floor.clamp(ENDS_OF_TIME) if time.is_a?(Time) || number?(time)

          raise ArgumentError, "a range begins and ends at a Time, or never, not at #{time.inspect}"
        end

        def last_second(range)
          last = second(range.end) or return
          whole = range.exclude_end? && range.end.to_r == last
          whole ? last - 1 : last
        end

        def tell(figures)
          started, completed = figures.values_at(:streams_started, :streams_completed)
          {
            **figures.slice(:streams_started, :streams_completed, :streams_failed, :streams_cancelled,
              :streams_running, :failures),
            completion_rate: completion_rate(started, completed),
            avg_stream_duration: figures[:duration][:mean] || 0,
            total_chunks: figures[:chunks].values.sum, total_bytes: figures[:bytes], chunks: figures[:chunks],
            calls: {completed: figures[:calls_completed], failed: figures[:calls_failed],
                    cancelled: figures[:calls_cancelled]},
            retries: figures[:retries], tokens: tokens(figures),
            **figures.slice(:first_token, :tokens_per_second, :gaps, :chunk_sizes, :duration)
          }
        end

        def tokens(figures)
          counted = %i[prompt completion total cached reasoning].to_h { |kind| [kind, figures[:"#{kind}_tokens"]] }
          counted.merge(calls: figures[:calls_with_usage])
        end
      end

      def initialize
        @native = NativeAnalytics.new
      end

      # Counts a stream that begins.
      #
      # @param _session_id [Object] not kept: what is kept of single sessions would grow for ever
      # @param _user_id [Object] not kept
      # @param agent_type [String, Symbol, nil] counted apart, up to 15 of them; later ones are "other"
      # @return [void]
      def record_stream_started(_session_id, _user_id, agent_type)
        @native.count_started(agent_type.to_s)
      end

      # Counts a chunk.
      #
      # @param _session_id [Object] not kept
      # @param chunk_size [Integer] in any unit, from 0 up
      # @param chunk_type [Symbol, String] one of {Chunk::TYPES}; anything else is :other
      # @return [void]
      # @raise [ArgumentError, TypeError] for a size that is none
      def record_chunk_sent(_session_id, chunk_size, chunk_type)
        size = Integer(chunk_size)
        raise ArgumentError, "a size is not negative: #{size}" if size.negative?

        @native.count_chunk([size, ENDS_OF_TIME.end].min, chunk_type.to_s)
      end

      # Counts a stream that has ended well.
      #
      # @param _session_id [Object] not kept
      # @param _total_chunks [Integer] not kept: they are counted one by one
      # @param total_duration [Numeric] seconds, from 0 up
      # @return [void]
      # @raise [ArgumentError, TypeError] for a duration that is none
      def record_stream_completed(_session_id, _total_chunks, total_duration)
        duration = Float(total_duration) #: Float
        raise ArgumentError, "a duration is not negative: #{duration}" unless duration >= 0

        @native.count_completed(duration)
      end

      # What was recorded here, with the guide's keys: `streams_started`, `streams_completed`, `total_chunks` (their
      # number; the guide's own adds up their sizes here), `avg_stream_duration` (seconds), `completion_rate` (percent).
      # Besides, `chunks` by type, the measures `chunk_sizes` and `duration` as in {Analytics.summary}, and
      # `agent_types`: `{type => streams started}`.
      #
      # @param time_range [Range, Numeric, nil] as in {Analytics.summary}
      # @return [Hash{Symbol=>Object}]
      # @raise [ArgumentError] for a range that is none
      def get_analytics_summary(time_range = DEFAULT_RANGE) # rubocop:disable Naming/AccessorMethodName
        first, last = Analytics.seconds(time_range)
        figures = @native.figures(first, last, nil).first
        started, completed = figures.values_at(:streams_started, :streams_completed)
        {
          streams_started: started, streams_completed: completed, total_chunks: figures[:chunks].values.sum,
          avg_stream_duration: figures[:duration][:mean] || 0,
          completion_rate: Analytics.completion_rate(started, completed),
          **figures.slice(:chunks, :chunk_sizes, :duration), agent_types: agent_types(first, last)
        }
      end
      alias_method :summary, :get_analytics_summary

      # Forgets what was recorded here.
      #
      # @return [void]
      def reset
        @native.reset
      end

      # @return [String] short
      def inspect
        "#<#{self.class.name}>"
      end

      private

      def agent_types(first, last)
        counted = @native.figures(first, last, :model).to_h { |figures| figures.values_at(:label, :streams_started) }
        counted.reject { |_, started| started.zero? }
      end
    end
  end
end
