# frozen_string_literal: true

module RAAF
  module Streaming
    class ChannelControl
      # The broadcastings that a channel streams from, and how it hands on what comes from there. Action Cable keeps
      # them in a private method; this listens to the public ones by which they change.
      #
      # Actions of a channel run on several threads.
      #
      # @api private
      class Places
        # @param transmit [#call] sends a message to the browser
        def initialize(transmit)
          @transmit = transmit
          @lock = Mutex.new # covers the rest
          @handlers = {} # place => what hands a frame on
        end

        # @param place [String]
        # @param handler [#call, nil] the application's own, as it was given to `stream_from`
        # @param coder [#decode, nil] by which the handler wants its messages decoded; nil: it gets JSON
        # @return [void]
        def add(place, handler, coder)
          given = handler && ->(frame) { handler.call(coder ? frame.message : frame.data) }
          @lock.synchronize { @handlers[place] = given || ->(frame) { @transmit.call(frame.message) } }
        end

        # @param place [String]
        # @return [void]
        def delete(place)
          @lock.synchronize { @handlers.delete(place) }
        end

        # @return [void]
        def clear
          @lock.synchronize { @handlers.clear }
        end

        # @return [Array<String>]
        def names
          @lock.synchronize { @handlers.keys }
        end

        # @param frame [ReplayStore::Frame] which goes the way of one that has been broadcast
        # @return [void]
        def hand_on(frame)
          @lock.synchronize { @handlers[frame.place] }&.call(frame)
        end
      end
    end
  end
end
