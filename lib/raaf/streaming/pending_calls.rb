# frozen_string_literal: true

module RAAF
  module Streaming
    # Which call a tool's result answers, for providers that want its name: by the call's id, else by the name that the
    # message has, else by its place among the calls that nobody has answered.
    #
    # @api private
    class PendingCalls
      # A call that was sent: the id it has in the conversation and on the wire, and the function's name.
      Call = Struct.new(:id, :wire_id, :name)

      def initialize
        @calls = []
      end

      # The model speaks again: a call without an id was answered before, or is not answered at all.
      #
      # @return [void]
      def begin_turn
        @calls.select!(&:id)
      end

      # @param id [String, nil] in the conversation
      # @param name [String]
      # @param wire_id [String, nil] on the wire
      # @return [void]
      def add(id, name, wire_id: id)
        @calls << Call.new(id, wire_id, name)
      end

      # @param message [Hash{Symbol=>Object}] the tool's
      # @return [Call, nil] the call that it answers; it is answered now
      def take(message)
        id = message[:tool_call_id]
        name = message[:name]
        place = @calls.index { |call| id && call.id == id } || @calls.index { |call| name && call.name == name.to_s }
        place ||= 0 unless id || name
        @calls.delete_at(place) if place
      end
    end
  end
end
