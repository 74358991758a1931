# frozen_string_literal: true

require_relative "../errors"
require_relative "configuration_keys"
require_relative "proxy"

module RAAF
  module Streaming
    # The settings of all streams, as one value. Streams see a frozen one; {Streaming.configure} makes a new one.
    #
    # All of it can be given per runner and per call too: `AsyncRunner.new(agent: agent, idle_timeout: 10)`.
    #
    # @example
    #   RAAF::Streaming.configure do |config|
    #     config.chunk_buffer_size = 50      # characters
    #     config.chunk_buffer_timeout = 100  # milliseconds
    #     config.stream_timeout = 300        # seconds
    #   end
    class Configuration
      # @!attribute chunk_buffer_size
      #   @return [Integer, nil] characters of content to gather into one chunk; nil or 0: each piece the provider
      #     sends is a chunk. Default nil.
      # @!attribute chunk_buffer_timeout
      #   @return [Numeric] milliseconds that gathered content waits at most. Default 100.
      # @!attribute chunk_buffer_cut
      #   @return [Symbol] where gathered content is cut once there is enough: :grapheme (between two characters as a
      #     reader sees them; so a letter at the end waits, which may still get an accent), :word or :sentence (what
      #     comes after its last end waits). What has waited for chunk_buffer_timeout is handed over as it is; half of
      #     a flag or of a joined emoji may wait once more as long. Default :grapheme.
      # @!attribute connection_pool_size
      #   @return [Integer] idle connections kept per host for reuse; never a limit on streams. Default 10.
      # @!attribute connection_timeout
      #   @return [Numeric] seconds to look up the name, connect and agree on TLS. Default 30.
      # @!attribute first_token_timeout
      #   @return [Numeric, nil] seconds from the connection to the first token; nil: no limit. Default 120.
      # @!attribute idle_timeout
      #   @return [Numeric, nil] seconds between two pieces of an answer; nil: no limit. Default 60.
      # @!attribute stream_timeout
      #   @return [Numeric, nil] seconds for the whole stream; nil: no limit. Default 300.
      # @!attribute max_concurrent_streams
      #   @return [Integer, nil] streams a process runs at once; one more is a StreamLimitError, or waits
      #     (stream_queue_timeout). A run counts as one from its first request to the end of its last, also while its
      #     tools run, and while nobody takes the end of an answer that calls some. nil: no limit. Default 100.
      # @!attribute max_concurrent_streams_per_user
      #   @return [Integer, nil] streams a process runs at once for one user (the `user_id:` of the runner or the call,
      #     compared as a String); one more is a StreamLimitError, or waits. Streams without a user have no such limit.
      #     Default nil: no limit.
      # @!attribute stream_queue_timeout
      #   @return [Numeric] seconds to wait for a place among max_concurrent_streams and
      #     max_concurrent_streams_per_user; 0: a stream without a place is a StreamLimitError at once. Default 0.
      #
      #     One that waits is there as any other ({Stream#status} is :queued; it can be cancelled), and ends in a
      #     StreamLimitError when the time is over. Nothing has been sent then; the other timeouts begin after the wait.
      #     Users take turns, and of one user who came first goes first. Each stream is measured by the settings that it
      #     was started with: one whose own allow more does not wait for one whose own allow less. Only the first
      #     request of a run waits.
      #
      #     An agent that a tool runs needs a place beside that of the run whose tool it is: where such runs have all
      #     places, what their tools ask waits until its time is over, and fails.
      # @!attribute max_queued_streams
      #   @return [Integer] streams that may wait for a place at once; one more is a StreamLimitError. Default 1000.
      # @!attribute stale_connection_timeout
      #   @return [Numeric] seconds without activity after which {ConnectionManager} forgets what was registered there.
      #     Only the process's setting counts, not a runner's or a call's. Default 300.
      # @!attribute max_retries
      #   @return [Integer] attempts after the first, as long as nothing of an answer was delivered; 0: none. Repeated
      #     are the statuses 408, 409, 429 and 5xx, unless the server's x-should-retry says otherwise, connections that
      #     fail or break, and the provider's own errors inside a stream; each with a `:status` chunk ({Chunk#status}
      #     `:retrying`). Default 2, as in OpenAI's and Anthropic's official clients.
      # @!attribute retry_delay
      #   @return [Numeric] seconds before the first retry, at most: the delay is anything from 0 to this, and the most
      #     doubles with each further retry, up to 8. Default 0.5, as in OpenAI's and Anthropic's official clients.
      # @!attribute max_retry_delay
      #   @return [Numeric] seconds that a server may ask to be left alone (Retry-After, or with a 429 the time at which
      #     its rate limit is reset). Where it asks for more, the error comes at once, with its
      #     {Errors::Error#retry_after}. Default 60. Neither delay passes stream_timeout: an attempt that could only
      #     begin after it is not waited for.
      # @!attribute async_chunk_processing
      #   @return [Boolean] whether the processors of {Streaming.process_chunks} run outside the stream: in jobs of
      #     ActiveJob's where that is loaded, else on threads of this process. false: on the thread that takes the
      #     stream's chunks. Default true.
      # @!attribute chunk_processing_queue
      #   @return [Symbol, String] the queue of the jobs in which the processors of {Streaming.process_chunks} run. A
      #     worker has to work on it. Default :streaming_chunks.
      # @!attribute retain_text
      #   @return [Boolean] whether the answer's text is kept, for `cumulative` and the result. Default true.
      #     false is for answers too large for memory: `cumulative` and the result's text are empty then,
      #     and output guardrails are not asked.
      # @!attribute max_text_bytes
      #   @return [Integer] bytes of text kept for one answer; more is a StreamLimitError. Default 67108864 (64 MiB).
      # @!attribute max_message_bytes
      #   @return [Integer] bytes of one message that a user may send to an AgentService, or redirect an answer by in a
      #     channel; and, about, of the context that comes with it. More is an ArgumentError, or refused. What an
      #     application's own code hands to a runner has no such limit. Default 32768 (32 KiB).
      # @!attribute messages_per_minute_per_user
      #   @return [Integer, nil] messages that a user may send within any 60 seconds; one more is a StreamLimitError
      #     with {Errors::Error#retry_after}. A message is a run, or a redirect; not a further turn of a run, and not
      #     one that another limit refused at once. Each process counts by itself, and only where this is set. Default
      #     nil: no limit.
      # @!attribute authorize
      #   @return [#call, nil] says who may do what in channels (with Rails, see {ChannelActions}): called with the
      #     connection's current_user (or nil), the action as a Symbol, and what it is about. The actions are those of
      #     the application's channels, such as `:chat`, which are about nothing (nil), and `:resume`, `:stop` and
      #     `:redirect`, which are about a stream ({Authorization::Stream}: id, user_id, session_id, place). false, nil,
      #     or an error, refuses. It is asked on the threads of Action Cable, before each action, so it must be quick.
      #     Only the process's setting counts, not a runner's or a call's. Default nil: everybody may ask; a user may
      #     stop and redirect what is answered to them, and resume that and all that is sent to where the channel
      #     streams from.
      # @!attribute finish_grace
      #   @return [Numeric] seconds to wait, after the provider's finish reason, for usage and the terminal mark.
      #     Default 1.
      # @!attribute queue_max_items
      #   @return [Integer] chunks that wait for their consumer before the transfer is held back. Default 1024.
      # @!attribute queue_max_bytes
      #   @return [Integer] bytes that wait for their consumer before the transfer is held back.
      #     Default 1048576 (1 MiB).
      # @!attribute max_line_bytes
      #   @return [Integer] bytes of one line of a stream; more is a ProtocolError. Default 8388608 (8 MiB).
      # @!attribute max_event_bytes
      #   @return [Integer] bytes of one event of a stream; more is a ProtocolError. Default 16777216 (16 MiB).
      # @!attribute malformed_events
      #   @return [Symbol] :error (a malformed event ends the stream in a ProtocolError) or :skip (it is counted and
      #     left out). Default :error.
      # @!attribute tool_timeout
      #   @return [Numeric, nil] seconds a tool may take, where it says nothing else; nil: no limit. Default 60. A tool
      #     is interrupted as by Ruby's Timeout.
      # @!attribute max_turns
      #   @return [Integer, nil] requests to a model in one run, when tools make it ask again; more is a MaxTurnsError.
      #     nil: the agent's (10, unless it says something else). Default nil.
      # @!attribute token_budget
      #   @return [Integer, nil] tokens (prompts and answers of all turns, as the provider counts) after which a run
      #     asks no further time; it ends in a MaxTurnsError where the model still calls tools. Default nil: no limit.
      # @!attribute conversation_store
      #   @return [ConversationStore, #messages, nil] where runs with a session_id find what was said before. Default
      #     nil: nothing is kept.
      # @!attribute replay_store
      #   @return [ReplayStore, false, nil] where what streams send is kept for readers who were away, and where they
      #     are told to stop by other processes; false: nothing is kept. Only the process's setting counts, not a
      #     runner's or a call's. Default nil: with Action Cable the one that goes with its adapter
      #     ({ReplayStore::Choice#for_cable}), else nothing is kept.
      # @!attribute cumulative_limit
      #   @return [Integer, nil] bytes: a message that is broadcast from a stream's block with a longer text under the
      #     key `cumulative` goes without it where the browser, which has the text, can put it in again (the last one
      #     too); so an answer costs as much as it is long, and not the square of that. nil: no limit. Only the
      #     process's setting counts, not a runner's or a call's. Default 1000.
      # @!attribute memberships
      #   @return [Memberships, nil] where it is kept who belongs to which session; see {Memberships.current}. Only the
      #     process's setting counts, not a runner's or a call's. Default nil: where the replay_store keeps its frames,
      #     else in the memory of the process.
      # @!attribute raw_events
      #   @return [Boolean] whether events that nobody knows are handed over as `:raw` chunks. Default false.
      # @!attribute ca_file
      #   @return [String, nil] path of the trusted certificates, PEM. Default nil: the environment's SSL_CERT_FILE,
      #     else libcurl's own.
      # @!attribute proxy
      #   @return [String, false, nil] an http or https URL; false: none; nil: the environment's http_proxy,
      #     https_proxy and no_proxy. SOCKS is not supported. Default nil.
      # @!attribute disconnect_grace
      #   @return [Numeric] seconds for which an answer goes on after its reader's connection was lost (with Rails, in
      #     an AgentService); then it is ended, unless the reader has come back. Default 30.
      # @!attribute context_in_instructions
      #   @return [Boolean] whether `context:` is added to instructions that are a String. Default true.
      # @!attribute partial_arguments
      #   @return [Boolean] whether each :tool_call_delta chunk has the call's arguments so far in `arguments`: one Hash
      #     a call, which grows (see {PartialJSON#value}). Default false.
      # @!attribute analytics
      #   @return [Boolean] whether streams are counted by {Analytics}. Default true.
      ConfigurationKeys::ALL.each_key do |name|
        define_method(name) { @values[name] }
        define_method(:"#{name}=") { |value| write(name, value) } # steep:ignore NoMethod
      end

      # @api private
      def replay_store # rubocop:disable Lint/DuplicateMethods
        store = @values[:replay_store]
        store.nil? ? ReplayStore.chosen : (store || nil)
      end

      # @return [Array<Symbol>] the names of all settings
      def self.keys
        ConfigurationKeys::ALL.keys
      end

      # @param values [Hash{Symbol=>Object}] settings that differ from the defaults
      # @raise [Errors::ConfigurationError] names every setting that is unknown or has a wrong value
      def initialize(**values)
        @values = ConfigurationKeys::ALL.transform_values(&:default)
        assign(values)
        validate!
      end

      # @param overrides [Hash{Symbol=>Object}] settings to change
      # @return [Configuration] a frozen copy with them; self where nothing changes
      # @raise [Errors::ConfigurationError] names every setting that is unknown or has a wrong value
      def with(**overrides)
        return self if overrides.empty? && frozen?

        copy = dup
        copy.send(:assign, overrides)
        copy.validate!.freeze
      end

      # @return [self]
      # @raise [Errors::ConfigurationError] names every setting with a wrong value, and what it takes
      def validate!
        complaints = @values.filter_map { |name, value| ConfigurationKeys::ALL.fetch(name).complaint(value) }
        return self if complaints.empty?

        raise Errors::ConfigurationError, complaints.join("; ")
      end

      # A time limit as the native part wants it.
      #
      # @param name [Symbol] a setting in seconds
      # @return [Integer, nil] milliseconds, at least 1 for anything above 0; nil: no limit
      def milliseconds(name)
        seconds = @values.fetch(name)
        (seconds * 1000.0).ceil if seconds
      end

      # @return [String, nil] path of the certificates to trust; nil: libcurl's own
      def effective_ca_file
        return ca_file.to_s if ca_file

        from_environment = ENV["SSL_CERT_FILE"].to_s
        from_environment unless from_environment.empty?
      end

      # The proxy for one address.
      #
      # @param url [String, URI] where the request goes
      # @return [String, nil] the proxy's URL; nil: none
      # @raise [Errors::ConfigurationError] where the environment names a SOCKS proxy
      def proxy_for(url)
        case proxy
        when nil then Proxy.from_environment(url)
        when false then nil
        else proxy
        end
      end

      # @return [Hash{Symbol=>Object}] every setting with its value
      def to_h
        @values.dup
      end

      # @return [Hash{Symbol=>Object}] the settings that differ from another configuration's
      def changes_from(other)
        before = other.to_h
        @values.reject { |name, value| before[name] == value }
      end

      # @return [Boolean] whether every setting is the same
      def ==(other)
        other.is_a?(Configuration) && other.to_h == @values
      end
      alias_method :eql?, :==

      # @return [Integer]
      def hash
        @values.hash
      end

      # @return [self] closed for changes
      def freeze
        @values.freeze
        super
      end

      # @return [String] the settings that are not at their default; a proxy's password is cut
      def inspect
        changed = @values.reject { |name, value| ConfigurationKeys::ALL[name].default == value }
        shown = changed.map { |name, value| " #{name}=#{value.inspect}" }.join
        "#<#{self.class.name}#{Secrets.redact(shown)}>"
      end

      private

      def initialize_copy(other)
        super
        @values = other.to_h
      end

      def write(name, value)
        return @values[name] = ConfigurationKeys.plain(value) unless frozen?

        raise FrozenError.new("this configuration is in use and cannot change: set #{name} within " \
                              "RAAF::Streaming.configure, or make a copy using with(#{name}: …)", receiver: self)
      end

      def assign(values)
        unknown = values.keys - ConfigurationKeys::ALL.keys
        if unknown.any?
          raise Errors::ConfigurationError, unknown.map { |name|
            ConfigurationKeys.unknown(name)
          }.join("; ")
        end

        @values.merge!(values.transform_values { |value| ConfigurationKeys.plain(value) })
      end

      def method_missing(name, *arguments)
        return super unless name.end_with?("=") || arguments.empty?

        raise Errors::ConfigurationError, ConfigurationKeys.unknown(name.to_s.delete_suffix("="))
      end

      def respond_to_missing?(_name, _include_private = false)
        false
      end
    end
  end
end
