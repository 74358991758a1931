# frozen_string_literal: true

module RAAF
  module Streaming
    class ChannelControl
      # What a browser knows of streams, as it says so: checked, whatever shape it has.
      #
      # @api private
      class Wanted
        # Streams that one may ask for at once.
        MOST = 50
        # What ids look like: those of requests and jobs, and UUIDs.
        ID = /\A[\w.:-]{1,128}\z/
        # What is known of a stream. attempt: Integer, nil where it is not known; seq: Integer, the last number.
        Known = Struct.new(:attempt, :seq)
        private_constant :Known

        # @param id [Object]
        # @return [String]
        # @raise [Refused]
        def self.id(id)
          return id if id.is_a?(String) && id.valid_encoding? && ID.match?(id)

          raise Refused.new(:invalid, "the stream has no id that is one")
        end

        # @return [Hash{String=>Known}]
        attr_reader :streams

        # @param data [Hash{String=>Object}]
        # @raise [Refused]
        def initialize(data)
          @streams = check(data["streams"] || {})
          @recent = data["recent"] == true
        end

        # @return [Boolean] whether streams too that have come to their end, and of which the browser knows nothing
        def recent?
          @recent
        end

        private

        def check(streams)
          raise Refused.new(:invalid, "streams must be an object") unless streams.is_a?(Hash)
          raise Refused.new(:invalid, "#{MOST} streams at most") if streams.size > MOST

          streams.to_h { |id, known| [Wanted.id(id), known(known)] }
        end

        def known(value)
          raise Refused.new(:invalid, "a stream is {attempt, seq}") unless value.is_a?(Hash)

          attempt, seq = value.values_at("attempt", "seq")
          Known.new(number(attempt || 0).nonzero?, number(seq || 0))
        end

        def number(value)
          return value if value.is_a?(Integer) && value.between?(0, ReplayStore::Frame::MOST)

          raise Refused.new(:invalid, "attempt and seq are numbers from 0 up")
        end
      end
    end
  end
end
