# frozen_string_literal: true

require "rbconfig"
require "timeout"
require "tmpdir"

# Runs Ruby in a process of its own, for what a process can do only once: exit, be killed, start under another
# environment. A script never outlives its bound.
module LifecycleScripts
  LIBRARY = File.expand_path("../../lib", __dir__)
  ROOT = File.dirname(LIBRARY)

  # Stands before each script: `runner` asks the server whose address is in ARGV[0].
  PRELUDE = <<~RUBY
    $stdout.sync = true
    require "raaf-streaming"

    def runner(base_url = ARGV[0], **settings)
      RAAF::Streaming::AsyncRunner.new(
        agent: RAAF::Agent.new(name: "Assistant", model: "gpt-4o"),
        provider: RAAF::Models::OpenAIProvider.new(api_key: "key", base_url: base_url), **settings
      )
    end
  RUBY

  # What looks like a crash, and what Ruby says of a thread that died.
  CRASH = /\[BUG\]|Segmentation|SEGV|abort|corrupt|fatal|terminated with exception|double free|Assertion/i

  # A script that runs.
  class Script
    # @return [Integer]
    attr_reader :pid
    # @return [Process::Status, nil] once it has ended
    attr_reader :status
    # @return [Float, nil] seconds from {#signal} to the end
    attr_reader :seconds

    # @param command [Array<String>]
    # @param env [Hash{String=>String}]
    def initialize(*command, env: {})
      out, child_out = IO.pipe
      errors, child_errors = IO.pipe
      @pid = Process.spawn(env, *command, in: File::NULL, out: child_out, err: child_errors)
      [child_out, child_errors].each(&:close)
      @lines = Queue.new
      @output = Thread.new { out.each_line.map { |line| line.tap { @lines << line.chomp } }.join.tap { @lines.close } }
      @errors = Thread.new { errors.read }
    end

    # @return [String, nil] the next line of its output, waited for; nil: it has ended
    def line
      Timeout.timeout(LifecycleHelpers::PATIENCE) { @lines.pop }
    end

    # @param name [String] INT, TERM …
    # @return [self]
    def signal(name)
      @signalled_at = now
      Process.kill(name, pid)
      self
    end

    # Waits for its end.
    # @param within [Numeric] seconds; then it is killed
    # @return [self]
    def finish(within: 30)
      within *= 10 if ENV["RAAF_SLOW"]
      deadline = now + within
      until (ended = Process.wait2(pid, Process::WNOHANG))
        sleep(0.005)
        next if now < deadline

        kill
        raise "the script did not end within #{within} s\n#{output}\n#{errors}"
      end
      @status = ended.last
      @seconds = now - @signalled_at if @signalled_at
      self
    end

    # Ends it, if it has not ended.
    # @return [void]
    def kill
      return if status

      Process.kill("KILL", pid)
      @status = Process.wait2(pid).last
    end

    # @return [String] all of it, after {#finish}
    def output
      @output.value
    end

    # @return [String] its standard error, after {#finish}
    def errors
      @errors.value
    end

    private

    def now
      Process.clock_gettime(Process::CLOCK_MONOTONIC)
    end
  end

  # An example that fails leaves no script behind.
  def self.included(group)
    group.after { @scripts&.each(&:kill) }
  end

  # Starts a process.
  # @return [Script]
  def start_process(*command, env: {})
    Script.new(*command, env: env).tap { |script| (@scripts ||= []) << script }
  end

  # Starts a script.
  # @param source [String] Ruby
  # @param arguments [Array<String>]
  # @return [Script]
  def start_script(source, *arguments, env: {})
    start_process(RbConfig.ruby, "-I", LIBRARY, "-e", PRELUDE + source, *arguments, env: env)
  end

  # Runs a script to its end.
  # @return [Script]
  def run_script(source, *arguments, env: {}, within: 30)
    start_script(source, *arguments, env: env).finish(within: within)
  end

  # @param script [Script] ended
  def expect_no_crash(script)
    expect(script.errors).not_to match(CRASH)
  end

  # A library for LD_PRELOAD under which the look-up of any name below "slow.test" waits until the path in SLOW_LOOKUPS
  # is gone. Any other name is looked up as ever.
  # @param directory [String] where it is made
  # @return [String] its path
  def slow_lookups(directory)
    source, library = File.join(directory, "slow.c"), File.join(directory, "slow.so")
    File.write(source, SLOW_LOOKUPS)
    system(RbConfig::CONFIG["CC"].split.first, "-shared", "-fPIC", "-o", library, source, exception: true)
    library
  end

  SLOW_LOOKUPS = <<~C
    #define _GNU_SOURCE
    #include <dlfcn.h>
    #include <netdb.h>
    #include <stdlib.h>
    #include <string.h>
    #include <unistd.h>

    typedef int (*lookup_t)(const char *, const char *, const struct addrinfo *, struct addrinfo **);

    int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
                    struct addrinfo **found) {
        lookup_t next = (lookup_t)dlsym(RTLD_NEXT, "getaddrinfo");
        if (!name || !strstr(name, "slow.test")) return next(name, service, hints, found);
        while (access(getenv("SLOW_LOOKUPS"), F_OK) == 0)
            usleep(2000);
        return next("127.0.0.1", service, hints, found);
    }
  C
end
