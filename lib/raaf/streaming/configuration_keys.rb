# frozen_string_literal: true

require "uri"

module RAAF
  module Streaming
    # Every key of {Configuration}, once: its default, what values it takes, and the words for a wrong one.
    #
    # @api private
    module ConfigurationKeys
      # One key.
      class Key
        # @return [Symbol]
        attr_reader :name
        # @return [Object]
        attr_reader :default
        # @return [String] such as "a number of seconds above 0"
        attr_reader :expected

        # @param name [Symbol]
        # @param default [Object]
        # @param expected [String] what it takes, with the unit
        # @param accepts [#call] whether a value is allowed
        def initialize(name, default, expected, accepts)
          @name = name
          @default = default
          @expected = expected
          @accepts = accepts
          freeze
        end

        # @return [String, nil] what is wrong with the value; nil: nothing
        def complaint(value)
          "#{name} must be #{expected}, not #{value.inspect}" unless @accepts.call(value)
        end
      end

      # The largest time limit. A longer one is a mistake in the unit. Unit: seconds (11.6 days).
      MAX_SECONDS = 1_000_000

      # The most attempts after the first. More is a mistake.
      MAX_RETRIES = 1000

      MEBIBYTE = 1024 * 1024

      # Where gathered text is cut.
      CUTS = %i[grapheme word sentence].freeze

      FINITE = ->(value) { value.is_a?(Numeric) && value.real? && value.finite? }
      SECONDS = ->(value) { FINITE.call(value) && value.positive? && value <= MAX_SECONDS }
      SECONDS_OR_NONE = ->(value) { value.nil? || SECONDS.call(value) }
      SECONDS_FROM_ZERO = ->(value) { FINITE.call(value) && !value.negative? && value <= MAX_SECONDS }
      COUNT = ->(value) { value.is_a?(Integer) && value.positive? }
      COUNT_OR_NONE = ->(value) { value.nil? || COUNT.call(value) }
      BOOLEAN = ->(value) { [true, false].include?(value) }
      HTTP_PROXY = lambda do |value|
        uri = URI.parse(value)
        uri.is_a?(URI::HTTP) && !uri.host.to_s.empty?
      rescue URI::InvalidURIError
        false
      end

      ALL = [
        Key.new(:chunk_buffer_size, nil, "nil or a number of characters from 0 up",
          ->(value) { value.nil? || (value.is_a?(Integer) && !value.negative?) }),
        Key.new(:chunk_buffer_timeout, 100, "a number of milliseconds above 0",
          ->(value) { FINITE.call(value) && value.positive? && value <= MAX_SECONDS * 1000 }),
        Key.new(:chunk_buffer_cut, :grapheme, ":grapheme, :word or :sentence", ->(value) { CUTS.include?(value) }),
        Key.new(:connection_pool_size, 10, "a number of connections from 1 up", COUNT),
        Key.new(:connection_timeout, 30, "a number of seconds above 0", SECONDS),
        Key.new(:first_token_timeout, 120, "a number of seconds above 0, or nil for none", SECONDS_OR_NONE),
        Key.new(:idle_timeout, 60, "a number of seconds above 0, or nil for none", SECONDS_OR_NONE),
        Key.new(:stream_timeout, 300, "a number of seconds above 0, or nil for none", SECONDS_OR_NONE),
        Key.new(:max_concurrent_streams, 100, "a number of streams from 1 up, or nil for no limit", COUNT_OR_NONE),
        Key.new(:max_concurrent_streams_per_user, nil, "nil or a number of streams from 1 up", COUNT_OR_NONE),
        Key.new(:max_queued_streams, 1000, "a number of streams from 1 up", COUNT),
        Key.new(:stale_connection_timeout, 300, "a number of seconds above 0", SECONDS),
        Key.new(:stream_queue_timeout, 0, "a number of seconds from 0 up",
          ->(value) { value.eql?(0) || value.eql?(0.0) || SECONDS.call(value) }),
        Key.new(:max_retries, 2, "a number of attempts from 0 to #{MAX_RETRIES}",
          ->(value) { value.is_a?(Integer) && !value.negative? && value <= MAX_RETRIES }),
        Key.new(:retry_delay, 0.5, "a number of seconds from 0 up", SECONDS_FROM_ZERO),
        Key.new(:max_retry_delay, 60, "a number of seconds from 0 up", SECONDS_FROM_ZERO),
        Key.new(:async_chunk_processing, true, "true or false", BOOLEAN),
        Key.new(:chunk_processing_queue, :streaming_chunks, "the name of a queue, as Symbol or String",
          ->(value) { (value.is_a?(Symbol) || value.is_a?(String)) && !value.empty? }),
        Key.new(:retain_text, true, "true or false", BOOLEAN),
        Key.new(:max_text_bytes, 64 * MEBIBYTE, "a number of bytes from 1 up", COUNT),
        Key.new(:max_message_bytes, 32 * 1024, "a number of bytes from 1 up", COUNT),
        Key.new(:messages_per_minute_per_user, nil, "nil or a number of messages from 1 up", COUNT_OR_NONE),
        Key.new(:authorize, nil, "nil or something that responds to call",
          ->(value) { value.nil? || value.respond_to?(:call) }),
        Key.new(:finish_grace, 1, "a number of seconds from 0 up", SECONDS_FROM_ZERO),
        Key.new(:queue_max_items, 1024, "a number of chunks from 1 up", COUNT),
        Key.new(:queue_max_bytes, MEBIBYTE, "a number of bytes from 1 up", COUNT),
        Key.new(:max_line_bytes, 8 * MEBIBYTE, "a number of bytes from 1 up", COUNT),
        Key.new(:max_event_bytes, 16 * MEBIBYTE, "a number of bytes from 1 up", COUNT),
        Key.new(:malformed_events, :error, ":error or :skip", ->(value) { %i[error skip].include?(value) }),
        Key.new(:tool_timeout, 60, "a number of seconds above 0, or nil for none", SECONDS_OR_NONE),
        Key.new(:max_turns, nil, "nil or a number of turns from 1 up", COUNT_OR_NONE),
        Key.new(:token_budget, nil, "nil or a number of tokens from 1 up", COUNT_OR_NONE),
        Key.new(:conversation_store, nil, "nil or something with messages and append",
          ->(value) { value.nil? || (value.respond_to?(:messages) && value.respond_to?(:append)) }),
        Key.new(:replay_store, nil, "nil, false or a RAAF::Streaming::ReplayStore (or what has its methods)",
          ->(value) { !value || ReplayStore::INTERFACE.all? { |method| value.respond_to?(method) } }),
        Key.new(:memberships, nil, "nil or a RAAF::Streaming::Memberships (or what has its methods)",
          ->(value) { value.nil? || Memberships::INTERFACE.all? { |method| value.respond_to?(method) } }),
        Key.new(:cumulative_limit, 1000, "a number of bytes from 0 up, or nil for no limit",
          ->(value) { value.nil? || value.eql?(0) || COUNT.call(value) }),
        Key.new(:raw_events, false, "true or false", BOOLEAN),
        Key.new(:ca_file, nil, "nil or the path of a readable file",
          ->(value) {
            value.nil? || (value.respond_to?(:to_str) || value.respond_to?(:to_path)) && File.readable?(value)
          }),
        Key.new(:proxy, nil, "nil, false, or an http or https URL (SOCKS is not supported)",
          ->(value) { value.nil? || value == false || (value.is_a?(String) && HTTP_PROXY.call(value)) }),
        Key.new(:disconnect_grace, 30, "a number of seconds from 0 up", SECONDS_FROM_ZERO),
        Key.new(:context_in_instructions, true, "true or false", BOOLEAN),
        Key.new(:partial_arguments, false, "true or false", BOOLEAN),
        Key.new(:analytics, true, "true or false", BOOLEAN)
      ].to_h { |key| [key.name, key] }.freeze

      private_constant :FINITE, :SECONDS, :SECONDS_OR_NONE, :SECONDS_FROM_ZERO, :COUNT, :COUNT_OR_NONE, :BOOLEAN,
        :HTTP_PROXY

      module_function

      # A value as the native part can take it: ActiveSupport's durations say that they are numbers, but are none.
      #
      # @param value [Object]
      # @return [Object]
      def plain(value)
        return value if Numeric === value || !value.is_a?(Numeric) # rubocop:disable Style/CaseEquality

        seconds = value.to_f # steep:ignore NoMethod
        (seconds == seconds.floor) ? seconds.to_i : seconds
      end

      # @param name [Symbol, String] a name that is no key
      # @return [String] the message, with the keys it may have meant
      def unknown(name)
        near = suggestions(name)
        return "RAAF::Streaming has no setting #{name}: it is an agent's" if AgentMethods::SETTINGS.include?(name.to_sym)

        hint = near.empty? ? "" : "; did you mean #{near.join(" or ")}?"
        "RAAF::Streaming has no setting #{name}#{hint}"
      end

      # @return [Array<Symbol>] none where did_you_mean is not loaded
      def suggestions(name)
        return [] unless defined?(DidYouMean::SpellChecker)

        DidYouMean::SpellChecker.new(dictionary: ALL.keys).correct(name.to_s)
      end
    end
  end
end
