# frozen_string_literal: true

module RAAF
  module Streaming
    class CLI
      class Chat
        # Shows on a terminal how long the first token has been waited for, and afterwards how fast the answer was.
        # The line is gone before the first token is written.
        class StatusLine
          # Seconds between two looks at the clock.
          INTERVAL = 0.1
          # Back to the line's beginning, and away with it.
          ERASE = "\r\e[K"

          # @param terminal [IO] a terminal
          def initialize(terminal)
            @terminal = terminal
            @lock = Mutex.new
            @changed = ConditionVariable.new
          end

          # Begins to wait.
          # @return [void]
          def start
            @started = now
            @first = nil
            @tokens = 0
            @label = "waiting"
            @waiting = true
            @thread = Thread.new { show_time }
          end

          # The model has sent reasoning, which is not shown.
          # @return [void]
          def thinking
            @label = "thinking"
          end

          # A piece of the answer is about to be written.
          # @return [void]
          def token
            @tokens += 1
            return if @first

            @first = now
            stop
          end

          # Takes the line away; a second call does nothing.
          # @return [void]
          def stop
            @lock.synchronize do
              return unless @waiting

              @waiting = false
              @changed.signal
            end
            @thread.join
            @terminal.write(ERASE)
          end

          # Writes what the answer's speed was.
          # @param counted [Integer, nil] tokens as the provider counted them; nil: pieces that came
          # @return [void]
          def summary(counted)
            stop
            return unless @first

            tokens = counted || @tokens
            @terminal.write(format("[first token %.2f s, %s%d tokens]\n", @first - @started, speed(tokens), tokens))
          end

          private

          # The first token's time is the wait; the others came after it.
          def speed(tokens)
            seconds = now - @first
            (tokens > 1 && seconds.positive?) ? format("%.1f tokens/s, ", (tokens - 1) / seconds) : ""
          end

          def show_time
            @lock.synchronize do
              while @waiting
                @terminal.write(format("%s%s %.1f s", ERASE, @label, now - @started))
                @changed.wait(@lock, INTERVAL)
              end
            end
          end

          def now
            Process.clock_gettime(Process::CLOCK_MONOTONIC)
          end
        end
      end
    end
  end
end
