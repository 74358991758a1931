# frozen_string_literal: true

# What the specs of circuit breakers share.
module CircuitBreakers
  # A clock that goes on only when it is told to.
  class StoppedClock
    # @return [Float]
    attr_reader :seconds

    def initialize(seconds = 1000.0)
      @seconds = seconds
    end

    def call
      @seconds
    end

    # @return [self]
    def advance(seconds)
      @seconds += seconds
      self
    end
  end

  # What the blocks of these specs raise.
  class Broken < StandardError; end

  # Calls that fail.
  def fail_in(breaker, times = 1)
    times.times do
      breaker.call { raise Broken, "out of order" }
    rescue Broken
      nil
    end
  end

  # @return [RAAF::Errors::CircuitOpenError, nil] with which a call is refused; nil: it is let through
  def refusal_of(breaker)
    breaker.call { nil }
    nil
  rescue RAAF::Errors::CircuitOpenError => e
    e
  end
end

# What the specs of stores share.
module CircuitBreakers
  # Seconds that a breaker waits for a store that answers: more than any example may take.
  PATIENCE = 600

  # A store in this process.
  class MemoryStore < RAAF::Streaming::CircuitBreaker::Store
    def initialize(refresh: 0, patience: PATIENCE)
      super
      @lock = Mutex.new
      @records = {}
      @probes = {}
    end

    def read(name)
      @lock.synchronize { known(name) }
    end

    def write_open(name, id:, seconds:)
      @lock.synchronize { write(name, [id, :open, now + seconds]) }
    end

    def write_closed(name, id:, after:)
      @lock.synchronize do
        before = known(name)
        (before.nil? || after.nil? || after == before.id) ? write(name, [id, :closed, now]) : before
      end
    end

    def claim_probe(name, known:, owner:, seconds:)
      @lock.synchronize do
        record = known(name)
        due = record.nil? || record.id == known || (record.state == :open && record.seconds <= 0)
        holder, ends = @probes[name]
        next [false, record] if !due || (holder && holder != owner && ends > now)

        @probes[name] = [owner, now + seconds]
        [true, record]
      end
    end

    # It has lost all that it knew.
    def forget
      @lock.synchronize { [@records, @probes].each(&:clear) }
    end

    private

    def known(name)
      id, state, ends = @records[name]
      Record.new(id, state, ends - now) if id
    end

    def write(name, record)
      @records[name] = record
      @probes.delete(name)
      known(name)
    end

    def now
      Process.clock_gettime(Process::CLOCK_MONOTONIC)
    end
  end

  # A memory store that can be out of order, or hang.
  class TroubledStore < MemoryStore
    # @return [Exception, Class, nil] what each question raises
    attr_accessor :trouble
    # @return [Integer] questions so far
    attr_reader :questions

    def initialize(**options)
      super
      @questions = 0
      @gate = nil
    end

    # From now on questions wait, each telling that it does.
    # @return [Queue] gets one word a question
    def hang
      @asked = Queue.new
      @gate = Queue.new
      @asked
    end

    # Lets go on what waits, and what comes.
    def go_on
      gate, @gate = @gate, nil
      gate.close
    end

    %i[read write_open write_closed claim_probe].each do |name|
      define_method(name) do |*arguments, **options|
        @questions += 1
        if (gate = @gate)
          @asked << name
          gate.pop
        end
        raise trouble if trouble

        super(*arguments, **options)
      end
    end
  end
end
