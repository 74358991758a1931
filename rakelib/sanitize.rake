# frozen_string_literal: true

require "shellwords"

# The specs against an extension built with a sanitizer. It is built in a copy of the checkout below tmp/, because lib/
# loads the library that stands beside it, and the ordinary one there must stay as it is.
class SanitizedCopy
  # Gemfile.lock, if Bundler has written one: without it Bundler asks for the gems of optional groups too.
  COPIED = %w[app bin doc examples exe ext lib spec test bench sig rakelib Rakefile Gemfile Gemfile.lock .rspec
    .yardopts README.md CHANGELOG.md CONTRIBUTING.md LICENSE.txt raaf-streaming.gemspec].freeze
  # gcc's run-time libraries, which must be loaded before an uninstrumented ruby.
  PRELOADED = {"address" => %w[libasan.so libubsan.so], "thread" => %w[libtsan.so]}.freeze
  OPTIONS = {
    # Leaks: Ruby's own 2 MB would drown ours; the C tests look for leaks. Alternate signal stack: each Ruby thread has
    # one from malloc, which ASAN would take for its own and unmap when the thread ends.
    "ASAN_OPTIONS" => "detect_leaks=0:detect_stack_use_after_return=0:use_sigaltstack=0",
    "UBSAN_OPTIONS" => "print_stacktrace=1",
    "TSAN_OPTIONS" => "report_signal_unsafe=0:second_deadlock_stack=1:exitcode=66"
  }.freeze

  def initialize(sanitizer)
    @sanitizer = sanitizer
    @root = File.expand_path("#{BUILD_DIR}/sanitize/#{sanitizer}/checkout")
  end

  def refresh
    FileUtils.mkdir_p(@root)
    COPIED.each do |name|
      FileUtils.rm_rf(File.join(@root, name))
      # Keeps times, so that what has not changed is not compiled again.
      FileUtils.cp_r(name, @root, preserve: true) if File.exist?(name)
    end
    FileUtils.rm_f(Dir.glob("#{@root}/lib/**/*.{so,bundle}"))
    # Specs find recorded streams in ../shared, where the checkout has such a neighbour.
    FileUtils.ln_sf(File.expand_path("../shared"), File.dirname(@root)) if File.directory?("../shared")
  end

  def rspec(arguments)
    run(environment, "bundle", "exec", "rake", "compile")
    run(environment.merge(OPTIONS, "LD_PRELOAD" => preload), "bundle", "exec", "rspec", *arguments)
  end

  private

  # The gems this checkout is set up with; RAAF_SLOW widens the specs' time limits. Instrumented code gets warnings that
  # mean nothing, so they are no errors here.
  def environment
    {"RAAF_SANITIZE" => @sanitizer, "RAAF_SLOW" => "1", "RAAF_DEV" => nil, "BUNDLE_GEMFILE" => "#{@root}/Gemfile",
     "BUNDLE_PATH" => Bundler.bundle_path.to_s.delete_suffix("/ruby/#{RbConfig::CONFIG["ruby_version"]}"),
     "BUNDLE_WITHOUT" => "", "BUNDLE_WITH" => "", "MAKEFLAGS" => nil}
  end

  def preload
    compiler = RbConfig::CONFIG["CC"].shellsplit.first
    PRELOADED.fetch(@sanitizer).map { |name| IO.popen([compiler, "-print-file-name=#{name}"], &:read).chomp }.join(":")
  end

  def run(environment, *command)
    Bundler.with_unbundled_env { Rake.sh(environment, *command, chdir: @root, verbose: false) }
  end
end

# ruby_memcheck leaves out what Ruby itself never frees, and what is made when the extension is loaded.
module KnownFrames
  # It knows a shared libruby by the name it has where Ruby was built without a program suffix only; Debian's is
  # libruby-3.1.so.3.1.2.
  def in_ruby?
    super || File.basename(obj.to_s).start_with?("libruby")
  end

  # Init itself is not seen where it ends in a jump to the function that it calls last.
  def binary_init_func?
    super || (in_binary? && fn.to_s.start_with?("rb_raaf_init_"))
  end
end

