# frozen_string_literal: true

require "json"

module RAAF
  module Streaming
    class ReplayStore
      # A message of a stream, as it was sent to one place, with its number there. Immutable.
      class Frame
        # The largest number of a frame or an attempt: what a double, and so Lua and JavaScript, counts exactly.
        MOST = (1 << 53) - 1

        # @return [String] where it was sent, such as the name of a broadcasting
        attr_reader :place
        # @return [Integer] its number among the frames of the stream, attempt and place, from 1
        attr_reader :seq
        # @return [Integer] which attempt at the stream, from 1
        attr_reader :attempt
        # @return [String] the message as JSON
        attr_reader :data
        # @return [String] what it adds to the text of the answer; "": nothing. Not with what {ReplayStore#read} gives
        attr_reader :delta

        # @param place [String]
        # @param seq [Integer]
        # @param message [Hash, String] a Hash is made JSON at once, by its to_json; a String is JSON
        # @param attempt [Integer]
        # @param delta [String, nil] what it adds to the text, for {ReplayStore#checkpoint}
        # @param terminal [Boolean] whether it is the last one of its stream
        # @param reset [Boolean] whether the answer begins anew with it: the text so far holds no longer
        # @raise [ArgumentError] for a wrong argument
        def initialize(place:, seq:, message:, attempt: 1, delta: nil, terminal: false, reset: false)
          @place = ReplayStore.name_of(place, "place")
          @seq = check_number(seq, "seq")
          @attempt = check_number(attempt, "attempt")
          @data = (message.is_a?(String) ? message.dup : message.to_json).freeze
          @delta = delta.to_s.dup.freeze
          @terminal = terminal ? true : false
          @reset = reset ? true : false
          freeze
        end

        # @return [Boolean]
        def terminal?
          @terminal
        end

        # @return [Boolean]
        def reset?
          @reset
        end

        # @return [Hash{String=>Object}] made of the JSON anew
        def message
          JSON.parse(data)
        end

        # @return [Boolean] whether it is the same message at the same place, with the same number
        def ==(other)
          other.is_a?(Frame) && [place, seq, attempt, data, terminal?] ==
            [other.place, other.seq, other.attempt, other.data, other.terminal?]
        end
        alias_method :eql?, :==

        # @return [Integer]
        def hash
          [place, seq, attempt, data].hash
        end

        # @return [String] short, without the message
        def inspect
          "#<#{self.class.name} #{place} #{attempt}-#{seq}>"
        end

        private

        def check_number(value, name)
          return value if value.is_a?(Integer) && value.between?(1, MOST)

          raise ArgumentError, "#{name} must be a number from 1 up, not #{value.inspect}"
        end
      end
    end
  end
end
