# frozen_string_literal: true

require_relative "../class_base"

module RAAF
  module Streaming
    module Generators
      # Makes an agent of the application's own: `rails generate raaf:streaming:agent NAME`, and where RSpec is used a
      # spec of it. `rails destroy raaf:streaming:agent NAME` takes them away.
      class AgentGenerator < ClassBase
        namespace "raaf:streaming:agent"
        source_root File.expand_path("templates", __dir__)
        desc "Makes app/agents/NAME_agent.rb, a RAAF::Agent with instructions, a model and tools."

        class_option :model, type: :string, default: "gpt-4o", desc: "The model it asks"
        class_option :instructions, type: :string, default: "You are a helpful assistant.", desc: "What it shall do"
        class_option :tools, type: :array, default: [], desc: "Names as raaf:streaming:tool takes them"

        # The class, and its spec.
        #
        # @return [void]
        # @raise [Thor::Error] for a name that no class can have, or that something else has
        def create_agent
          check_name
          create_class
        end

        # Who uses it.
        #
        # @return [void]
        def finish
          return unless said?

          say "\n#{class_name}.new is an agent: for build_agent of an AgentService, for a runner, as a handoff."
          missing_tools.each do |tool|
            say "app/tools/#{tool}_tool.rb is not there yet: rails generate raaf:streaming:tool #{tool}"
          end
        end

        private

        # As the model is told of it, and other agents.
        def title
          [*regular_class_path, file_name].map(&:humanize).join(" ")
        end

        def tool_classes
          tool_names.map { |tool| "#{tool}_tool".camelize }
        end

        def missing_tools
          tool_names.reject { |tool| File.file?(File.join(destination_root, "app/tools/#{tool}_tool.rb")) }
        end

        def tool_names
          options[:tools].map { |tool| tool.underscore.delete_suffix("_tool") }
        end
      end
    end
  end
end
