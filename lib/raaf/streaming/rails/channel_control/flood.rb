# frozen_string_literal: true

module RAAF
  module Streaming
    class ChannelControl
      # How often one connection may ask something of the gem's own: each costs a look at the store.
      #
      # @api private
      module Flood
        # By action, in any minute. A page asks once a subscription, and for each answer that is silent every few
        # seconds.
        MOST = {"raaf_resume" => 120, "raaf_stop" => 60, "raaf_redirect" => 60}.freeze

        @lock = Mutex.new

        class << self
          # @param connection [Object]
          # @param action [String]
          # @return [void]
          # @raise [Refused]
          def check(connection, action)
            seconds = rate.count("#{action} #{connection.object_id}", MOST.fetch(action)) or return
            raise Refused.new(:rate_limited, "Too many requests: try again in #{seconds.ceil} s.")
          end

          private

          # @return [MessageRate] this process's
          def rate
            @lock.synchronize { @rate&.here? ? @rate : (@rate = MessageRate.new) }
          end
        end
      end
    end
  end
end
