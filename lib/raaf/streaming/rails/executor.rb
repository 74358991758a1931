# frozen_string_literal: true

require_relative "request_context"

module RAAF
  module Streaming
    # Rails' executor, as {Streaming.executor} wants it.
    #
    # It is the executor and not the reloader, as in Action Cable: an answer goes on with the code that has asked for
    # it, and no thread that somebody waits for may wait for all others to let go of the code.
    #
    # @api private
    class Executor
      SOURCE = "application.raaf_streaming"

      # @param executor [Class] an ActiveSupport::Executor
      def initialize(executor)
        @executor = executor
      end

      # @yieldreturn [Object]
      # @return [Object] what the block returned
      def wrap(&block)
        @executor.wrap(source: SOURCE, &block)
      end

      # What Rails keeps for the request, or job, that the calling thread is about.
      #
      # @return [RequestContext]
      def carry
        RequestContext.take
      end

      # A thread that has code loaded and waits for another one that wants some: where a third waits for both, to
      # reload it, none would go on.
      #
      # @yieldreturn [Object]
      # @return [Object] what the block returned
      def waiting(&block)
        ActiveSupport::Dependencies.interlock.permit_concurrent_loads(&block)
      end
    end
  end
end
