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
            ours = @generator.own_file("consumer.js.tt", consumer)
            there = @generator.read(consumer)
            return if there.empty? || there.include?("\"#{modules}\"")

            @generator.left(ours ? of_another_way : of_the_application)
          end

          private

          def of_the_application
            "#{consumer} is yours: have it export streamingConsumer(createConsumer()), from \"#{modules}\""
          end

          # The application had an importmap before, or a bundler.
          def of_another_way
            "#{consumer} does not import from \"#{modules}\": --force writes it anew, and the page"
          end
        end
      end
    end
  end
end
