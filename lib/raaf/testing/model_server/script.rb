# frozen_string_literal: true

module RAAF
  module Testing
    class ModelServer
      # The kinds of script, a class each; {Script.build} chooses among them.
      module Scripts
      end

      # How one request is to be answered; {ModelServer#script} documents the options. A script may be
      # played by several connections at a time, so it keeps no state of its own.
      class Script
        # Makes the script that the options describe.
        # @return [Script]
        # @raise [ArgumentError] for an unknown option or one of the wrong form
        def self.build(**options, &block)
          return ((block.arity == 1) ? Scripts::Choice : Scripts::Block).new(**options, &block) if block
          return Scripts::Demo.new(**options.except(:demo)) if options[:demo]
          return Scripts::Raw.new(**options) if options.key?(:raw)
          return Scripts::Bytes.new(**options) if options.key?(:bytes)

          plain_status = options.key?(:status) && (options.keys & Scripts::Deltas::CONTENT).empty?
          (options.key?(:body) || plain_status) ? Scripts::Body.new(**options) : Scripts::Deltas.new(**options)
        end

        # @api private
        def initialize(status: 200, headers: {}, content_type: nil, transfer: :chunked, delay: 0,
          first_delay: 0, header_delay: 0, keep_open: false, repeat: false, split: nil,
          fault: nil, after: nil, seed: 0, size: 512)
          @status = status
          @content_type = content_type
          @headers = headers
          @transfer = transfer
          @delay = delay
          @first_delay = first_delay
          @header_delay = header_delay
          @keep_open = keep_open
          @repeat = repeat
          @split = split
          Splitter.new(split) # says at once what is wrong with it
          @fault = fault && Fault.new(fault, after: after, unit: fault_unit, seed: seed, size: size)
          raise ArgumentError, "after: needs fault:" if after && !fault
        end

        # @return [Boolean] whether it stays at the head of the queue
        def repeat?
          @repeat
        end

        # @param _request [Request]
        # @return [Boolean] whether it is meant for this request; a scripted answer is for any
        def answers?(_request)
          true
        end

        # Answers the request.
        # @param request [Request]
        # @param response [Response]
        # @return [void]
        def play(request, response)
          return @fault.strike(response) if @fault&.before_headers? && !@fault.drip?

          response.sleep(@header_delay)
          send_body(response, *answer(request))
          return @fault.strike(response) if @fault && !@fault.drip?

          conclude(response)
        end

        private

        # What an Integer in `after:` counts.
        def fault_unit
          :bytes
        end

        def headers_for(request)
          {"content-type" => @content_type || Wires.class_for(request)::CONTENT_TYPE}.merge(@headers)
        end

        # @return [Array] status, headers, transfer and the events: [delay in seconds, bytes] each
        def answer(request)
          [@status, headers_for(request), @transfer, events(request)]
        end

        def send_body(response, status, headers, transfer, events)
          length = events.sum { |_, bytes| bytes.bytesize } if transfer == :length
          drip = @delay if @fault&.drip? && @fault.before_headers?
          response.start(status, headers, transfer: transfer, length: length, drip: drip)
          each_write(events) do |delay, piece|
            response.sleep(delay)
            response.write(piece)
          end
        end

        def each_write(events)
          splitter = Splitter.new(@split)
          events = @fault.limit(events, delay: @delay) if @fault
          events.each do |delay, bytes|
            splitter.each_piece(bytes) do |piece|
              yield delay, piece
              delay = delay_between_pieces
            end
          end
        end

        # Seconds between the pieces of one event.
        def delay_between_pieces
          0
        end

        def conclude(response)
          @keep_open ? response.hold : response.finish
        end
      end
    end
  end
end
