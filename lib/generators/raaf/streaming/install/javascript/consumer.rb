# frozen_string_literal: true

module RAAF
  module Streaming
    module Generators
      module JavaScript
        # consumer.js, which each way has in its `folder`, and which imports its `modules`.
        #
        # @api private
        module Consumer
          # @return [String] its path
          def consumer
            "#{folder}/consumer.js"
          end

          # @return [void]
          def change_consumer
            return if @generator.own_file("consumer.js.tt", consumer)

            @generator.left("#{consumer} is yours: have it export streamingConsumer(createConsumer()), " \
                            "from \"#{modules}\"")
          end
        end
      end
    end
  end
end
