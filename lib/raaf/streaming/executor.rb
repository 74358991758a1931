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
    @carrier = nil

    class << self
      # Something with `wrap { }`, inside of which the application's code runs, and `waiting { }`, inside of which a
      # thread waits for another one that is to run such code; and, if it has that, `carry`, which takes along what the
      # framework keeps for the calling thread: it returns something whose `call { }` runs a block with that, and
      # nothing else, on another one, and whose `empty?` says whether it is anything. nil: nothing.
      #
      # @return [#wrap, nil]
      # @api private
      attr_reader :executor

      # @param executor [#wrap, nil]
      # @api private
      def executor=(executor)
        @carrier = (executor if executor.respond_to?(:carry))
        @executor = executor
        Carried.keep if @carrier
      end

      # @yieldreturn [Object]
      # @return [Object] what the block returned
      # @api private
      def in_executor(&block)
        executor = @executor
        executor ? executor.wrap(&block) : yield
      end

      # @return [#call, nil] runs a block with what the framework keeps for the calling thread; nil: no framework does
      # @api private
      def carry
        @carrier&.carry
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
