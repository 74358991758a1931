# frozen_string_literal: true

require_relative "rails_app"

# A process of an application's that goes on until it is stopped. Subclasses say which, and how one sees that it is
# ready.
class AppProcess
  # Seconds that it may take to start, and to end.
  LIMIT = ENV["RAAF_SLOW"] ? 180 : 60

  # @return [RailsApp]
  attr_reader :app
  # @return [Integer, nil]
  attr_reader :pid

  # @param app [RailsApp]
  # @param env [Hash{String=>String}] what the process gets besides, such as the model server's address
  def initialize(app, env: {})
    @app = app
    @env = env
    start
  end

  # Starts it, again where it was stopped, and waits until it is ready. It leads a process group of its own.
  #
  # @return [void]
  def start
    @before = log_files.to_h { |file| [file, File.size?(file).to_i] }
    @pid = Process.spawn(app.environment(@env), *command, chdir: app.root, unsetenv_others: true, pgroup: true,
      in: File::NULL, out: [log, "a"], err: %i[child out])
    wait_until_ready
  rescue
    stop(:KILL)
    raise
  end

  # @param signal [Symbol] :KILL for a crash, of its children too
  # @return [void]
  def stop(signal = :TERM)
    return unless pid

    send_signal(signal)
    unless ended?
      send_signal(:KILL)
      Process.wait(pid)
    end
    @pid = nil
  end

  # @param signal [Symbol] sent, and not waited for; to one that has ended by itself: to nobody
  # @return [void]
  def send_signal(signal)
    Process.kill(signal, (signal == :KILL) ? -pid : pid)
  rescue Errno::ESRCH
    nil
  end

  # @return [Boolean] whether it has ended by itself, or of a signal
  def ended?
    deadline = now + LIMIT
    sleep 0.02 until (ended = Process.wait(pid, Process::WNOHANG)) || now > deadline
    ended ? true : false
  rescue Errno::ECHILD # it was waited for before
    true
  end

  # @return [String] what it wrote, and Rails' log
  def logs
    log_files.select { |file| File.file?(file) }
      .map { |file| "== #{File.basename(file)}\n#{last_lines(file)}" }.join("\n")
  end

  # @param pattern [Regexp] of a line
  # @raise [RailsApp::Failed] where none comes
  # @return [void]
  def wait_for_log(pattern)
    wait_until("no line like #{pattern.inspect} in the log") { written?(pattern) }
  end

  private

  def log_files
    [log, app.path("log", "development.log")]
  end

  # Whether one of the logs says so since the process was started.
  def written?(pattern)
    log_files.select { |file| File.file?(file) }.any? do |file|
      File.binread(file, nil, @before.fetch(file)).to_s.force_encoding("UTF-8").scrub.match?(pattern)
    end
  end

  # Frames are long, and many.
  def last_lines(file)
    File.readlines(file, chomp: true).last(120).map { |line| line.scrub[0, 300] }.join("\n")
  end

  def now
    Process.clock_gettime(Process::CLOCK_MONOTONIC)
  end

  def wait_until_ready
    wait_until("#{command.join(" ")} does not get ready") do
      raise RailsApp::Failed, "#{command.join(" ")} ended at once:\n#{logs}" if Process.wait(pid, Process::WNOHANG)

      ready?
    end
  end

  def wait_until(complaint)
    deadline = now + LIMIT
    until yield
      raise RailsApp::Failed, "#{complaint}:\n#{logs}" if now > deadline

      sleep 0.05
    end
  end
end