# What ruby_memcheck makes of the reports of forked children.
module ReportsOfChildren
  ROOT = "valgrindoutput"
  # A piece of the garbage collector's own stack: 500 references and a pointer to the next. It may run wherever an
  # object is made, and it keeps the stack for the next time.
  MARK_STACK = /\A(?:4,008 bytes|[\d,]+ \(4,008 direct, [\d,]+ indirect\) bytes) in 1 blocks/
  # By which we ask Ruby for memory of our own. What any other of its functions has asked for is its, though we called.
  RUBY_ALLOCATORS = /\A(?:ruby_x|rb_data_|rb_alloc_)/

  # A child gives up what belongs to its parent's threads, which it does not have: nothing points there any longer. So
  # its leaks say nothing; its other errors count. What happens outside of the extension is not its doing, nor is an
  # access by a function of Ruby's own: it looks for references on stacks that valgrind holds for left. (A bad pointer
  # that it is given by us is read by memcpy and the like, which are not Ruby's.)
  def parse_valgrind_output
    files = valgrind_xml_files.each { |file| complete(file) }
    pids = files.map { |file| File.basename(file, ".xml") }
    found = files.flat_map do |file|
      @valgrind_xml_files = [file]
      super()
      errors.reject { |error| outside?(error) || (leak?(error) && child?(file, pids)) }
    end
    @valgrind_xml_files = files
    @errors = found
  end

  private

  def outside?(error)
    frames = error.stack.frames
    return true if frames.none?(&:in_binary?)

    leak?(error) ? error.msg.match?(MARK_STACK) || of_ruby?(frames) : frames.first.in_ruby?
  end

  # Ruby keeps tables by thread and runs finalizers wherever it is called, and does not clear away at the exit.
  def of_ruby?(frames)
    before_ours = frames.take_while { |frame| !frame.in_binary? }
    before_ours.any? { |frame| frame.in_ruby? && frame.fn && !frame.fn.match?(RUBY_ALLOCATORS) }
  end

  def leak?(error)
    error.kind.start_with?("Leak_")
  end

  def child?(file, pids)
    pids.include?(File.read(file, 4096)[/<ppid>(\d+)/, 1])
  end

  # The report of a child that was killed, or that became another program, breaks off, and is no XML then.
  def complete(file)
    text = File.binread(file)
    return if text.end_with?("</#{ROOT}>\n\n", "</#{ROOT}>\n")

    # The elements below the root, and only they, close at the beginning of a line.
    File.binwrite(file, "#{text[/\A.*^<\/\w+>$/m] || "<#{ROOT}>"}\n</#{ROOT}>\n")
  end
end

namespace :spec do
  {asan: "address", tsan: "thread"}.each do |name, sanitizer|
    desc "Run the specs against an extension built with the #{sanitizer} sanitizer (SPEC=path for one file)"
    task name do
      copy = SanitizedCopy.new(sanitizer)
      copy.refresh
      copy.rspec(FileList[*ENV["SPEC"].to_s.split])
    end
  end

  begin
    require "ruby_memcheck"
    require "ruby_memcheck/rspec/rake_task"
    # Programs that specs start run at their own speed: seconds for each Ruby would be too much. Forks are watched.
    # Fair scheduling: valgrind runs one thread at a time and would else let one that spins starve the reactor.
    options = RubyMemcheck::Configuration::DEFAULT_VALGRIND_OPTIONS - ["--trace-children=yes"]
    # What an Array, a Hash or a String holds is the garbage collector's to free, and at the exit it does not.
    skipped = [*RubyMemcheck::Configuration::DEFAULT_SKIPPED_RUBY_FUNCTIONS, /\Arb_(?:ary|hash|ident_hash|str)_/]
    # ruby_memcheck makes the folder whatever task is run, and leaves it behind.
    reports = File.expand_path("#{BUILD_DIR}/memcheck/#{Process.pid}")
    at_exit { FileUtils.rm_rf(reports) }
    RubyMemcheck.config(binary_name: EXTENSION, valgrind_options: [*options, "--fair-sched=try"], temp_dir: reports,
      valgrind_suppressions_dir: "spec/support/valgrind", skipped_ruby_functions: skipped)
    RubyMemcheck::Frame.prepend(KnownFrames)
    RubyMemcheck::TestTaskReporter.prepend(ReportsOfChildren)
    desc "Run the specs under valgrind (SPEC=path for one file)"
    RubyMemcheck::RSpec::RakeTask.new(memcheck: :compile)
    # Before the specs: 20 to 50 times slower, so their time limits are widened, and a few leave themselves out.
    task(:slow) { ENV.update("RAAF_SLOW" => "1", "RAAF_VALGRIND" => "1") }
    task memcheck: :slow
  rescue LoadError
    task(:memcheck) { abort "ruby_memcheck is not installed: run `bin/setup deep`." }
  end
end
