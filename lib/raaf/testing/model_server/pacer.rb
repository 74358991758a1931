# frozen_string_literal: true

module RAAF
  module Testing
    class ModelServer
      # One thread that writes all unscripted answers, each at its own pace. A thread of its own for each
      # would cost a wake-up a token: 1,000 answers then came at a third of their pace.
      class Pacer
        # Seconds; what is due within one tick is written together.
        TICK = 0.002

        # @param journal [Journal] gets what goes wrong
        def initialize(journal)
          @journal = journal
          @lock = Mutex.new
          @arrived = ConditionVariable.new
          @arrivals = []
          @wheel = {} # tick => streams that are due in it; pacer thread only
          @stopping = false
        end

        # Any thread: takes a stream over.
        # @param stream [PacedStream]
        # @return [void]
        def add(stream)
          @lock.synchronize do
            @arrivals << stream
            @thread ||= Thread.new { run }
            @arrived.signal
          end
        end

        # Any thread. Streams that are under way get nothing more.
        # @param timeout [Numeric] seconds
        # @return [void]
        def stop(timeout)
          thread = @lock.synchronize do
            @stopping = true
            @arrived.signal
            @thread
          end
          thread&.join(timeout)
        end

        private

        def run
          Thread.current.name = "raaf-model-pacer"
          @tick = tick(Clock.now)
          until @stopping
            take_arrivals
            pass_ticks
          end
        end

        # With nothing to write the thread sleeps until a stream comes; else until the next tick begins.
        def take_arrivals
          arrivals = @lock.synchronize do
            @arrived.wait(@lock, pause) if @arrivals.empty? && !@stopping
            @arrivals.tap { @arrivals = [] }
          end
          now = Clock.now
          arrivals.each { |stream| step(stream, now, :begin) }
        end

        def pause
          return nil if @wheel.empty?

          [((@tick + 1) * TICK) - Clock.now, 0.0001].max
        end

        def pass_ticks
          present = tick(Clock.now)
          while @tick < present
            @tick = @wheel.empty? ? present : @tick + 1
            @wheel.delete(@tick)&.each { |stream| step(stream, Clock.now, :advance) }
          end
        end

        def step(stream, now, message)
          due = stream.public_send(message, now)
          (@wheel[[tick(due), @tick].max + 1] ||= []) << stream if due # never in a tick that is being gone through
        rescue => e
          @journal.add_error(e)
          stream.fail
        end

        def tick(time)
          (time / TICK).floor
        end
      end
    end
  end
end
