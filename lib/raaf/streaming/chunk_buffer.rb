# frozen_string_literal: true

require_relative "native"
require_relative "configuration_keys"
require_relative "notifications"
require_relative "thread_pool"
require_relative "timers"

module RAAF
  module Streaming
    # Gathers the small pieces of an answer into larger ones, so that less is sent.
    #
    # Text comes to the block once there are `size` characters, `timeout` milliseconds after the oldest piece that
    # waits, without another chunk, before anything that is no content, and at the end. It is cut where a reader does
    # not notice: between two characters as he sees them (grapheme clusters: an emoji with its skin tone, a flag, a
    # letter with its accent), and where asked between words or sentences. So where there is enough, a letter at the end
    # waits, which may still get an accent; with `cut: :word` or `:sentence` what comes after the last end. What has
    # waited for its time is handed over as it is (half of a flag or of a joined emoji once more as long), and so is
    # all there is before another chunk and at the end. Text without an end (no white space, say) is cut at the next
    # finer one after 128 characters more, or 1,024 where sentences are wanted.
    #
    # Within a stream the same is done natively by the settings `chunk_buffer_size`, `chunk_buffer_timeout` and
    # `chunk_buffer_cut`. This is for whoever wants pieces and buffers both.
    #
    # Any thread or fiber may call it. Texts are handed over one at a time, in order: who has one to hand over while
    # another thread is in the block waits for it. No lock is held meanwhile; from inside its own block a buffer may be
    # used, and what has become ready then follows when the block has returned. A text that a block was called with is
    # handed over, also if the block raises.
    #
    # When the timer hands over, it calls the block that was given last, on one of the threads for handlers. (Of more
    # than 256 that were given within a few milliseconds, it may be an earlier one.) What it raises is logged and
    # announced as `chunk_buffer_error.raaf`. A child process keeps its copy of the text; its timer starts when the
    # buffer is used.
    #
    # Source of the interface: the streaming guide, "Chunk Buffering".
    #
    # @example
    #   buffer = RAAF::Streaming::ChunkBuffer.new(size: 50, timeout: 100)
    #   runner.run_and_stream("Tell me a story") do |chunk|
    #     other = buffer.add_chunk(chunk) { |text| socket.write(text) }
    #     finish(other) if other&.terminal?
    #   end
    class ChunkBuffer
      # @!method add_chunk(chunk)
      #   Takes a chunk. Text is kept until there is enough; anything else lets all text out first.
      #   @param chunk [Chunk, #type, #delta] a content chunk has the type :content; its delta is a String or nil.
      #     Bytes without an encoding are taken for UTF-8; a character that is cut in two is joined.
      #   @yieldparam text [String] what has been gathered, in UTF-8
      #   @return [Chunk, Object, nil] the chunk, where it was not content: to be passed on; nil, where it was
      #   @raise [ArgumentError] without a block
      #   @raise [IOError] for content, once the buffer is closed
      # @!method flush
      #   Hands over all text that waits. Called by the block itself, it is done when the block has returned.
      #   @yieldparam text [String] what has been gathered; without a block the last one of {#add_chunk} gets it
      #   @return [self]
      # @!method close
      #   As {#flush}; content is not taken any more.
      #   @yieldparam text [String] as {#flush}
      #   @return [self]
      # @!method closed?
      #   @return [Boolean]

      # @param size [Integer] characters (code points) that are enough, from 1 up
      # @param timeout [Numeric, nil] milliseconds for which text waits at most; nil: for ever
      # @param cut [Symbol] where enough text is cut: :grapheme, :word or :sentence
      # @raise [ArgumentError] for other values
      def initialize(size: 50, timeout: 100, cut: :grapheme)
        check(:size, size, "a number of characters from 1 up", size.is_a?(Integer) && size.positive?)
        timeout = ConfigurationKeys.plain(timeout)
        check(:timeout, timeout, "a number of milliseconds above 0, or nil", timeout.nil? || milliseconds?(timeout))
        check(:cut, cut, ":grapheme, :word or :sentence", ConfigurationKeys::CUTS.include?(cut))
        configure(size, timeout && timeout / 1000.0, cut)
      end

      private

      def check(name, value, expected, fits)
        raise ArgumentError, "#{name} must be #{expected}, not #{value.inspect}" unless fits
      end

      def milliseconds?(timeout)
        ConfigurationKeys::ALL.fetch(:chunk_buffer_timeout).complaint(timeout).nil?
      end

      # Starts the timer, by the native part: where something waits and none runs. It lives as long as something waits,
      # and so does the buffer by it.
      def arm
        Thread.handle_interrupt(Object => :never) do
          seconds = claim_timer
          Timers.after(seconds) { expire } if seconds
        rescue ThreadError
          release_timer # a process that takes no new threads: the next call hands over
        end
      end

      # On the timers' thread. Mostly too early: what it was started for has been handed over, and other text waits.
      def expire
        seconds = due_in
        return unless seconds

        seconds.positive? ? Timers.after(seconds) { expire } : ThreadPool.handlers.post(method(:hand_over_due))
      rescue ThreadError
        release_timer
      end

      # On a thread for handlers.
      def hand_over_due
        Thread.handle_interrupt(Object => :immediate) { flush_due }
      rescue Exception => e # rubocop:disable Lint/RescueException
        report(e) # also an `exit` in a block ends no thread of the pool
      ensure
        expire_again
      end

      def expire_again
        seconds = due_in
        Timers.after(seconds) { expire } if seconds
      rescue ThreadError
        release_timer
      end

      def report(error)
        Streaming.logger.error("the block of a ChunkBuffer raised #{error.class}: #{error.message}")
        Notifications.publish("chunk_buffer_error", exception: [error.class.name, error.message],
          exception_object: error)
      end
    end
  end
end
