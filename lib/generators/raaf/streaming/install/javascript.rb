# frozen_string_literal: true

require_relative "javascript/importmap"
require_relative "javascript/bundled"

module RAAF
  module Streaming
    module Generators
      # How the application's JavaScript reaches the browser: one class for each way.
      #
      # @api private
      module JavaScript
        # The first that the application has; the last one takes any.
        WAYS = [Importmap, Bundled].freeze

        # @param generator [InstallGenerator]
        # @return [#install, #left]
        def self.of(generator)
          WAYS.find { |way| way.here?(generator.destination_root) }.new(generator)
        end
      end
    end
  end
end
