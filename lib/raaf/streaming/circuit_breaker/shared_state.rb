# frozen_string_literal: true

require "securerandom"

require_relative "../complaints"
require_relative "../thread_pool"

module RAAF
  module Streaming
    class CircuitBreaker
      # One breaker's side of a {Store}: what it has told, what it has heard, and who waits for an answer.
      #
      # Only threads of a pool ask the store, one at a time for each breaker. Whoever calls waits for the answer, as
      # long as the store's patience goes, and not at all while the store fails or is slow; what comes later is found
      # by the next call. So there are never more than two questions that wait, and no call ever fails by the store.
      #
      # @api private
      class SharedState
        # A question. The answer of :sync is nothing, of :claim whether it is granted; nil: nobody knows.
        Question = Struct.new(:kind, :answer, :answered, :abandoned)
        # A change of ours that the store has not heard of yet.
        Unsent = Struct.new(:id, :by_hand)

        # Seconds for which the right to probe is asked, whatever the timeout.
        LEASE_SECONDS = (1.0..60.0)

        # @param name [String]
        # @param store [Store]
        # @param lease [Float] seconds for which a probe is ours
        # @param local [#call] gives the breaker's state and the seconds that are left
        # @param wake [#call] has the next call come here
        def initialize(name, store, lease:, local:, wake:)
          @name = name
          @store = store
          @lease = lease.clamp(LEASE_SECONDS)
          @local = local
          @wake = wake
          @lock = Mutex.new # covers the rest, but for @seen and @answers, which are the worker's
          @answered = ConditionVariable.new
          @unsent = nil
          @news = nil
          @seen = ""
          @answers = true # whether it did the last time, however slowly
          @complaints = Complaints.new
          begin_here
        end

        # Looks at the store, unless there is something new already.
        #
        # @return [Store::Record, nil] what others have done since
        def news
          waiting = take_news
          return waiting if waiting

          ask(:sync)
          take_news
        end

        # Tells the store what the breaker is like now. What fails is tried again with the next look at the store.
        #
        # @param by_hand [Boolean] whether it holds whatever others have done
        # @return [Store::Record, nil] what others have done since
        def publish(by_hand: false)
          unsent = Unsent.new(SecureRandom.hex(8), by_hand)
          @lock.synchronize { @unsent = unsent }
          ask(:sync)
          take_news
        rescue ThreadError # in a signal's handler
          nil
        end

        # Asks for the right to probe.
        #
        # @return [Boolean, nil] nil: the store does not say
        def claim_probe
          ask(:claim)
        end

        # @return [Store::Record, nil] each only once
        def take_news
          @lock.synchronize { @news.tap { @news = nil } }
        rescue ThreadError # in a signal's handler
          nil
        end

        private

        # Under the lock, or before there is anybody else. A forked child has none of its parent's threads.
        def begin_here
          @pid = Process.pid
          @owner = "#{@pid}-#{SecureRandom.hex(8)}"
          @questions = {}
          @working = false
          @failing = false
        end

        # Where there are no new threads, and in a signal's handler, the breaker does without.
        def ask(kind)
          @lock.synchronize do
            begin_here unless @pid == Process.pid
            question = @questions[kind] ||= Question.new(kind)
            start
            await(question) unless @failing
            question.abandoned = true unless question.answered
            question.answer
          end
        rescue ThreadError
          nil
        end

        # Under the lock.
        def start
          return if @working

          Thread.handle_interrupt(Object => :never) do # never two at work, nor none where one is thought to be
            ThreadPool.stores.post(method(:work))
            @working = true
          end
        end

        # Under the lock, which it gives back meanwhile.
        def await(question)
          deadline = Timers.now + @store.patience
          until question.answered
            left = deadline - Timers.now
            return @failing = true if left <= 0

            @answered.wait(@lock, left)
          end
        end

        # On a thread of the pool.
        def work
          while (question = next_question)
            Thread.handle_interrupt(Object => :immediate) { serve(question) }
          end
        ensure
          @lock.synchronize { @working = false } if @pid == Process.pid
        end

        # What was to be sent while the store was being asked is sent next, though nobody waits for it any more.
        def next_question
          @lock.synchronize do
            @questions[:sync] ||= Question.new(:sync, nil, false, true) if @unsent && @answers
            question = @questions.each_value.first
            @working = false unless question
            question
          end
        end

        def serve(question)
          began = Timers.now
          answer = (question.kind == :claim) ? claim : exchange
          slow = Timers.now - began > @store.patience
          @answers = true
        rescue StandardError, NotImplementedError => e
          slow = true
          @answers = false
          complain(e)
        ensure
          finish(question, answer, slow)
        end

        def finish(question, answer, slow)
          late = @lock.synchronize do
            @questions.delete(question.kind)
            @failing = slow
            question.answer = answer
            question.answered = true
            @answered.broadcast
            question.abandoned && @news
          end
          @wake.call if late
        end

        def exchange
          record = send_unsent || @store.read(@name)
          record ? notice(record) : remind
          nil
        end

        # @return [Store::Record, nil] what the store says to it
        def send_unsent
          unsent = @lock.synchronize { @unsent } or return
          state, seconds = @local.call
          record = write(unsent, state, seconds)
          @lock.synchronize { @unsent = nil if @unsent.equal?(unsent) }
          @seen = unsent.id if record&.id == unsent.id
          record
        end

        # A half-open breaker will open or close soon, and then there is something to be told.
        def write(unsent, state, seconds)
          case state
          when :open then @store.write_open(@name, id: unsent.id, seconds: seconds)
          when :closed then @store.write_closed(@name, id: unsent.id, after: unsent.by_hand ? nil : @seen)
          end
        end

        def notice(record)
          return if record.id == @seen

          @seen = record.id
          @lock.synchronize { @news = record }
        end

        # The store has lost what it knew, or has been away.
        def remind
          state, seconds = @local.call
          return unless state == :open && seconds.positive?

          @seen = SecureRandom.hex(8)
          @store.write_open(@name, id: @seen, seconds: seconds)
        end

        def claim
          send_unsent
          granted, record = @store.claim_probe(@name, known: @seen, owner: @owner, seconds: @lease)
          notice(record) if record
          granted
        end

        def complain(error)
          @complaints.add do
            "the store of the circuit breaker #{@name} failed (#{error.class}: #{Secrets.redact(error.message)}); " \
              "the breaker goes on by itself"
          end
        end
      end
    end
  end
end
