# frozen_string_literal: true

require_relative "consumer"

module RAAF
  module Streaming
    module Generators
      module JavaScript
        # importmap-rails. The modules of this gem are pinned by its engine.
        #
        # @api private
        class Importmap
          include Consumer

          FILE = "config/importmap.rb"
          # In the guide's streaming_chat.js, "./consumer" is looked up beside that file: as /assets/consumer.
          PINS = <<~RUBY

            # Streamed answers (raaf-streaming). "./consumer" in a module resolves to "/assets/consumer".
            pin "/assets/consumer", to: "consumer.js"
            pin "streaming_chat"
          RUBY
          # Where the application has not pinned it already.
          CABLE = %(pin "@rails/actioncable", to: "actioncable.esm.js" # for consumer.js\n)

          PINNED = /^\s*pin\s*\(?\s*["']@rails\/actioncable["']/

          # @return [Boolean]
          def self.here?(root)
            File.file?(File.join(root, FILE))
          end

          # @param generator [InstallGenerator]
          def initialize(generator)
            @generator = generator
          end

          # @return [String]
          def folder
            "app/javascript"
          end

          # @return [String] what consumer.js imports
          def modules
            "raaf_streaming"
          end

          # @return [String]
          def tag
            %(javascript_import_module_tag "streaming_chat")
          end

          # @return [nil] what consumer.js says of itself
          def note
          end

          # @return [void]
          def install
            change_consumer
            @generator.append_to_file FILE, PINS
            @generator.append_to_file FILE, CABLE unless pinned_already?
          end

          private

          # By the application, that is: a line of ours is taken back by destroy.
          def pinned_already?
            lines = @generator.read(FILE).lines.grep(PINNED)
            lines.any? && !lines.include?(CABLE)
          end
        end
      end
    end
  end
end
