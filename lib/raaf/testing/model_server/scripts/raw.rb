# frozen_string_literal: true

module RAAF
  module Testing
    class ModelServer
      module Scripts
        # Exact bytes on the socket: status line, headers and framing are the test's own.
        class Raw < Bytes
          # @api private
          # @param close [Boolean] false: the connection may carry another request afterwards
          def initialize(raw:, close: true, **options)
            super(**options, bytes: raw, transfer: :raw)
            @close = close
          end

          private

          def conclude(response)
            super
            response.keep_connection unless @close
          end
        end
      end
    end
  end
end
