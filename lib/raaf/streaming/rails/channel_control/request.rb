# frozen_string_literal: true

require "digest"

module RAAF
  module Streaming
    class ChannelControl
      # What a browser calls something that it asks: `raaf: {request_id: "<UUID>"}` in the data of an action. The id of
      # the stream that answers it is made of that and of who the connection belongs to. So the browser knows it at
      # once, a message that it sends again gets the same one, and nobody can name another one's.
      #
      # @api private
      class Request
        UUID = /\A\h{8}-\h{4}-\h{4}-\h{4}-\h{12}\z/
        # Characters of the digest that make an id.
        LENGTH = 32
        private_constant :UUID, :LENGTH

        # @return [String]
        attr_reader :id
        # @return [String] whose it is, the connection's identifier
        attr_reader :connection
        # @return [String] of the first stream that is begun for it
        attr_reader :stream_id

        # @param data [Hash{String=>Object}] of any shape
        # @param connection [String] whose request it is, the connection's identifier
        # @return [Request, nil] nil: it has no id, or what is none
        def self.in(data, connection)
          raaf = data["raaf"]
          of(raaf["request_id"], connection) if raaf.is_a?(Hash)
        end

        # @param id [Object]
        # @param connection [String]
        # @return [Request, nil]
        def self.of(id, connection)
          new(id, connection) if id.is_a?(String) && id.valid_encoding? && UUID.match?(id)
        end

        # @param id [String]
        # @param connection [String]
        def initialize(id, connection)
          @id = id
          @connection = connection
          @stream_id = Digest::SHA256.hexdigest("#{connection}/#{id}")[0, LENGTH]
        end

        # @param stream_id [String]
        # @return [Boolean] whether it is one of those that were begun for it
        def began?(stream_id)
          stream_id == @stream_id || stream_id.start_with?("#{@stream_id}-")
        end
      end
    end
  end
end
