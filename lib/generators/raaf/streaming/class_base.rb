# frozen_string_literal: true

require "rails/generators/named_base"

module RAAF
  module Streaming
    module Generators
      # A generator of one class in a folder of its own below app/, and of its spec: the base of agent and tool.
      #
      # @api private
      class ClassBase < ::Rails::Generators::NamedBase
        # One part of a name, as a file is called.
        PART = /\A[a-z][a-z0-9_]*\z/

        private

        # @return [String] "agent" or "tool": what the class's name ends with, and in the plural its folder
        def kind
          self.class.name.split("::").last.delete_suffix("Generator").underscore
        end

        # Without the end that the class gets anyway.
        def file_name
          @bare_file_name ||= super.sub(/_#{kind}\z/, "")
        end

        def class_name
          "#{super}#{kind.camelize}"
        end

        def path
          File.join("app", kind.pluralize, *regular_class_path, "#{file_name}_#{kind}.rb")
        end

        def spec_path
          path.sub("app/", "spec/").sub(/\.rb\z/, "_spec.rb")
        end

        # @raise [Thor::Error] for a name that no file and no class can have, or that something else has
        def check_name
          wrong = [*regular_class_path, file_name].grep_v(PART)
          unless wrong.empty?
            raise Thor::Error, "#{name.inspect} cannot be the name of a class: it takes letters, digits and " \
                               "underscores, and a slash between folder and name"
          end
          class_collisions(class_name) unless File.exist?(File.join(destination_root, path))
        end

        # What is there already stays as it is, unless --force is given.
        def create_class
          template "#{kind}.rb.tt", path, skip: true
          template "#{kind}_spec.rb.tt", spec_path, skip: true if rspec? || behavior == :revoke
          remove_empty_folders if behavior == :revoke
        end

        def rspec?
          ::Rails::Generators.options.dig(:rails, :test_framework) == :rspec
        end

        def remove_empty_folders
          [path, spec_path].each do |file|
            until (file = File.dirname(file)) =~ /\A(?:app|spec)\z/
              folder = File.join(destination_root, file)
              Dir.rmdir(folder) if Dir.exist?(folder) && Dir.empty?(folder) && !options[:pretend]
            end
          end
        end

        def said?
          behavior == :invoke && !options[:quiet]
        end
      end
    end
  end
end
