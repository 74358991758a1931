# frozen_string_literal: true

module RAAF
  module Streaming
    class ChannelControl
      # What has been asked already: a browser whose socket was lost sends again what was not acknowledged, and that may
      # have arrived all the same.
      #
      # What has begun the replay store knows, for all processes. What has not this process remembers, and of that not
      # much: so a message whose action begins no stream may be performed twice where it comes again to another process.
      #
      # @api private
      module Asked
        # Requests that are remembered.
        MOST = 1000

        @lock = Mutex.new # covers the rest
        @ids = {} # stream id => connection whose action is being performed now, or nil; oldest first

        class << self
          # @param request [Request]
          # @return [Boolean] whether it is new
          def claim(request)
            return false unless remember(request)

            begun = begun?(request.stream_id)
            forget_performing(request) if begun
            !begun
          end

          # @param request [Request] which has been claimed
          # @yieldreturn [Object] the action's
          # @return [Object] what the block returned
          def perform(request)
            yield
          ensure
            forget_performing(request)
          end

          # @param id [String] the stream's
          # @param connection [String] whose it is
          # @return [Boolean] whether its action is being performed, in this process, or about to be
          def performing?(id, connection)
            @lock.synchronize { @ids[id] == connection }
          end

          # @return [Integer] requests that are remembered
          def size
            @lock.synchronize { @ids.size }
          end

          private

          def remember(request)
            @lock.synchronize do
              next false if @ids.key?(request.stream_id)

              @ids[request.stream_id] = request.connection
              @ids.shift while @ids.size > MOST
              true
            end
          end

          # It stays known that it was asked.
          def forget_performing(request)
            id = request.stream_id
            @lock.synchronize { @ids[id] = nil if @ids.key?(id) }
          end

          # Where the store says nothing, it is rather asked twice than never.
          def begun?(id)
            store = Streaming.configuration.replay_store
            store ? !store.state_of(id).nil? : false
          rescue Errors::StoreUnavailableError
            false
          end
        end
      end
    end
  end
end
