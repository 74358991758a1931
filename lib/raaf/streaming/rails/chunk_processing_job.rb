# frozen_string_literal: true

module RAAF
  module Streaming
    module ChunkProcessing
      # Has the processors of the worker's process see chunks. A processor that fails is reported, and the job is not
      # run again: the others have seen the chunks.
      class Job < ::ActiveJob::Base
        queue_as { Streaming.configuration.chunk_processing_queue }
        self.log_arguments = false # they are what was said

        # @param packed [String]
        # @return [void]
        def perform(packed)
          ChunkProcessing.process(Packed.unpack(packed).freeze)
        end
      end
    end
  end
end
