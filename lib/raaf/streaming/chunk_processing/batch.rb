# frozen_string_literal: true

require_relative "../thread_pool"
require_relative "../timers"

module RAAF
  module Streaming
    module ChunkProcessing
      # The chunks of one stream on their way to processors, until they are enough, old enough, or the last ones.
      class Batch
        # Chunks in one.
        MOST_CHUNKS = 100
        # Seconds for which chunks wait for others.
        SECONDS = 1

        @lock = Mutex.new
        @waiting = {}.compare_by_identity # batches with chunks in them, so that none is forgotten

        class << self
          # Hands over what waits in this process: it is about to end.
          #
          # @return [void]
          def flush_all
            @lock.synchronize { @waiting.keys }.each(&:flush)
          end

          # @return [Integer] those with chunks in them
          def size
            @lock.synchronize { @waiting.size }
          end

          # @param batch [Batch]
          # @param waits [Boolean]
          # @return [void]
          def note(batch, waits)
            @lock.synchronize { waits ? @waiting[batch] = true : @waiting.delete(batch) }
          end
        end

        # @param config [Configuration]
        def initialize(config)
          @config = config
          @pid = Process.pid
          @order = Mutex.new # held while a batch is handed over, so that the next one comes after it
          @lock = Mutex.new # covers the rest
          @chunks = []
          @since = nil
        end

        # @param chunk [Chunk]
        # @return [void]
        def add(chunk)
          return unless here?

          first, full = @lock.synchronize do
            @chunks << chunk
            [@chunks.size == 1, @chunks.size >= MOST_CHUNKS]
          end
          begin_waiting if first
          flush if full || chunk.terminal? || (!later? && old?)
        end

        # Hands over what there is.
        #
        # @return [void]
        def flush
          @order.synchronize { hand_over } if here? && !@order.owned? # a processor that runs inside of the stream
        end

        private

        # Those of another process's streams are handed over there.
        def here?
          @pid == Process.pid
        end

        # Whether somebody else may hand them over.
        def later?
          @config.async_chunk_processing
        end

        def old?
          Timers.now - @since >= SECONDS
        end

        def begin_waiting
          @since = Timers.now
          Batch.note(self, true)
          @timer = Timers.after(SECONDS) { ThreadPool.handlers.post { flush_unless_busy } } if later?
        rescue ThreadError
          nil # the process takes no new threads: then with more chunks, or the last
        end

        # Whoever holds it hands over what there is anyway; none of the threads that processors need shall wait for him.
        def flush_unless_busy
          return unless @order.try_lock

          begin
            hand_over
          ensure
            @order.unlock
          end
        end

        def hand_over
          chunks = @lock.synchronize { @chunks.tap { @chunks = [] } }
          Timers.cancel(@timer)
          Batch.note(self, false)
          ChunkProcessing.hand_over(chunks.freeze, @config) unless chunks.empty?
        end
      end
    end
  end
end
