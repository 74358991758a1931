# frozen_string_literal: true

require_relative "dispatcher"
require_relative "timers"
require_relative "../errors"

module RAAF
  module Streaming
    # What comes once, and those who wait for it: any number of threads and fibers.
    #
    # @api private
    class Completion
      # Longest sleep, in seconds: then whoever waits looks whether what he waits for can still come.
      NAP = 1
      private_constant :NAP

      # @return [Object, nil] what has come; nil before
      attr_reader :value

      def initialize
        @pid = Process.pid
        @lock = Mutex.new # covers the rest
        @came = ConditionVariable.new
        @set = false
        @value = nil
      end

      # @return [Boolean] whether it has come
      def set?
        @set
      end

      # @param value [Object]
      # @return [Boolean] false: it had come before, and this one is not taken
      def set(value)
        @lock.synchronize do
          next false if @set

          @value = value
          @set = true
          @came.broadcast
          true
        end
      end

      # @param timeout [Numeric, nil] seconds; nil: no limit
      # @yieldreturn [void] now and then while it waits
      # @return [Boolean] false: the time was over
      # @raise [Errors::ForkedError] in a child of the process it belongs to, where it has not come before the fork
      # @raise [Errors::Error] in a callback of a stream: it would hold the thread that is to bring it
      def wait(timeout = nil)
        deadline = timeout && (Timers.now + timeout)
        until set?
          check
          left = deadline ? deadline - Timers.now : NAP
          return false if left <= 0

          @lock.synchronize { @came.wait(@lock, [left, NAP].min) unless set? }
          yield if block_given? && !set?
        end
        true
      end

      private

      def check
        raise Errors::ForkedError unless @pid == Process.pid
        return unless Dispatcher.inside?

        raise Errors::Error, "a callback of a stream cannot wait for what other callbacks bring about: it would hold " \
                             "the thread that is to run them"
      end
    end
  end
end
