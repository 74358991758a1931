# frozen_string_literal: true

require_relative "config_api"

module RAAF
  # What the application's code is run inside of, where a framework wants it so: with Rails its executor, which returns
  # database connections and keeps code from being reloaded under those who run it.
  #
  # Callbacks, tools and handlers of events are run by this library's threads, so it is the library that has to ask. It
  # does so once a batch of chunks, not once a chunk.
  module Streaming
    @executor = nil

    class << self
      # Something with `wrap { }`, inside of which the application's code runs, and `waiting { }`, inside of which a
      # thread waits for another one that is to run such code. nil: nothing.
      #
      # @return [#wrap, nil]
      # @api private
      attr_accessor :executor

      # @yieldreturn [Object]
      # @return [Object] what the block returned
      # @api private
      def in_executor(&block)
        executor = @executor
        executor ? executor.wrap(&block) : yield
      end

      # @yieldreturn [Object]
      # @return [Object] what the block returned
      # @api private
      def while_waiting(&block)
        executor = @executor
        executor ? executor.waiting(&block) : yield
      end
    end
  end
end
