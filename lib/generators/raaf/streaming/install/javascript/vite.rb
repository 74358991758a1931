# frozen_string_literal: true

require "json"
require_relative "bundled"

module RAAF
  module Streaming
    module Generators
      module JavaScript
        # vite_rails: as another bundler, with a file among Vite's entry points that imports streaming_chat.js.
        #
        # @api private
        class Vite < Bundled
          FILE = "config/vite.json"
          # vite_ruby's defaults. Source: its lib/vite_ruby/config.rb and default.vite.json.
          DEFAULTS = {"sourceCodeDir" => "app/frontend", "entrypointsDir" => "entrypoints"}.freeze

          # @return [Boolean]
          def self.here?(root)
            File.file?(File.join(root, FILE))
          end

          # @return [String]
          def folder
            setting("sourceCodeDir")
          end

          # @return [String]
          def tag
            %(vite_javascript_tag "streaming_chat")
          end

          private

          def enter
            path = File.join(folder, setting("entrypointsDir"), "streaming_chat.js")
            return if @generator.own_file("vite_entry.js.tt", path)

            @generator.left(%(#{path} is yours: have it import "../streaming_chat"))
          end

          def setting(name)
            @settings ||= DEFAULTS.merge(JSON.parse(@generator.read(FILE)).fetch("all", {}))
            @settings.fetch(name)
          end
        end
      end
    end
  end
end
