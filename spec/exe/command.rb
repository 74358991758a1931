# frozen_string_literal: true

require "open3"
require "rbconfig"
require "timeout"

# Runs `raaf-stream` as a process of its own.
module Command
  EXECUTABLE = File.expand_path("../../exe/raaf-stream", __dir__)
  # Seconds until a process that does not end is killed, and its example fails.
  PATIENCE = 30

  # @return [Array(String, String, Integer)] stdout, stderr, exit status
  def run_command(*arguments, input: "", env: {})
    Open3.popen3(env, RbConfig.ruby, EXECUTABLE, *arguments) do |stdin, stdout, stderr, process|
      within_patience(process.pid) do
        stdin.write(input)
        stdin.close
        [stdout, stderr].map { |out| Thread.new { out.read } }.map(&:value) + [process.value.exitstatus]
      end
    end
  end

  # Starts it, and ends it by a signal when the block is left.
  # @yieldparam output [IO] its stdout
  # @yieldparam pid [Integer]
  # @return [Integer] exit status
  def start_command(*arguments, signal: "TERM")
    output, input = IO.pipe
    pid = Process.spawn(RbConfig.ruby, EXECUTABLE, *arguments, out: input)
    input.close
    within_patience(pid) do
      yield output, pid
      Process.kill(signal, pid)
      Process.wait2(pid).last.exitstatus
    end
  ensure
    output.close
  end

  def within_patience(pid, &block)
    Timeout.timeout(PATIENCE, &block)
  rescue Exception # rubocop:disable Lint/RescueException -- a failed expectation must not leave the process behind
    begin
      Process.kill("KILL", pid)
    rescue Errno::ESRCH
      nil
    end
    raise
  end
end
