# frozen_string_literal: true

require_relative "consumer"
require_relative "modules"
require_relative "package"

module RAAF
  module Streaming
    module Generators
      module JavaScript
        # jsbundling-rails: esbuild, which is set up whole, or another bundler, of which it is said what is left.
        #
        # The modules of this gem are copied into the application, because they are on no registry of npm's, and a path
        # to the gem would be one of this machine. Action Cable's own come by npm.
        #
        # @api private
        class Bundled
          include Consumer

          # What jsbundling-rails has esbuild begin with: every file in the folder itself, so streaming_chat.js too.
          ENTRIES = "app/javascript/*.*"

          # @return [Boolean]
          def self.here?(root)
            File.file?(File.join(root, Package::FILE))
          end

          # @param generator [InstallGenerator]
          def initialize(generator)
            @generator = generator
            @package = Package.new(generator, consumer)
          end

          # @return [String]
          def folder
            "app/javascript"
          end

          # @return [String] what consumer.js imports
          def modules
            "./#{Modules::NAME}/index"
          end

          # @return [String]
          def tag
            %(javascript_include_tag "streaming_chat", type: "module")
          end

          # @return [String, nil] what consumer.js says of itself
          def note
            @package.note
          end

          # The package goes first: whether it is ours to take back is said in consumer.js.
          #
          # @return [void]
          def install
            @package.change if @generator.ours_or_absent?(consumer)
            change_consumer
            Modules.new(@generator, folder).change
            enter
          end

          private

          # Has the bundler make a file of streaming_chat.js.
          def enter
            return if @generator.read(Package::FILE).include?(ENTRIES)

            @generator.left("have your bundler make a file of #{folder}/streaming_chat.js, an entry point: the page " \
                            "loads it by #{tag}")
          end
        end
      end
    end
  end
end
