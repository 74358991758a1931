# frozen_string_literal: true

# Children of the process that runs the specs. None outlives its bound.
module LifecycleForks
  # Seconds a child may take.
  CHILD_PATIENCE = 30 * (ENV["RAAF_SLOW"] ? 9 : 1)

  # gcc 12's address sanitizer forks with the locks of its allocator as they are: one that a thread held just then (it
  # began, or ended) stays locked in the child for ever. Our own threads and locks have no part in it.
  module SanitizerLock
    # Where its allocator and the locks of that lie on Linux, x86-64, and the number of the call it waits in.
    ADDRESSES = (0x6000_0000_0000...0x6500_0000_0000)
    FUTEX = 202

    # @param pid [Integer]
    # @return [Boolean] whether a thread of that process waits for one
    def self.waited_for?(pid)
      Dir.glob("/proc/#{pid}/task/*/syscall").any? do |file|
        number, address = File.read(file).split.first(2).map { |word| Integer(word, exception: false) }
        number == FUTEX && ADDRESSES.cover?(address)
      end
    rescue SystemCallError
      false # it has ended meanwhile
    end
  end

  # A child that has been started.
  class Child
    include RSpec::Core::Pending

    # @return [Integer]
    attr_reader :pid

    # @yield in the child; what it returns goes to {#value}. It ends by exit!, without RSpec's own at_exit.
    def initialize(&work)
      @answers, answer = IO.pipe
      @orders, @order = IO.pipe
      @pid = fork { answer_with(work, answer) }
      [answer, @orders].each(&:close)
    end

    # In the child: waits until the parent calls {#release}, or has gone.
    def wait_for_release
      @order.close
      @orders.read
    end

    # Lets the child go on.
    # @return [self]
    def release
      @order.close
      self
    end

    # Waits for the child's end.
    # @return [Object] what its block returned; for an exception its class
    def value
      @order.close unless @order.closed?
      bytes = read_answer
      Process.wait(pid)
      Marshal.load(bytes)
    end

    private

    def answer_with(work, answer)
      @answers.close
      value = begin
        work.call(self)
      rescue Exception => e # rubocop:disable Lint/RescueException
        e.class
      end
      answer.write(Marshal.dump(value))
      answer.close
    ensure
      Process.exit!(0)
    end

    def read_answer
      bytes = +""
      deadline = Process.clock_gettime(Process::CLOCK_MONOTONIC) + CHILD_PATIENCE
      loop do
        give_up if Process.clock_gettime(Process::CLOCK_MONOTONIC) > deadline
        next look_for_sanitizer unless @answers.wait_readable(5)

        bytes << @answers.readpartial(1 << 16)
      end
    rescue EOFError
      bytes
    end

    def look_for_sanitizer
      waited_for = SanitizerLock.waited_for?(pid)
      if waited_for && @waited_for # for long
        Process.kill("KILL", pid)
        Process.wait(pid)
        skip "the child waits for a lock of the address sanitizer"
      end
      @waited_for = waited_for
    end

    def give_up
      Process.kill("KILL", pid)
      raise "the child did not answer within #{CHILD_PATIENCE} s"
    end
  end

  # Runs the block in a child.
  # @return [Object] see {Child#value}
  def in_child(&block)
    Child.new(&block).value
  end
end
