# frozen_string_literal: true

module RAAF
  module Streaming
    # What a user says, as it comes from a browser: checked before anything is done with it. The messages of the errors
    # are for the user.
    #
    # @api private
    module UserInput
      # Values in a context, however small they are.
      MOST_VALUES = 10_000
      # What a number, true, false or nil counts as. Unit: bytes.
      SMALL = 8
      private_constant :MOST_VALUES, :SMALL

      module_function

      # A text; a browser shall not write the conversation's other roles.
      #
      # @param message [Object]
      # @param most [Integer] bytes
      # @return [String]
      # @raise [ArgumentError]
      def message(message, most = Streaming.configuration.max_message_bytes)
        raise ArgumentError, "the message must be a text, not #{message.class}" unless message.is_a?(String)
        raise ArgumentError, "the message is not valid #{message.encoding}" unless message.valid_encoding?
        raise ArgumentError, "the message is empty" if message.strip.empty?
        return message if message.bytesize <= most

        raise ArgumentError, "the message is too long: it has #{message.bytesize} bytes, and may have #{most}"
      end

      # @param context [Object]
      # @param most [Integer] bytes of all texts in it, about
      # @return [Hash, nil]
      # @raise [ArgumentError]
      def context(context, most = Streaming.configuration.max_message_bytes)
        return context if context.nil?
        raise ArgumentError, "context must be a Hash, not #{context.class}" unless context.respond_to?(:to_hash)
        return context if fits?(context.to_hash, most)

        raise ArgumentError, "the context is too large: it may have #{most} bytes and #{MOST_VALUES} values"
      end

      # It looks no further than to the limit, so that it ends for a context that holds itself, too. Objects of the
      # application's count as little as a number.
      #
      # @return [Boolean]
      def fits?(hash, most)
        waiting = [hash] #: Array[untyped]
        values = 0
        while (value = waiting.pop) || waiting.any?
          most -= bytes_of(value)
          values += 1
          return false if most.negative? || values > MOST_VALUES

          waiting.concat(value.is_a?(Hash) ? value.to_a.flatten(1) : value) if value.is_a?(Hash) || value.is_a?(Array)
        end
        true
      end

      def bytes_of(value)
        (value.is_a?(String) || value.is_a?(Symbol)) ? value.to_s.bytesize : SMALL
      end
      private_class_method :fits?, :bytes_of
    end
  end
end
