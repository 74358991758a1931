# frozen_string_literal: true

module RAAF
  module Testing
    class ModelServer
      module Scripts
        # An answer that depends on what is asked: the test's block says which script it is.
        class Choice < Script
          # @api private
          def initialize(repeat: false, &block)
            super(repeat: repeat)
            @block = block
          end

          # @param request [Request]
          # @param response [Response]
          # @return [void]
          # @raise [ArgumentError] where the block gives what is no script
          def play(request, response)
            options = @block.call(request)
            raise ArgumentError, "the block gave #{options.class}, not the Hash of a script" unless options.is_a?(Hash)

            Script.build(**options).play(request, response)
          end
        end
      end
    end
  end
end
