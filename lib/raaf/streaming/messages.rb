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

      # @param messages [Array<Hash>, nil] from a conversation store
      # @return [Array<Hash{Symbol=>Object}>]
      def list_or_none(messages)
        (messages.nil? || messages.empty?) ? [] : list(messages)
      end

      # Who says it stands before the words, because most providers know only one user. The message keeps the name.
      #
      # @param message [Hash{Symbol=>Object}]
      # @return [Hash{Symbol=>Object}]
      def with_speaker(message)
        return message unless message[:role].to_s == "user" && !message[:name].to_s.empty?

        name = "#{message[:name].to_s.tr("\r\n", "  ")}: "
        content = message[:content]
        spoken = content.is_a?(Array) ? [{type: "text", text: name}, *content] : "#{name}#{content}"
        message.except(:name).merge(content: spoken)
      end

      # @param messages [Array<Hash{Symbol=>Object}>]
      # @param name [String, nil] who says those of the user's that name nobody
      # @return [Array<Hash{Symbol=>Object}>]
      def by(messages, name)
        return messages if name.to_s.empty?

        messages.map { |one| (one[:role].to_s == "user" && !one[:name]) ? one.merge(name: name.to_s) : one }
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
