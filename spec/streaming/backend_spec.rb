# frozen_string_literal: true

# The specs that are marked with :backends hold what depends on how the native thread and its consumers wait. Here they
# run again where there is neither epoll nor eventfd.
RSpec.describe "The reactor" do
  include_context "with a model server"
  include LifecycleScripts

  combinations = [%w[poll eventfd], %w[epoll pipe], %w[poll pipe]]
  combinations.reject! { |combination| combination != %w[poll pipe] } unless RUBY_PLATFORM.include?("linux")

  # A run within such a run would never end.
  unless ENV["RAAF_STREAMING_BACKEND"] || ENV["RAAF_STREAMING_WAKER"]
    combinations.each do |backend, waker|
      it "lives the same life with #{backend} and #{waker}" do
        script = start_process(
          RbConfig.ruby, Gem.bin_path("rspec-core", "rspec"), "--tag", "backends", "--format", "documentation",
          *Dir[File.join(__dir__, "*_spec.rb")],
          env: {"RAAF_STREAMING_BACKEND" => backend, "RAAF_STREAMING_WAKER" => waker}
        ).finish(within: 55)

        expect(script.status).to be_success, -> { script.output + script.errors }
        expect(script.output[/(\d+) examples, 0 failures/, 1].to_i).to be > 15
      end
    end
  end

  it "uses what it was told, or the best there is", :backends, if: RUBY_PLATFORM.include?("linux") do
    server.script(deltas: %w[Hi], first_delay: 0.02) # long enough for the consumer to sleep
    script = run_script(<<~'RUBY', server.base_url)
      opened = -> { Dir.children("/proc/self/fd").filter_map { |fd| File.readlink("/proc/self/fd/#{fd}") rescue nil } }
      before = opened.call
      runner.run_and_stream("Hi")
      ours = %w[eventpoll eventfd pipe].map { |kind| [opened.call, before].map { |all| all.grep(/#{kind}/).size }.reduce(:-) }
      puts RAAF::Streaming::Reactor.stats[:backend], ours.inspect
    RUBY

    backend = ENV.fetch("RAAF_STREAMING_BACKEND", "epoll")
    pipes = ENV["RAAF_STREAMING_WAKER"] == "pipe"
    chosen, opened = script.output.lines(chomp: true)
    expect(chosen).to eq(backend)
    # Two to wake, the native thread and who waits for it; libcurl may have an eventfd more for itself.
    expect(JSON.parse(opened)).to match([(backend == "epoll") ? 1 : 0, pipes ? be <= 1 : be >= 2, pipes ? 4 : 0])
  end

  it "is refused under a name that is none" do
    script = run_script(<<~'RUBY', server.base_url, env: {"RAAF_STREAMING_BACKEND" => "kqueue"})
      puts (runner.run_and_stream("Hi") rescue "#{$!.class}: #{$!.message}")
    RUBY

    expect(script.output).to match(/backend must be :epoll, :poll/)
  end
end
