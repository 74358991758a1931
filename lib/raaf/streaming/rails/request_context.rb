# frozen_string_literal: true

require "active_support/current_attributes"

module RAAF
  module Streaming
    # What is kept for a request or a job beside its arguments: the attributes of ActiveSupport::CurrentAttributes, and
    # the trace that OpenTelemetry follows, where that is loaded. Callbacks, tools and handlers of events run on threads
    # of this gem's, with what held where they were asked for.
    #
    # Attributes are put in place as they are, without the methods of the application's that set them (`def user=(user)`
    # in Current), and Rails resets them when the thread is through. What such methods set elsewhere, such as
    # `Time.zone`, is not taken along.
    #
    # @api private
    class RequestContext
      class << self
        # @return [RequestContext] of the calling thread
        def take
          new(attributes, trace)
        end

        # @return [Hash{Class=>Hash}] of each class of CurrentAttributes in which something has been set
        def attributes
          ActiveSupport::CurrentAttributes.descendants.each_with_object({}) do |type, all|
            next unless type.name # else it has no instance

            set = type.instance.attributes
            all[type] = set.dup unless set.empty? || set.compact == type.new.attributes.compact # the defaults
          end
        end

        # Puts them in place of all that there are.
        #
        # @param attributes [Hash{Class=>Hash}]
        # @return [void]
        def attributes=(attributes)
          ActiveSupport::CurrentAttributes.descendants.each do |type|
            next unless type.name

            type.instance.attributes = attributes.key?(type) ? attributes.fetch(type).dup : type.new.attributes
          end
        end

        private

        # nil: none is followed.
        def trace
          return unless defined?(::OpenTelemetry::Context)

          context = ::OpenTelemetry::Context.current
          context unless context.equal?(::OpenTelemetry::Context::ROOT)
        end
      end

      # @param attributes [Hash{Class=>Hash}]
      # @param trace [OpenTelemetry::Context, nil]
      def initialize(attributes, trace)
        @attributes = attributes
        @trace = trace
      end

      # @return [Boolean] whether there is nothing to take along
      def empty?
        @attributes.empty? && @trace.nil?
      end

      # @yieldreturn [Object]
      # @return [Object] what the block returned
      def call(&block)
        outer = RequestContext.attributes
        RequestContext.attributes = @attributes
        within_trace(&block)
      ensure
        RequestContext.attributes = outer if outer
      end

      # @param other [Object]
      # @return [Boolean] whether code would see no difference
      def ==(other)
        other.is_a?(RequestContext) && state == other.state
      end

      # @return [String] short: nothing of what is kept
      def inspect
        "#<#{self.class.name}>"
      end

      protected

      def state
        [@attributes, @trace]
      end

      private

      def within_trace(&block)
        return yield unless defined?(::OpenTelemetry::Context)

        ::OpenTelemetry::Context.with_current(@trace || ::OpenTelemetry::Context::ROOT, &block)
      end
    end
  end
end
