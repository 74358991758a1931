# frozen_string_literal: true

module RAAF
  module Streaming
    class Tool
      # A handoff that a model can call, as it calls a tool: to an agent, or what raaf-core's Handoff says.
      #
      # Of a Handoff `overrides` are set on a copy of its agent, and `on_handoff` is called with the arguments, which
      # `input_filter` has gone over before. What the model wrote stays in the conversation as it is.
      #
      # Source: raaf-ai/raaf, core/lib/raaf/{handoff,agent,utils}.rb.
      #
      # @api private
      class Handoff
        # What stands before an agent's name in the tool that hands over to it, as in raaf-core.
        PREFIX = "transfer_to_"

        # @param given [Agent, Class, Object] an agent, the class of one, or a Handoff of raaf-core's
        def initialize(given)
          @given = given
          @target = given.respond_to?(:agent) ? given.agent : given
        end

        # @return [String] what the model calls it by
        def name
          read(:tool_name_override) ||
            "#{PREFIX}#{@target.name.gsub(/([a-z\d])([A-Z])/, '\1_\2').downcase.gsub(/[^a-z0-9]+/, "_")}"
        end

        # @return [String] for the model
        def description
          own = read(:tool_description_override) || read(:description)
          return own if own

          purpose = @target.handoff_description if @target.respond_to?(:handoff_description)
          ["Hand the conversation over to #{@target.name}.", purpose].compact.join(" ")
        end

        # Carries it out.
        #
        # @param arguments [String] JSON, as the model wrote it
        # @return [Agent] who answers from now on
        # @raise [JSON::ParserError] where a callback needs them, and they are none
        def follow(arguments)
          call_back(arguments)
          overrides = read(:overrides) || {}
          return @target.new(**overrides) if @target.is_a?(Class)
          return @target if overrides.empty?

          # Not clone: raaf-core's agents leave out half of their settings then.
          @target.dup.tap { |copy| overrides.each { |name, value| copy.public_send(:"#{name}=", value) } }
        end

        private

        def call_back(arguments)
          filter, callback = read(:input_filter), read(:on_handoff)
          return unless filter || callback

          data = Arguments.parse(arguments)
          data = filter.call(data) if filter
          callback&.call(data)
        end

        # Nothing of an agent's: it may have an on_handoff of its own, which is called with something else.
        def read(name)
          @given.public_send(name) if !@given.equal?(@target) && @given.respond_to?(name)
        end
      end
    end
  end
end
