# frozen_string_literal: true

require_relative "../chunk"

module RAAF
  module Streaming
    class Stream
      # What follows when a native stream has ended: the run's last chunk, another call to the model, tools and then
      # another call, or another attempt in place of one that failed. A part of {Stream}; whoever takes the chunks runs
      # it.
      #
      # @api private
      module Settling
        private

        # @param terminal [Chunk] the native stream's last, not frozen
        # @return [Chunk, nil] what to hand over: the run's last chunk, or the notice that it goes on after a redirect
        #   or a failure; nil: its tools run now
        def settle(terminal)
          error = native_error
          @run.call.ended(error)
          turn = @run.tool_turn(native) unless error || finished?
          step = @run.next_step(native, error) if error && !interrupted?
          message = take_redirect(closing: turn.nil? && step.nil?)
          return begin_tools(turn, terminal.seq) if turn && !message
          return try_again(step, terminal.seq) if step && !message

          step&.call&.give_back
          return redirected(message, terminal.seq) if message

          (error || finished?) ? failed(terminal, error) : complete(terminal)
        rescue *FAILURES => e
          failed(terminal, e)
        end

        def delivered
          native.delivered_text
        end

        # @return [Exception, nil] why the native stream has failed; nil: it ended well. Whoever would ask again, and
        #   was cancelled before he could, was cancelled
        def native_error
          return if native.outcome[:code] == :ok
          return cancelled_error if @live.cancelled? && (@run.recovery || @live.reason == :superseded)

          @run.call.error(native.outcome, delivered)
        end

        def cancelled_error
          message = "another run of the same stream has taken its place" if @live.reason == :superseded
          Errors::CancelledError.new(message, reason: @live.reason, partial_text: delivered)
        end

        # @return [String, Array<Hash>, nil] what the user said meanwhile; nil: nothing, and from now on it is too late
        #   where this is the end
        def take_redirect(closing:)
          @lock.synchronize do
            message = @redirect unless @live.cancelled? || finished?
            @redirect = nil
            @closing = closing unless message
            message
          end
        end

        # Without the lock while the question is written: the agent's own code does that.
        def redirected(message, seq)
          said = delivered
          turn = @tools
          run_tools(nil)
          go_on(@run.redirected(native, turn, message), seq + 1)
          @delivery&.begin_anew(seq)
          own_chunk(:status, seq, status: :redirected, cumulative: said)
        end

        # @param following [ModelCall]
        # @param seq [Integer] number of its first chunk
        # @param before [NativeStream, nil] whose text it goes on with
        def go_on(following, seq, before = nil)
          replace(following, following.prepare(seq, before))
        end

        # What was asked for meanwhile holds for the new request too.
        def replace(following, native)
          @lock.synchronize do
            before = [@run.call, @native] #: [ModelCall, NativeStream]
            @run.go_on(following)
            @native = native # before it runs, so that whoever is interrupted then ends it
            begin
              following.start(native, @live)
            rescue
              following.give_back
              native.cancel
              @run.go_on(before.first)
              @native = before.last
              raise
            end
            native.interrupt if @redirect
            native.cancel if @live.cancelled? || finished?
          end
        end

        # ---- another attempt ----

        # @param step [Resilience::Step]
        # @param seq [Integer] number of the next chunk, which announces it
        def try_again(step, seq)
          said = delivered
          replace(step.call, step.native)
          @run.started(step)
          announce_reset(seq + 1, said) if step.reset?
          own_chunk(:error, seq, cumulative: said, **step.announcement)
        end

        def announce_reset(seq, said)
          @delivery&.begin_anew(seq)
          @notice = own_chunk(:status, seq, status: :reset, cumulative: said)
        end

        # @return [Chunk, nil] what follows the chunk that was handed over last, before anything of the native stream
        def take_notice
          notice = @notice
          @notice = nil
          notice
        end

        # ---- tools ----

        # @param seq [Integer] number of the next chunk: the native stream's last one is not handed over
        def begin_tools(turn, seq)
          @seq = seq
          run_tools(turn)
          turn.start(carried_by_tools) { Dispatcher.poke(native) if @callbacks } unless interrupted?
          nil
        end

        # @param turn [Tool::Turn, nil] nil: none run any longer
        def run_tools(turn)
          @tools = turn
          @live.tools = turn
        end

        # Whoever waits for tools looks round. Any thread.
        def wake_tools
          tools = @tools or return
          tools.wake
          Dispatcher.poke(native) if @callbacks
        end

        # Whether the tools are waited for no longer.
        def interrupted?
          @live.cancelled? || @redirect || finished?
        end

        # Takes what the tools come to, and waits for it; then goes on.
        #
        # @yieldparam chunk [Chunk]
        # @return [Chunk, nil, false] as {settle}; false: the time is over
        def take_tools(deadline, &block)
          tools = @tools or return
          until tools.settled? || interrupted?
            left = deadline && (deadline - now)
            outcome = Streaming.while_waiting { tools.take(left) }
            next tool_chunks(outcome).each(&block) if outcome
            return false if left && left <= 0
          end
          leave_tools(tools)
        end

        # As {take_tools}, without waiting.
        #
        # @return [Boolean] whether all of them have come to an end
        def take_tools_now(&block)
          tools = @tools or return false
          while (outcome = tools.take_now)
            tool_chunks(outcome).each(&block)
          end
          tools.settled? || interrupted?
        end

        def leave_tools(tools)
          message = take_redirect(closing: false)
          return redirected(message, @seq) if message

          run_tools(nil)
          if @live.cancelled? || finished?
            tools.abandon
            return failed(last_chunk, cancelled_error)
          end

          go_on(@run.after_tools(native, tools), @seq, native)
          nil
        rescue *FAILURES => e
          failed(last_chunk, e)
        end

        def tool_chunks(outcome)
          call = outcome.call
          about = {tool_name: call[:name], tool_id: call[:id], tool_index: call[:index]}
          return [handoff_chunk(outcome.agent, about)] if outcome.agent

          error = outcome.error
          chunks = []
          chunks << malformed_chunk(call, error, about) if outcome.malformed?
          told = error ? {error: error.message, exception: error} : {}
          chunks << next_chunk(:tool_result, **about, result: error ? outcome.text : outcome.value, **told)
        end

        def handoff_chunk(agent, about)
          next_chunk(:handoff, **about, handoff: agent.name, metadata: {from: @run.call.agent.name, to: agent.name})
        end

        # The run goes on: the model is told, and can mend it.
        def malformed_chunk(call, error, about)
          next_chunk(:error, **about, delta: error.message, error: error.message, exception: error, terminal: false,
            metadata: {raw_arguments: call[:raw_arguments]})
        end

        def next_chunk(type, **attributes)
          chunk = own_chunk(type, @seq, cumulative: delivered, **attributes)
          @seq += 1
          chunk
        end

        def last_chunk
          Chunk.new(type: :error, seq: @seq, cumulative: delivered, **@run.context.chunk_attributes)
        end

        def own_chunk(type, seq, **attributes)
          Chunk.new(type: type, seq: seq, **@run.context.chunk_attributes, **attributes).freeze
        end

        # ---- the end ----

        def complete(terminal)
          result = @run.result(native, delivered)
          keep_answer(result)
          terminal.final_response = result.final_output
          terminal.usage = result.usage
          terminal.finish_reason = result.finish_reason
          finish(result: result)
          terminal.freeze
        end

        # An answer that was not kept would be missing from the conversation without a word.
        def keep_answer(result)
          @run.keep(native, result.messages.last)
        rescue *FAILURES => e
          raise Errors::Error.new("the answer could not be kept in the conversation store: #{e.message} (#{e.class})",
            partial_text: delivered)
        end

        def failed(terminal, error)
          keep_what_was_said unless finished?
          finish(error: error, result: (@run.failed_result(native, error) if error))
          error = @error # somebody may have given it up meanwhile
          @run.last_words(native, error).each { |name, value| terminal.public_send(:"#{name}=", value) }
          terminal.type = :error
          terminal.error = terminal.delta
          terminal.exception = error
          terminal.freeze
        end

        # A store that fails shall not hide why the run has failed.
        def keep_what_was_said
          @run.keep(native)
        rescue *FAILURES => e
          log("the conversation of stream #{id} could not be kept: #{e.class}: #{e.message}")
        end

        # At most once.
        def finish(result: nil, error: nil)
          @lock.synchronize { finish_under_lock(result: result, error: error) unless finished? }
          report
        end

        # Whoever is interrupted in between has not finished it yet, and leaves it by doing all of this once more.
        def finish_under_lock(result: nil, error: nil)
          @live.over
          @tools&.abandon
          @result = result
          @error = error
          count_end
          @finished = true
          @ended.broadcast
        end

        def count_end
          record = @record or return
          case @error
          when nil then record.completed
          when Errors::CancelledError then record.cancelled
          else record.failed(@error.class.name.to_s.delete_prefix("RAAF::Errors::"))
          end
        end
      end
    end
  end
end
