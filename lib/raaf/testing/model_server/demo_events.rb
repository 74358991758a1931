# frozen_string_literal: true

module RAAF
  module Testing
    class ModelServer
      # The events of a demo answer with the time before each. They are written only when they are asked for:
      # a thousand answers of a thousand tokens would be much text to keep ready.
      class DemoEvents
        # @param wire [OpenAIChatWire]
        # @param pieces [Array<String>]
        # @param closing [#call] gives the events that follow the last piece at once, "" for none; called behind it
        # @param first_delay [Numeric] seconds before the first event
        # @yieldreturn [Numeric] seconds before a piece; not asked for the first one, which follows the role at
        #   once, as it does with OpenAI
        def initialize(wire, pieces, closing, first_delay, &pause)
          @wire = wire
          @pieces = pieces
          @closing = closing
          @first_delay = first_delay
          @pause = pause
          @position = -1
        end

        # @return [Array(Numeric, String), nil] seconds to wait and the bytes that come then; nil after the last
        def next
          waited = 0
          while (delay, bytes = following)
            waited += delay
            return [waited, bytes] unless bytes.empty?
          end
        end

        # @yieldparam event [Array(Numeric, String)]
        # @return [void]
        def each
          while (event = self.next)
            yield event
          end
        end

        private

        # Formats that have no event for something write "" for it.
        def following
          @position += 1
          return [@first_delay, @wire.role] if @position.zero?

          index = @position - 1
          piece = @pieces[index]
          return [index.zero? ? 0 : @pause.call, @wire.content(piece)] if piece

          @closing_events ||= @closing.call.reject(&:empty?)
          bytes = @closing_events[index - @pieces.size]
          bytes && [0, bytes]
        end
      end
    end
  end
end
