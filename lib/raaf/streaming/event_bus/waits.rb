# frozen_string_literal: true

module RAAF
  module Streaming
    class EventBus
      # Who waits for room in whose queue, of all buses of the process: so that nobody waits for himself.
      #
      # @api private
      module Waits
        @lock = Mutex.new # covers the rest
        @edges = [] # a subscription that waits, the one it waits for, and whether it is through: it tells so later
        @pid = Process.pid

        class << self
          # @param from [Subscription, nil] whose handler waits; nil: none, so that nobody can wait for it
          # @param to [Subscription] for which it waits
          # @yieldparam edge [Array] whose last element is to be set at once when there is room
          # @yieldreturn [void] after waiting
          # @return [Boolean] false: it would have waited for itself, and has not waited
          def wait(from, to)
            edge = [from, to, false] #: edge
            return false if from && !add(edge)

            yield edge
            true
          ensure
            remove(edge) if from
          end

          private

          # @return [Boolean] false: it would close a circle
          def add(edge)
            from, to, = edge
            @lock.synchronize do
              forget_the_parents
              next false if leads?(to, from)

              @edges << edge
              true
            end
          end

          def remove(edge)
            @lock.synchronize { @edges.delete_if { |other| other.equal?(edge) } }
          end

          def leads?(start, goal)
            seen = [start]
            seen.each do |one| # grows meanwhile
              return true if one.equal?(goal)

              @edges.each { |from, to, through| seen << to if from.equal?(one) && !through && !seen.include?(to) }
            end
            false
          end

          def forget_the_parents
            @edges.clear unless @pid == Process.pid
            @pid = Process.pid
          end
        end
      end
      private_constant :Waits
    end
  end
end
