# frozen_string_literal: true

module RAAF
  module Streaming
    class ChannelControl
      # Something that is not done, and why, in words for the user.
      #
      # @api private
      class Refused < StandardError
        # @return [Symbol] :forbidden, :invalid, :rate_limited or :unavailable
        attr_reader :reason

        # @param reason [Symbol]
        # @param message [String]
        def initialize(reason, message)
          super(message)
          @reason = reason
        end

        # @param error [StandardError]
        # @return [Refused] the same to the user, who is not told what is inside of an application
        def self.of(error)
          case error
          when Refused then error
          when Errors::StreamLimitError then new(:rate_limited, error.message)
          when Errors::StoreUnavailableError then new(:unavailable, "What was sent is not to be had now.")
          else new(:unavailable, "The server could not do it.")
          end
        end
      end
    end
  end
end
