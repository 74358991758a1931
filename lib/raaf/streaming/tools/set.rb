# frozen_string_literal: true

require_relative "handoff"
require_relative "tool"
require_relative "../tool_schema"

module RAAF
  module Streaming
    class Tool
      # What the model of one request may call: the agent's tools, and a tool for each agent it can hand over to.
      #
      # @api private
      class Set
        # @return [Array<Hash{Symbol=>Object}>] as OpenAI writes tools
        attr_reader :schemas

        # @param agent [Agent]
        # @param context [Hash] the run's
        # @raise [ArgumentError] for a tool that cannot be described, or two of one name
        def initialize(agent, context)
          @tools = {}
          @handoffs = {}
          @schemas = agent.tools.filter_map { |tool| describe(tool, context) }
          add_handoffs(agent.respond_to?(:handoffs) ? Array(agent.handoffs) : [])
          check_names
        end

        # @param name [String, nil] as the model says it
        # @return [Tool, nil]
        def tool(name)
          @tools[name]
        end

        # @param name [String, nil]
        # @return [Handoff, nil] what a call of that name stands for
        def handoff(name)
          @handoffs[name]
        end

        # Whether a run can answer these calls by itself. It cannot where one of them is of a tool that was only
        # described, or where there is nothing to call at all: then they are the application's to answer.
        #
        # @param names [Array<String, nil>]
        # @return [Boolean]
        def answers?(names)
          return false if @tools.empty? && @handoffs.empty?

          described = @schemas.filter_map { |schema| name_in(schema) } - @tools.keys - @handoffs.keys
          (names & described).empty?
        end

        # @return [Array<String>] everything that can be called
        def names
          @tools.keys | @handoffs.keys
        end

        private

        # @return [Hash{Symbol=>Object}, nil] nil: not enabled
        def describe(tool, context)
          schema = ToolSchema.of(tool)
          callable = Tool.wrap(tool) if schema.key?(:function)
          return unless (callable || tool).then { |asked| enabled?(asked, context) }

          @tools[name_in(schema)] = callable if callable
          schema
        end

        # raaf-core's FunctionTool wants the context, its Tool takes none.
        def enabled?(tool, context)
          return true unless tool.respond_to?(:enabled?)

          tool.method(:enabled?).arity.zero? ? tool.enabled? : tool.enabled?(context)
        end

        # nil: the provider runs it.
        def name_in(schema)
          schema.dig(:function, :name)
        end

        # raaf-core's agents have these tools among the others already.
        def add_handoffs(handoffs)
          handoffs.each do |given|
            handoff = Handoff.new(given)
            name = handoff.name
            known = (@tools.keys - @handoffs.keys).find { |tool| letters(tool) == letters(name) }
            @handoffs[known || name] = handoff
            @schemas << handoff_schema(handoff) unless known
          end
        end

        def letters(name)
          name.downcase.delete("^a-z0-9")
        end

        def handoff_schema(handoff)
          {type: "function", function: {name: handoff.name, description: handoff.description,
                                        parameters: ToolSchema::NO_PARAMETERS}}
        end

        def check_names
          names = @schemas.filter_map { |schema| name_in(schema) }
          twice = names.tally.select { |_, count| count > 1 }.keys
          raise ArgumentError, "several tools are called #{twice.join(", ")}" unless twice.empty?
        end
      end
    end
  end
end
