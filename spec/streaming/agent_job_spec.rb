# frozen_string_literal: true

require "active_job"
require "raaf/streaming/rails/agent_job"
require "raaf/streaming/rails/agent_service"
require "raaf/streaming/rails/departures"

# With the real ActiveJob, and no Rails.
RSpec.describe RAAF::Streaming::AgentJob do
  include_context "with a model server"

  let(:base) do
    Class.new(ActiveJob::Base) do
      include RAAF::Streaming::AgentJob

      self.queue_adapter = :test
      self.logger = nil
    end
  end
  # What a job has seen while it ran.
  let(:seen) { Queue.new }
  let(:origin_class) { RAAF::Streaming::Origin }

  # A job of the guide's parameters, in a queue of the guide's.
  def job_class(name = "ChatJob", &body)
    seen = self.seen
    stub_const(name, Class.new(base) do
      queue_as :streaming
      define_method(:seen) { seen }
      class_eval(&body || ->(_) { def perform(user_id, message, session_id, context = {}) = look })
      def look
        origin = RAAF::Streaming::Origin.current
        seen << %i[stream_id request_id session_id user_id attempt].to_h { |name| [name, origin.public_send(name)] }
          .merge(owner: origin.owner)
      end
    end)
  end

  def enqueued
    base.queue_adapter.enqueued_jobs
  end

  # What a worker does with a job, from what stands in the queue.
  def work_off(data = enqueued.last)
    ActiveJob::Base.execute(JSON.parse(JSON.generate(data.except(:job, :args, :queue, :priority, :at))))
  end

  def with_store
    store = RAAF::Streaming::ReplayStore::MemoryStore.new
    RAAF::Streaming.configure { |config| config.replay_store = store }
    yield store
  ensure
    RAAF::Streaming.reset_configuration!
  end

  describe "where the streams come from" do
    it "says it by the job's id and the names of perform's parameters" do
      job = job_class.perform_later(7, "Hello", "s1", {"page" => 1})
      work_off

      expect(seen.pop).to include(stream_id: "job_#{job.job_id}", session_id: "s1", user_id: 7, attempt: 1,
        request_id: nil)
    end

    it "finds them whatever their kind and place" do
      record = stub_const("Person", Struct.new(:id))
      in_the_middle = "def perform(user_id, other = nil, session_id) = look"
      keywords = Hash.ruby2_keywords_hash({user_id: 3, session_id: 9})
      bodies = [
        [[1, 2], ->(_) { def perform(message, user_id) = look }, [2, nil]],
        [[1], ->(_) { def perform(message, user_id = 5) = look }, [nil, nil]],
        [[1, 2], ->(_) { def perform(user_id, *rest) = look }, [1, nil]],
        # Ruby gives the required ones theirs first.
        [[1, "s"], ->(_) { class_eval(in_the_middle, __FILE__, __LINE__) }, [1, "s"]],
        [[keywords], ->(_) { def perform(user_id:, session_id: nil) = look }, [3, "9"]],
        [[{"user_id" => 3}], ->(_) { def perform(user_id) = look }, [{"user_id" => 3}, nil]],
        [[record.new(4)], ->(_) { def perform(user) = look }, [4, nil]],
        [[], ->(_) { def perform = look }, [nil, nil]]
      ]
      found = bodies.map do |arguments, body, _|
        job_class(&body).new(*arguments).perform_now
        seen.pop.values_at(:user_id, :session_id)
      end
      expect(found).to eq(bodies.map(&:last))
    end

    it "finds them where a module that takes anything is prepended to the job" do
      tracer = Module.new { def perform(*, **) = super }
      job_class.tap { |type| type.prepend(tracer) }.new(7, "Hello", "s1").perform_now
      expect(seen.pop).to include(user_id: 7, session_id: "s1")
    end

    it "gives the stream of a job the id that the browser knows, where its request has enqueued it" do
      origin = origin_class.new(stream_id: "9b2f", request_id: "r1", user_id: 7, session_id: "s0")
      origin_class.within(origin) do
        job_class { def perform = look }.perform_later
        job_class { def perform = look }.perform_later
      end
      enqueued.each { |data| work_off(data) }

      expect([seen.pop, seen.pop]).to match([
        include(stream_id: "9b2f", request_id: "r1", user_id: 7, session_id: "s0"),
        include(stream_id: "9b2f-2", request_id: "r1", user_id: 7, session_id: "s0")
      ])
    end

    it "leaves that id to a stream where the job goes to another queue, unless it says otherwise" do
      origin = origin_class.new(stream_id: "9b2f", request_id: "r1")
      other = job_class("AuditJob") do
        queue_as :default
        def perform(user_id) = look
      end
      mine = job_class("OtherJob") do
        queue_as :default
        def perform = look
        def streams? = true
      end
      origin_class.within(origin) { [other.perform_later(1), mine.perform_later] }
      enqueued.each { |data| work_off(data) }

      expect([seen.pop, seen.pop].map { |one| one.values_at(:stream_id, :request_id) })
        .to match([[/\Ajob_/, "r1"], %w[9b2f r1]])
    end

    it "keeps the id when the job is run again, with another owner" do
      origin_class.within(origin_class.new(stream_id: "9b2f", request_id: "r1")) { job_class.perform_later(7, "", "s") }
      2.times { work_off }
      runs = [seen.pop, seen.pop]
      expect(runs.map { |run| run.values_at(:stream_id, :attempt) }).to eq([["9b2f", 1], ["9b2f", 1]])
      expect(runs.map { |run| run[:owner] }.uniq.size).to eq(2)
    end

    it "counts the runs that ActiveJob knows of, in the same stream" do
      job_class do
        retry_on IOError, wait: 0, attempts: 3
        def perform
          look
          raise IOError if executions < 2
        end
      end.perform_later
      work_off
      work_off
      expect([seen.pop, seen.pop].map { |run| run[:attempt] }).to eq([1, 2])
      expect(enqueued.map { |data| data["raaf"]["stream_id"] }.uniq.size).to eq(1)
    end

    it "carries nothing that a queue could not keep" do
      type = job_class { def perform = look }
      origin_class.within(origin_class.new(user_id: Object.new, session_id: "s")) { type.perform_later }
      expect(enqueued.last["raaf"].keys).to contain_exactly("session_id", "stream_id")
      work_off
      expect(seen.pop).to include(user_id: nil, session_id: "s")
    end

    it "has the store wait for the stream, by all that it is looked for, from the moment it is in the queue" do
      with_store do |store|
        origin = origin_class.new(stream_id: "9b2f", request_id: "r1")
        origin_class.within(origin) { job_class.perform_later(7, "", "s") }
        expect(store.state_of("9b2f")).to eq(:waiting)
        expect(store.keys_of("9b2f")).to contain_exactly("request:r1", "session:s", "user:7")
        job_class("AuditJob") { queue_as :default }.perform_later
        expect(%w[user:7 session:s].map { |key| store.streams_of(key) }).to eq([["9b2f"], ["9b2f"]])
      end
    end

    it "has nobody wait for a job that has failed before it began a stream, but where it is tried again" do
      with_store do |store|
        job_class do
          retry_on IOError, wait: 0, attempts: 2
          def perform = raise(IOError)
        end.perform_later
        id = enqueued.last["raaf"]["stream_id"]
        work_off
        expect(store.state_of(id)).to eq(:waiting)
        expect { work_off }.to raise_error(IOError)
        expect(store.state_of(id)).to eq(:finished)
      end
    end

    it "keeps no stream alive that the job has let go of" do
      with_store do |store|
        server.script(**no_answer)
        runner = self.runner
        job_class { define_method(:perform) { runner.stream("Hi") && nil } }.perform_later
        Thread.new { work_off }.join # no stack of ours has it
        server.wait_for_request
        eventually { GC.start || store.state_of(enqueued.last["raaf"]["stream_id"]) == :finished }
        server.wait_for_close(server.requests.first)
      end
    end

    it "performs jobs that were enqueued before there was any of this" do
      job_class.perform_later(7, "Hello", "s1")
      work_off(enqueued.last.except("raaf"))
      expect(seen.pop).to include(stream_id: /\Ajob_/, user_id: 7)
    end

    it "holds on the threads of the async adapter too, and only while the job runs" do
      adapter = ActiveJob::QueueAdapters::AsyncAdapter.new(max_threads: 1)
      type = job_class { def perform(user_id) = user_id ? look : seen << origin_class }
      type.queue_adapter = adapter
      type.perform_later(7)
      expect(seen.pop).to include(user_id: 7)
      expect(RAAF::Streaming::Origin.current).to be_nil
    ensure
      adapter&.shutdown
    end
  end

  describe "priorities" do
    it "have names, as the guide's AsyncAgentService uses them, and numbers" do
      numbers = [:high, :normal, :low, 3].map do |priority|
        job_class.set(priority: priority).perform_later(1, "", "s").priority
      end
      expect(numbers).to eq([-10, 0, 10, 3])
      expect(enqueued.map { |data| data["priority"] }).to eq(numbers)
    end

    it "may be the class's own" do
      type = job_class { queue_with_priority :low }
      type.stream_priorities = {low: 1000}
      expect(type.new.priority).to eq(1000)
      expect(base.stream_priorities[:low]).to eq(10)
    end

    it "that nobody knows are refused" do
      expect { job_class.set(priority: :urgent).perform_later(1, "", "s") }
        .to raise_error(ArgumentError, "no priority is called :urgent: there are :high, :normal, :low, and numbers")
      expect(enqueued).to be_empty
    end
  end

  describe "who answers" do
    let(:user) { Struct.new(:id, :name).new(7, "Ann") }
    let(:job) { job_class.new }

    it "is the agent of the application's AgentService, which takes over nothing of the user's" do
      stub_const("AgentService", Class.new(RAAF::Streaming::AgentService) do
        private

        def build_agent
          RAAF::Agent.new(name: "A", instructions: "For #{user.name} in #{session_id.class}", model: "gpt-4o")
        end
      end)
      stream = RAAF::Streaming::AsyncRunner.new(agent: RAAF::Agent.new(name: "B", model: "m",
        provider: RAAF::Testing::MockProvider.new)).stream("Hi")
      allow(stream).to receive(:finished?).and_return(false)
      RAAF::Streaming::Departures.leave(user, [stream], 60)

      expect(job.send(:build_agent_for_user, user).instructions).to eq("For Ann in String")
      expect(RAAF::Streaming::Departures.size).to eq(1)
    ensure
      RAAF::Streaming::Departures.come_back(user)
    end

    it "is the one of an AgentService that is all the application's own" do
      stub_const("AgentService", Class.new do
        def initialize(user:) = @user = user

        private

        def build_agent = "for #{@user.name}"
      end)
      expect(job.send(:build_agent_for_user, user)).to eq("for Ann")
    end

    it "is unknown where there is none" do
      expect { job.send(:build_agent_for_user, user) }
        .to raise_error(RAAF::Errors::ConfigurationError, /Define build_agent_for_user\(user\) in ChatJob, or have/)
      stub_const("AgentService", Class.new)
      expect { job.send(:build_agent_for_user, user) }.to raise_error(RAAF::Errors::ConfigurationError)
    end
  end
end
