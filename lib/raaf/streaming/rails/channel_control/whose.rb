# frozen_string_literal: true

module RAAF
  module Streaming
    class ChannelControl
      # Whose a stream is, and where it is sent.
      #
      # @api private
      class Whose
        # @return [String] the stream's
        attr_reader :id

        # @param id [String]
        # @param keys [Array<String>] as for {ReplayStore#begin}
        def initialize(id, keys)
          @id = id
          @keys = keys.group_by { |key| key[/\A[^:]*/] }
        end

        # @return [String, nil]
        def user_id
          named("user").first
        end

        # @return [String, nil]
        def request_id
          named("request").first
        end

        # @return [Array<String>] where it is sent
        def places
          named("place")
        end

        # @param place [String, nil]
        # @return [Authorization::Stream]
        def stream(place = nil)
          Authorization::Stream.new(id: id, user_id: user_id, session_id: named("session").first, place: place).freeze
        end

        private

        def named(kind)
          @keys.fetch(kind, []).map { |key| key.delete_prefix("#{kind}:") }
        end
      end
    end
  end
end
