# frozen_string_literal: true

module RAAF
  module Streaming
    module Generators
      module JavaScript
        # A bundler (esbuild, Vite and the like), or none that we know. This version sets up none of them, and says so.
        #
        # @api private
        class Bundled
          FOLDER = File.expand_path("../../../../../../app/javascript/raaf_streaming", __dir__)
          NAMES = {"vite.config.ts" => "Vite", "vite.config.js" => "Vite", "vite.config.mts" => "Vite",
                   "esbuild.config.js" => "esbuild", "esbuild.config.mjs" => "esbuild"}.freeze

          # @return [true]
          def self.here?(_root)
            true
          end

          # @param generator [InstallGenerator]
          def initialize(generator)
            @root = generator.destination_root
          end

          # @return [void]
          def install
          end

          # @return [Array<String>]
          def left
            ["#{name}: this version sets up importmap-rails only. Have your bundler find \"raaf_streaming\" and " \
             "\"raaf_streaming/…\" in #{FOLDER}, and make consumer.js of streamingConsumer(createConsumer())"]
          end

          private

          # What is in the scripts of package.json, where no file says it.
          def name
            found = NAMES.find { |file, _| File.file?(File.join(@root, file)) }&.last
            package = File.join(@root, "package.json")
            found ||= "esbuild" if File.file?(package) && File.read(package).include?("esbuild")
            found || "No importmap was found"
          end
        end
      end
    end
  end
end
