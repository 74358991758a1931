# frozen_string_literal: true

module RAAF
  module Testing
    class ModelServer
      module Scripts
        # A body given as bytes, cut into writes.
        class Bytes < Script
          # @api private
          def initialize(bytes:, writes: :whole, **options)
            super(**options, split: writes)
            @bytes = bytes.b.freeze
          end

          private

          def events(_request)
            [[@first_delay, @bytes]]
          end

          def delay_between_pieces
            @delay
          end
        end
      end
    end
  end
end
