# frozen_string_literal: true

module RAAF
  module Streaming
    # The conversation as a list of symbol-keyed Hashes, whatever shape it was given in.
    #
    # @api private
    module Messages
      module_function

      # @param message [String, Hash, Array<Hash>] what the user says, one message, or a conversation
      # @return [Array<Hash{Symbol=>Object}>] new Hashes with Symbol keys
      # @raise [ArgumentError] for anything else, an empty conversation, or a message without a role
      def list(message)
        messages = message.is_a?(Array) ? message : [message]
        raise ArgumentError, "the conversation has no messages" if messages.empty?

        messages.map { |one| normalize(one) }
      end

      def normalize(message)
        case message
        when Hash then with_role(message.transform_keys(&:to_sym))
        when String, Symbol then {role: "user", content: message.to_s}
        else
          raise ArgumentError, "a message is a String or a Hash with role and content, not #{message.class}"
        end
      end

      def with_role(message)
        return message unless message[:role].to_s.empty?

        raise ArgumentError, "a message has no role (its keys: #{message.keys.join(", ")})"
      end

      private_class_method :normalize, :with_role
    end
  end
end
