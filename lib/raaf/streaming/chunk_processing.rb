# frozen_string_literal: true

require_relative "config_api"
require_relative "event_bus"

module RAAF
  module Streaming
    # Hands the chunks of all streams to processors ({Streaming.process_chunks}), in batches and outside of the streams:
    # in a job of ActiveJob's where that is loaded, else on the threads that run handlers of events.
    #
    # What is queued in this process is bounded: with {MOST_BATCHES} that wait, a stream waits with its next one.
    #
    # @api private
    module ChunkProcessing
      # Batches that wait for a processor, or to become a job, at most.
      MOST_BATCHES = 200
      # What a processor may raise without any harm to others.
      FAILURES = [StandardError, ScriptError, SystemStackError].freeze
      private_constant :FAILURES

      # Loaded where there is ActiveJob.
      autoload :Job, "#{__dir__}/rails/chunk_processing_job"

      @bus = EventBus.new(queue_size: MOST_BATCHES) # to processors
      @courier = EventBus.new(queue_size: MOST_BATCHES) # to jobs
      @courier.on(:batch) { |event| make_job(event[:chunks], event[:queue]) }
      @lock = Mutex.new # covers the next one, which is frozen and replaced
      @processors = [].freeze

      class << self
        # @param delivery [Symbol] :ordered or :parallel
        # @param processor [Proc]
        # @return [EventBus::Subscription]
        def add(delivery, processor)
          subscription = @bus.on(:batch, delivery: delivery) { |event| processor.call(event[:chunks]) }
          @lock.synchronize { @processors = [*@processors.select(&:active?), subscription].freeze }
          subscription
        end

        # @return [Boolean] whether there are processors
        def any?
          @processors.any?(&:active?)
        end

        # @param chunks [Array<Chunk>]
        # @param config [Configuration] the stream's
        # @return [void]
        def hand_over(chunks, config)
          return process(chunks) unless config.async_chunk_processing
          return @bus.emit(:batch, chunks: chunks) unless defined?(::ActiveJob::Base)

          @courier.emit(:batch, chunks: chunks, queue: config.chunk_processing_queue)
        end

        # Has all processors see them, on the caller's thread.
        #
        # @param chunks [Array<Chunk>]
        # @return [void]
        def process(chunks)
          event = EventBus::Event.new(:batch, {chunks: chunks}).freeze
          @processors.each do |processor|
            processor.handler.call(event) if processor.active?
          rescue *FAILURES => e
            @bus.report(e, event, processor)
          end
        end

        private

        # A queue that cannot be reached shall not lose them.
        def make_job(chunks, queue)
          Job.set(queue: queue).perform_later(Packed.pack(chunks))
        rescue *FAILURES => e
          Streaming.logger.error("chunks are processed in this process, since they cannot be put into the queue " \
                                 "#{queue}: #{e.class}: #{e.message}")
          process(chunks)
        end
      end
    end

    class << self
      # Has the block called with chunks of every stream that begins afterwards: to store, moderate or count them. It
      # gets them in batches (of up to 100, after a second, and at a stream's end), each of one stream and in order, the
      # terminal one last. It holds up no stream, and what it raises is logged and ends none.
      #
      # - With ActiveJob it runs in jobs, on the queue that the setting chunk_processing_queue names, in whichever
      #   process works on that; register it there too (an initializer does both). The chunks are copies: an error is
      #   its message, without an exception. Order among the batches of one stream is the queue's matter.
      # - Else it runs on threads of this process: one batch at a time, or with `:parallel` up to 8, and then in no
      #   order. What waits at the end of the process is handled to its end, as far as {SHUTDOWN_SECONDS} allow.
      # - With `async_chunk_processing: false` it runs on the thread that takes the stream's chunks.
      #
      # @example
      #   RAAF::Streaming.process_chunks do |chunks|
      #     Transcript.append(chunks.first.stream_id, chunks.map(&:delta).join)
      #   end
      # @param delivery [Symbol] :ordered or :parallel
      # @yieldparam chunks [Array<Chunk>] of one stream
      # @return [EventBus::Subscription] its `off` takes the block off
      # @raise [ArgumentError] without a block, or for another delivery
      def process_chunks(delivery: :ordered, &processor)
        raise ArgumentError, "process_chunks needs a block" unless processor
        unless %i[ordered parallel].include?(delivery)
          raise ArgumentError, "delivery is :ordered or :parallel, not #{delivery.inspect}"
        end

        ChunkProcessing.add(delivery, processor)
      end
    end
  end
end

require_relative "chunk_processing/batch"
require_relative "chunk_processing/packed"
