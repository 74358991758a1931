# frozen_string_literal: true

module RAAF
  module Testing
    class ModelServer
      # Something that goes wrong in an answer at an exact place.
      #
      # Kinds:
      #
      # * :cut          the connection is closed (FIN) without the answer's end
      # * :reset        the connection is reset (RST)
      # * :stall        silence, until the client goes away or the server stops
      # * :drip         from here on a byte at a time, with the script's delay before each
      # * :garbage      random bytes, then the answer's proper end (before the headers: then closed)
      # * :no_response  the request is read and never answered
      #
      # The place (`after`): an Integer counts what the script counts (events of a `deltas:` script, bytes
      # of a `bytes:`, `body:` or `raw:` script); {events: n} and {bytes: n} say it; :request is before the
      # headers; nil is right after the headers, or before them for :no_response.
      class Fault
        # Every kind there is.
        KINDS = %i[cut reset stall drip garbage no_response].freeze

        # @return [Symbol] one of {KINDS}
        attr_reader :kind

        # @param kind [Symbol] one of {KINDS}
        # @param after [Integer, Hash, :request, nil] the place, see above
        # @param unit [Symbol] :events or :bytes, what an Integer counts
        # @param seed [Integer] for :garbage
        # @param size [Integer] bytes of garbage
        # @raise [ArgumentError]
        def initialize(kind, after: nil, unit: :events, seed: 0, size: 512)
          raise ArgumentError, "fault must be one of #{KINDS.inspect}, not #{kind.inspect}" unless KINDS.include?(kind)

          @kind = kind
          @seed = seed
          @size = size
          @before_headers = after == :request || kind == :no_response
          @unit, @count = @before_headers ? [:events, 0] : place(after, unit)
        end

        # @return [Boolean] whether the fault comes in place of the status line
        def before_headers?
          @before_headers
        end

        # @return [Boolean] whether the answer goes on, if slowly
        def drip?
          @kind == :drip
        end

        # What is still sent in spite of the fault.
        # @param events [Enumerable<Array(Numeric, String)>] delays (seconds) and bytes
        # @param delay [Numeric] seconds before each dripped byte
        # @return [Enumerator<Array(Numeric, String)>]
        def limit(events, delay: 0)
          Enumerator.new do |sent|
            left = @count
            events.each do |pause, bytes|
              break if left.zero? && !drip?

              whole = whole_bytes(bytes, left)
              sent.yield(pause, bytes.byteslice(0, whole)) if whole.positive?
              left -= cost(bytes, left)
              drip(bytes, whole, delay, sent) if drip?
              break if left.zero? && !drip?
            end
          end
        end

        # Does the damage, once {#limit} has been sent.
        # @param response [Response]
        # @return [void]
        def strike(response)
          case @kind
          when :cut then response.cut
          when :reset then response.reset
          when :stall, :no_response then response.hold
          when :garbage then garbage(response)
          end
        end

        private

        def place(after, unit)
          unit, count = after.first if after.is_a?(Hash)
          count = after || 0 unless after.is_a?(Hash)
          return [unit, count] if %i[events bytes].include?(unit) && count.is_a?(Integer) && count >= 0

          raise ArgumentError, "after must be a number, {events: n}, {bytes: n} or :request, not #{after.inspect}"
        end

        def whole_bytes(bytes, left)
          return [bytes.bytesize, left].min if @unit == :bytes

          left.zero? ? 0 : bytes.bytesize
        end

        def cost(bytes, left)
          (@unit == :bytes) ? [bytes.bytesize, left].min : [1, left].min
        end

        def drip(bytes, from, delay, sent)
          (from...bytes.bytesize).each { |at| sent.yield(delay, bytes.byteslice(at, 1)) }
        end

        def garbage(response)
          bytes = Random.new(@seed).bytes(@size)
          return response.send_raw(bytes).cut unless response.started?

          response.write(bytes)
          response.finish
        end
      end
    end
  end
end
