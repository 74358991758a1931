# frozen_string_literal: true

module RAAF
  module Streaming
    class ChannelControl
      # Gives a browser what it has missed: of streams that it knows, of those that run now, and where it asks for them
      # of those that have just ended. Frames go the same way as if they had been broadcast this moment; their numbers
      # tell the browser which of them it has.
      #
      # @api private
      class Resume
        # Frames read at once.
        BATCH = 100
        # What is sent in one answer, at most, of all streams: 4 MiB. The browser asks again for the rest.
        MOST_BYTES = 4 * 1024 * 1024
        # Streams that run and that the browser does not know, at most; the newest.
        MOST_FOUND = 20
        # Streams that have ended and that the browser does not know, at most; the newest. They are for a page that was
        # loaded anew while its answer came to the end.
        MOST_ENDED = 5
        private_constant :BATCH, :MOST_BYTES, :MOST_FOUND, :MOST_ENDED

        # @param store [ReplayStore]
        # @param control [ChannelControl]
        def initialize(store, control)
          @store = store
          @control = control
          @left = MOST_BYTES
        end

        # Sends it.
        #
        # @param wanted [Wanted]
        # @return [Hash{String=>Hash}] how it is with each stream
        # @raise [Errors::StoreUnavailableError]
        def run(wanted)
          known = wanted.streams.to_a + find(wanted).map { |id| [id, nil] }
          known.to_h { |id, what| [id, of_stream(id, what)] }
        end

        private

        def find(wanted)
          running = streams - wanted.streams.keys
          ended = wanted.recent? ? streams(recent: true) - running - wanted.streams.keys : []
          ended.last(MOST_ENDED) + running.last(MOST_FOUND)
        end

        def streams(**which)
          @control.places.names.flat_map { |place| @store.streams_of("place:#{place}", **which) }.uniq
        end

        # The state first: a stream that ends while its frames are read is told to run, and its end comes by itself.
        def of_stream(id, known)
          state = @store.state_of(id) or return unknown(id) # one question for a name that a browser has made up
          whose = Whose.new(id, @store.keys_of(id))
          sent = @control.places.names.filter_map { |place| of_place(whose, place, known) }
          return unknown(id) if sent.empty? && !told?(whose)

          attend(whose) if state == :running
          {state: state.to_s, attempt: sent.map(&:attempt).max || known&.attempt || 0,
           last: sent.map(&:last).max || 0, request_id: request_of(whose), error: error(state, whose, sent)}.compact
        end

        # Also where nothing is kept of what was sent: a stream has more places than the store keeps frames for.
        def told?(whose)
          here = whose.places & @control.places.names
          [*here, nil].any? { |place| @control.may?(:resume, whose.stream(place)) }
        end

        def unknown(id)
          {state: @control.performing?(id) ? "waiting" : "unknown", attempt: 0, last: 0}
        end

        # @return [ReplayStore::Reading, nil] nil: nothing was sent there, or not for this user
        def of_place(whose, place, known)
          reading = read(whose.id, place, known&.seq || 0, known&.attempt)
          return if reading.nil? || reading.last.zero? || !@control.may?(:resume, whose.stream(place))

          reading = from_checkpoint(whose.id, place, reading) if reading.gap?
          hand_on(whose.id, place, reading)
        end

        def read(id, place, after, attempt)
          @store.read(id, place: place, after: after, attempt: attempt, limit: BATCH)
        end

        def hand_on(id, place, reading)
          loop do
            reading.frames.each { |frame| send_frame(id, frame) }
            return reading unless reading.more? && @left.positive?

            reading = read(id, place, reading.frames.last.seq, reading.attempt) or return reading
          end
        end

        def send_frame(id, frame)
          return unless @left.positive?

          @left -= frame.data.bytesize
          @control.places.hand_on(frame)
        end

        # The last frame of a stream is sent in any case, since pages wait for it: it adds nothing to the text.
        #
        # @return [ReplayStore::Reading] of what comes after the checkpoint; the same, where there is none
        def from_checkpoint(id, place, reading)
          checkpoint = @store.checkpoint(id, place: place)
          @lost = checkpoint.nil?
          return reading if checkpoint.nil? || !ahead?(checkpoint, reading)

          after = checkpoint.seq - 1
          last = read(id, place, after, checkpoint.attempt)
          after += 1 unless last&.frames&.first&.terminal?
          tell_checkpoint(id, checkpoint, after)
          read(id, place, after, checkpoint.attempt) || reading
        end

        # Of what has ended the browser may know more than the store, which has lost the rest.
        def ahead?(checkpoint, reading)
          checkpoint.attempt != reading.attempt || checkpoint.seq > reading.after
        end

        def tell_checkpoint(id, checkpoint, seq)
          @left -= checkpoint.text.bytesize
          @control.transmit(type: "raaf_checkpoint", text: checkpoint.text,
            raaf: {stream_id: id, attempt: checkpoint.attempt, seq: seq})
        end

        # Who has left it in another process has come back.
        def attend(whose)
          Departures.attend(@store, whose.id) if @control.own?(whose.stream)
        end

        # A request's name is its user's.
        def request_of(whose)
          whose.request_id if @control.own?(whose.stream)
        end

        def error(state, whose, sent)
          lost, @lost = @lost, nil
          return "A part of the answer was lost." if lost

          "The question was not answered." if state == :finished && sent.empty? && whose.places.empty?
        end
      end
    end
  end
end
