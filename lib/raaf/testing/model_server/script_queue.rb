# frozen_string_literal: true

module RAAF
  module Testing
    class ModelServer
      # The scripts that wait for requests: first in, first out. Every method may be called from any thread.
      class ScriptQueue
        def initialize
          @lock = Mutex.new
          @scripts = []
          @default = Scripts::Demo.new
        end

        # @param script [Script]
        # @return [void]
        def add(script)
          @lock.synchronize { @scripts << script }
        end

        # @param script [Script] what answers when the queue is empty
        # @return [void]
        def default=(script)
          @lock.synchronize { @default = script }
        end

        # @return [Integer] scripts that are left
        def size
          @lock.synchronize { @scripts.size }
        end

        # @return [void]
        def clear
          @lock.synchronize { @scripts.clear }
        end

        # @param request [Request]
        # @return [Script, nil] nil where nothing here is meant for the request
        def take(request)
          @lock.synchronize do
            script = @scripts.first || @default
            next nil unless script.answers?(request)

            @scripts.shift unless script.repeat?
            script
          end
        end
      end
    end
  end
end
