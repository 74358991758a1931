# frozen_string_literal: true

module RAAF
  module Testing
    class ModelServer
      # The monotonic clock that every time in this server is read from.
      module Clock
        # @return [Float] seconds; only differences mean anything
        def self.now
          Process.clock_gettime(Process::CLOCK_MONOTONIC)
        end
      end
    end
  end
end
