# frozen_string_literal: true

require_relative "tool"
require_relative "../tool_schema"

module RAAF
  module Streaming
    class Tool
      # What the model of one request may call: the agent's tools, and a tool for each agent it can hand over to.
      #
      # @api private
      class Set
        # What stands before an agent's name in the tool that hands over to it, as in raaf-core.
        HANDOFF = "transfer_to_"

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
        # @return [Agent, nil] whom a call of that name hands over to
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
          handoffs.each do |handoff|
            agent = target_of(handoff)
            name = tool_name_of(handoff, agent)
            known = @tools.keys.find { |tool| letters(tool) == letters(name) }
            @handoffs[known || name] = agent
            @schemas << handoff_schema(name, agent) unless known
          end
        end

        def target_of(handoff)
          target = handoff.respond_to?(:agent) ? handoff.agent : handoff
          target.is_a?(Class) ? target.new : target
        end

        def tool_name_of(handoff, agent)
          given = handoff.tool_name_override if handoff.respond_to?(:tool_name_override)
          given || "#{HANDOFF}#{agent.name.gsub(/([a-z\d])([A-Z])/, '\1_\2').downcase.gsub(/[^a-z0-9]+/, "_")}"
        end

        def letters(name)
          name.downcase.delete("^a-z0-9")
        end

        def handoff_schema(name, agent)
          purpose = agent.handoff_description if agent.respond_to?(:handoff_description)
          description = ["Hand the conversation over to #{agent.name}.", purpose].compact.join(" ")
          {type: "function",
           function: {name: name, description: description, parameters: ToolSchema::NO_PARAMETERS}}
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
