# frozen_string_literal: true

require "json"

module RAAF
  module Testing
    class ModelServer
      module Scripts
        # A status with a body of known length: how an API answers without streaming, and how it refuses.
        class Body < Bytes
          # @api private
          def initialize(status: 200, body: nil, content_type: "application/json", transfer: :length, **options)
            @error = body.nil?
            super(bytes: text(body), status: status, content_type: content_type, transfer: transfer, **options)
          end

          private

          def text(body)
            body.is_a?(String) ? body : JSON.generate(body)
          end

          def events(request)
            return super unless @error

            [[@first_delay, ErrorBody.for(request, @status, "scripted answer with status #{@status}")]]
          end
        end
      end
    end
  end
end
