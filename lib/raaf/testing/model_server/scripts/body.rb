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
            super(bytes: text(status, body), status: status, content_type: content_type, transfer: transfer, **options)
          end

          private

          def text(status, body)
            case body
            when nil then ErrorBody.json(status, "scripted answer with status #{status}")
            when String then body
            else JSON.generate(body)
            end
          end
        end
      end
    end
  end
end
