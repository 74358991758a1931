# frozen_string_literal: true

module RAAF
  module Streaming
    module Generators
      module JavaScript
        # Neither an importmap nor a package.json: nothing is set up, and it is said what would be.
        #
        # @api private
        class None
          # @return [true]
          def self.here?(_root)
            true
          end

          # @param generator [InstallGenerator]
          def initialize(generator)
            @generator = generator
          end

          # @return [String]
          def folder
            "app/javascript"
          end

          # @return [String]
          def tag
            %(javascript_include_tag "streaming_chat", type: "module")
          end

          # @return [void]
          def install
            @generator.left("no config/importmap.rb, config/vite.json or package.json was found, so no JavaScript is " \
                            "there yet: set up importmap-rails, jsbundling-rails or vite_rails, and run this again")
          end
        end
      end
    end
  end
end
