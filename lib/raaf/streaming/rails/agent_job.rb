# frozen_string_literal: true

require "active_support/concern"
require "securerandom"
require_relative "../origin"
require_relative "job_arguments"
require_relative "job_shutdown"

module RAAF
  module Streaming
    # Makes jobs whose streams can be found again, for ApplicationJob; jobs that stream nothing are not changed by it.
    # The generator includes it, and with it the guide's StreamingAgentJob and AsyncAgentService work as they stand.
    #
    # - *Streams have ids that stay the same* when the job is run again: that of the request that has enqueued the job,
    #   where it was a channel's action (the browser knows it from the acknowledgement) and the job {#streams?}; else
    #   `job_<job id>`. Another run makes a new attempt, whose text replaces the older one's in the browser.
    # - *They say whose they are*: session and user are taken from the arguments of `perform` that are called
    #   `session_id`, `user_id` or `user`; where there are none, from the request that has enqueued the job.
    # - *Priorities have names*: `set(priority: :high)`, see {PRIORITIES}.
    # - {#build_agent_for_user} is there.
    # - *A worker that is shut down in mid-answer hands the job back*: the browser is told that it waits, the provider's
    #   connection is closed, and the next run begins the answer anew. Sidekiq interrupts the job and puts it back
    #   itself, and so does Delayed Job with `raise_signal_exceptions`. Of Solid Queue, which would end the process
    #   without a word, the jobs are interrupted two seconds before (`config.solid_queue.shutdown_timeout`, 5 s where
    #   nothing is said), and enqueued again. A job that nobody interrupts, since its process or its thread was killed,
    #   leaves a stream that is `:abandoned` when the process is gone ({ReplayStore#state_of}), and the browser says so.
    #
    # *Errors.* A job with a `rescue => e`, as the guide's, handles its errors itself: ActiveJob sees none, and
    # `retry_on` does nothing. What could be tried again can be seen in the `:error` chunk ({Chunk#retry_after},
    # {Chunk#exception}, whose {Errors::Error#retryable?} says whether it makes sense). A job that shall be run again
    # raises the error:
    #
    # @example A job that is tried again when the provider is too busy
    #   class StreamingAgentJob < ApplicationJob
    #     retry_on RAAF::Errors::RateLimitError, attempts: 3,
    #       wait: ->(executions) { 10 * executions }
    #
    #     def perform(user_id, message, session_id)
    #       …
    #     rescue RAAF::Errors::RateLimitError
    #       raise
    #     rescue => e
    #       broadcast_error(user_id, session_id, e.message)
    #     end
    #   end
    module AgentJob
      extend ActiveSupport::Concern

      # The queues that the guide's AsyncAgentService chooses from.
      QUEUES = %i[priority_streaming streaming batch_streaming].freeze

      # What the names of priorities stand for. Change it with `self.stream_priorities = {…}`.
      #
      # What a number means is the adapter's: in ActiveJob a lower one comes first (activejob, core.rb: "lower is more
      # priority").
      #
      # - Solid Queue: the smaller the earlier, 0 where there is none, and only among jobs of one queue, or where the
      #   worker takes all queues ("*"); the order of a worker's queues goes before (README, "Queue order and
      #   priorities").
      # - Delayed Job: the smaller the earlier, 0 where there is none (README, "Priority").
      # - Backburner hands the number to beanstalkd, which knows none below 0: give others there (activejob,
      #   backburner_adapter.rb, `pri:`; beanstalkd's doc/protocol.txt: 0 to 4,294,967,295, the smaller the earlier).
      # - Sidekiq, Resque, Sneakers know priorities of queues only, and async, queue_classic and Sucker Punch none: they
      #   pay no attention to it (activejob, queue_adapters.rb, the table "Backends Features").
      #
      # So it is the queue that decides everywhere, and AsyncAgentService chooses one by the same priority.
      PRIORITIES = {high: -10, normal: 0, low: 10}.freeze

      # What of a request travels with a job.
      CARRIED = %w[request_id session_id user_id].freeze
      private_constant :CARRIED

      included do
        class_attribute :stream_priorities, default: PRIORITIES

        around_perform { |job, perform| job.__send__(:raaf_perform, perform) }
        after_enqueue { |job| job.__send__(:raaf_await) }
        # ActiveJob 7.1 or newer.
        after_discard { |job, error| job.__send__(:raaf_discard, error) } if respond_to?(:after_discard)
      end

      # @param options [Hash{Symbol=>Object}] as ActiveJob has it; a priority may be one of {PRIORITIES}' names
      # @return [self]
      # @raise [ArgumentError] for a name that is none
      def set(options = {})
        options = options.merge(priority: raaf_number(options[:priority])) if options[:priority].is_a?(Symbol)
        super
      end

      # @return [Integer, nil] also where the class gives it by name (`queue_with_priority :low`)
      def priority
        raaf_number(super)
      end

      # Whether this job answers the request that has enqueued it. Override it for one that does in another queue.
      #
      # @return [Boolean] whether it goes to one of {QUEUES}
      def streams?
        QUEUES.any? { |queue| self.class.queue_name_from_part(queue) == queue_name }
      end

      # @return [Hash{String=>Object}] ActiveJob's, with `"raaf"`: the stream's id, and the request's
      # @api private
      def serialize
        super.merge("raaf" => raaf_data)
      end

      # @param job_data [Hash{String=>Object}]
      # @return [void]
      # @api private
      def deserialize(job_data)
        super
        data = job_data["raaf"]
        @raaf_data = data if data.is_a?(Hash)
        @raaf_queued = true
      end

      private

      # Who answers this user: override it, or have an AgentService, whose agent it is.
      #
      # @param user [Object] the application's
      # @return [Agent]
      # @raise [Errors::ConfigurationError] where there is no AgentService with a `build_agent`
      def build_agent_for_user(user)
        service = "AgentService".safe_constantize
        return service.agent_for(user) if service.respond_to?(:agent_for)
        if service && (service.method_defined?(:build_agent) || service.private_method_defined?(:build_agent))
          return service.new(user: user).__send__(:build_agent)
        end

        raise Errors::ConfigurationError, "who answers? Define build_agent_for_user(user) in #{self.class.name}, or " \
                                          "have an AgentService with a method build_agent (rails generate " \
                                          "raaf:streaming:install makes one)"
      end

      def raaf_number(priority)
        return priority unless priority.is_a?(Symbol)

        stream_priorities.fetch(priority) do
          raise ArgumentError, "no priority is called #{priority.inspect}: there are " \
                               "#{stream_priorities.keys.map(&:inspect).join(", ")}, and numbers"
        end
      end

      # Taken once, so that the job is the same stream whenever it is run.
      def raaf_data
        @raaf_data ||= begin
          origin = Origin.current
          data = CARRIED.to_h { |name| [name, origin&.public_send(name)] }
          data.keep_if { |_, value| value.is_a?(String) || value.is_a?(Integer) } # what any queue keeps as it is
          data.merge("stream_id" => (origin.take_id if origin&.request_id && streams?) || "job_#{job_id}")
        end
      end

      # @return [Hash{Symbol=>Object}] session_id and user_id
      def raaf_whose
        named = JobArguments.of(self)
        user = named[:user]
        {session_id: named[:session_id] || raaf_data["session_id"],
         user_id: named[:user_id] || (user.id if user.respond_to?(:id)) || raaf_data["user_id"]}
      end

      def raaf_origin
        Origin.new(stream_id: raaf_data["stream_id"], request_id: raaf_data["request_id"],
          attempt: [executions.to_i, 1].max, owner: "#{job_id}/#{SecureRandom.hex(4)}", **raaf_whose)
      end

      def raaf_perform(perform)
        origin = raaf_origin
        JobShutdown.allow { Origin.within(origin, &perform) }
        raaf_finish(origin)
      rescue SignalException => e
        raise unless @raaf_queued # whoever has called perform_now calls nobody back

        origin.hand_back
        raise unless e.is_a?(JobShutdown::Shutdown)

        retry_job
      ensure
        origin&.let_go
      end

      # Of a job that has come to its end the stream is waited for no longer, though it may not have begun.
      def raaf_finish(origin)
        last = origin.last
        return (last.over unless last.stream) if last # there was none, but something was said about it

        Streaming.configuration.replay_store&.finish(origin.stream_id, attempt: origin.attempt) if streams?
      end

      # An error has ended the job for good, as far as ActiveJob knows: nobody waits any longer for a stream that has
      # not begun. Where the queue itself runs the job again, that is another attempt.
      def raaf_discard(error)
        store = Streaming.configuration.replay_store
        return unless store && streams? && error.is_a?(StandardError)
        return unless store.state_of(raaf_data["stream_id"]) == :waiting

        store.finish(raaf_data["stream_id"], attempt: [executions.to_i, 1].max)
      rescue Errors::StoreUnavailableError
        nil
      end

      # From now on the stream is known, and waited for. A job that enqueues itself again has done so before.
      def raaf_await
        return unless successfully_enqueued? && streams? && !@raaf_queued

        whose = {"request" => raaf_data["request_id"], "session" => raaf_whose[:session_id],
                 "user" => raaf_whose[:user_id]}.compact
        Streaming.configuration.replay_store&.await(raaf_data["stream_id"],
          keys: whose.map { |name, id| "#{name}:#{id}" })
      end
    end
  end
end
