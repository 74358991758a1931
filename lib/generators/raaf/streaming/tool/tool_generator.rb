# frozen_string_literal: true

require_relative "../class_base"
require_relative "parameter"

module RAAF
  module Streaming
    module Generators
      # Makes a tool of the application's own: `rails generate raaf:streaming:tool NAME [argument:type …]`, and where
      # RSpec is used a spec of it. `rails destroy raaf:streaming:tool NAME` takes them away.
      class ToolGenerator < ClassBase
        namespace "raaf:streaming:tool"
        source_root File.expand_path("templates", __dir__)
        desc "Makes app/tools/NAME_tool.rb, which a model can call. Arguments are name:type, or name:type:optional; " \
             "types are #{Parameter::TYPES.keys.join(", ")}."

        argument :parameters, type: :array, default: [], banner: "argument:type[:optional]"
        class_option :description, type: :string, desc: "When to call it, for the model"

        # The longest name that providers take. Source: OpenAI's API reference, chat completions, `tools`.
        MAX_NAME = 64

        # The class, and its spec.
        #
        # @return [void]
        # @raise [Thor::Error] for a name that no class or tool can have, or that something else has, and for wrong
        #   arguments
        def create_tool
          check_name
          raise Thor::Error, "a tool's name has #{MAX_NAME} letters at most: #{tool_name}" if tool_name.size > MAX_NAME

          read_parameters
          create_class
        end

        # Who uses it.
        #
        # @return [void]
        def finish
          say "\nGive it to an agent: tools: [#{class_name}]. What it does goes into #{path}." if said?
        end

        private

        # Those that must be there first, as Ruby wants them.
        def read_parameters
          required, optional = parameters.map { |text| Parameter.parse(text) }.partition(&:required?)
          @parameters = required + optional
          twice = @parameters.map(&:name).tally.select { |_, count| count > 1 }.keys
          raise Thor::Error, "several arguments are called #{twice.join(", ")}" unless twice.empty?
        end

        # What the model calls it by.
        def tool_name
          [*regular_class_path, file_name].join("_")
        end

        def description
          options[:description] || "#{file_name.humanize}: say here what it does, and when to call it"
        end

        def signature
          "(#{@parameters.map(&:keyword).join(", ")})" if @parameters.any?
        end
      end
    end
  end
end
