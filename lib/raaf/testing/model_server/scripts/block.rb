# frozen_string_literal: true

module RAAF
  module Testing
    class ModelServer
      module Scripts
        # An answer written by the test's own block.
        class Block < Script
          # @api private
          def initialize(repeat: false, &block)
            super(repeat: repeat)
            @block = block
          end

          # @param request [Request]
          # @param response [Response]
          # @return [void]
          def play(request, response)
            @block.call(request, response)
            response.finish
          end
        end
      end
    end
  end
end
