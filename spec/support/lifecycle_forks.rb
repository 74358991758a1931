# frozen_string_literal: true

# Children of the process that runs the specs. None outlives its bound.
module LifecycleForks
  # Seconds a child may take.
  CHILD_PATIENCE = 30 * (ENV["RAAF_SLOW"] ? 10 : 1)

  # A child that has been started.
  class Child
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
        left = deadline - Process.clock_gettime(Process::CLOCK_MONOTONIC)
        if left <= 0 || !@answers.wait_readable(left)
          Process.kill("KILL", pid)
          raise "the child did not answer within #{CHILD_PATIENCE} s"
        end
        bytes << @answers.readpartial(1 << 16)
      end
    rescue EOFError
      bytes
    end
  end

  # Runs the block in a child.
  # @return [Object] see {Child#value}
  def in_child(&block)
    Child.new(&block).value
  end
end
