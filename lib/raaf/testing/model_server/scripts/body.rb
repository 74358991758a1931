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
            bytes = (body.nil? || body.is_a?(String)) ? body.to_s : JSON.generate(body)
            super(bytes: bytes, status: status, content_type: content_type, transfer: transfer, **options)
            @given = !body.nil?
          end

          private

          def events(request)
            return super if @given

            text = ErrorBody.json(@status, "scripted answer with status #{@status}", Wires.class_for(request))
            [[@first_delay, text]]
          end
        end
      end
    end
  end
end
