# frozen_string_literal: true

require_relative "javascript/importmap"
require_relative "javascript/vite"
require_relative "javascript/bundled"
require_relative "javascript/none"

module RAAF
  module Streaming
    module Generators
      # How the application's JavaScript reaches the browser: one class for each way.
      #
      # @api private
      module JavaScript
        # The first that the application has; the last one takes any.
        WAYS = [Importmap, Vite, Bundled, None].freeze

        # @param generator [InstallGenerator]
        # @return [#install, #tag, #folder] install makes or takes back the files; tag is the helper, in ERB, by which a
        #   page loads streaming_chat.js; folder is where that goes
        def self.of(generator)
          WAYS.find { |way| way.here?(generator.destination_root) }.new(generator)
        end
      end
    end
  end
end
