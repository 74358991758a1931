# frozen_string_literal: true

module RAAF
  module Streaming
    # The beginning of an answer that was delivered before its stream broke off, and how a model is asked for the rest.
    #
    # A model that takes the beginning of its own answer gets it as the last message and writes on from there. Others
    # get it as an answer of theirs, and behind it the demand to go on. What they repeat all the same is cut off
    # natively (core/overlap.h has the rule).
    #
    # @api private
    class Continuation
      # What is asked of a model that does not write on by itself.
      DEMAND = "Your last answer was cut off. Go on exactly where it stops, in the middle of a word if need be. Do " \
               "not repeat any of it, and write nothing before or about the continuation."

      # @return [String] what was delivered; "" where an answer is asked for from its beginning
      attr_reader :text

      # @param text [String]
      def initialize(text)
        @text = text
        # Anthropic refuses a last message that ends in blanks. Source: its API's error "final assistant content cannot
        # end with trailing whitespace".
        @trimmed = text.sub(/\s+\z/, "")
      end

      # @param written_on [Boolean] whether the model writes on from a message of its own
      # @return [Array<Hash{Symbol=>Object}>] what stands behind the conversation
      def messages(written_on)
        return [] if @trimmed.empty?
        return [{role: "assistant", content: @trimmed}] if written_on

        [{role: "assistant", content: @text}, {role: "user", content: DEMAND}]
      end

      # @param written_on [Boolean] as for {messages}
      # @return [String, nil] what the rest may repeat at its beginning: what was said, or where the model has all of
      #   that before it, the blanks that were left out
      def repeatable(written_on)
        repeatable = written_on ? @text.delete_prefix(@trimmed) : @text
        repeatable unless repeatable.empty?
      end

      # @param parts [Hash{Symbol=>Object}, nil] of the rest, as in {Result.assistant_message}
      # @return [Hash{Symbol=>Object}, nil] of the whole answer. What stands at the beginning, such as the model's
      #   thinking, stays there
      def place(parts)
        return parts if parts.nil? || @text.empty?

        items = parts[:items].map do |item|
          item[:at].zero? ? item : item.merge(at: item[:at] + @text.bytesize)
        end
        parts.merge(items: items)
      end

      # @return [String] short: not a word of the answer
      def inspect
        "#<#{self.class.name} #{@text.length} characters>"
      end

      # An answer from its beginning.
      NONE = new("").freeze
    end
  end
end
