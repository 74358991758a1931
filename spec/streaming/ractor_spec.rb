# frozen_string_literal: true

RSpec.describe "A Ractor other than the main one" do
  include_context "with a model server"
  include LifecycleScripts

  # In a process of its own, since Ruby says on standard error that Ractors are experimental.
  it "is told plainly that it cannot stream, and the main one goes on" do
    server.default_script(deltas: %w[Hi], repeat: true)
    script = run_script(<<~'RUBY', server.base_url)
      Warning[:experimental] = false
      made_here = Ractor.new(ARGV[0]) do |url|
        agent = RAAF::Agent.new(name: "Assistant", model: "gpt-4o")
        RAAF::Streaming::AsyncRunner.new(agent: agent)
      rescue => e
        "#{e.class}: #{e.message}"
      end
      puts made_here.take
      puts runner.run_and_stream("Hi").final_output
    RUBY

    expect(script.output.lines(chomp: true)).to match([/\ARAAF::Errors::RactorError: .*main/, "Hi"])
    expect_no_crash(script)
  end

  it "is told so with a runner that was made in the main one" do
    script = run_script(<<~'RUBY', server.base_url)
      Warning[:experimental] = false
      there = Ractor.new(runner) do |runner|
        runner.run_and_stream("Hi")
      rescue => e
        "#{e.class}: #{e.message}"
      end
      puts there.take
    RUBY

    expect(script.output).to match(/\ARAAF::Errors::RactorError: .*main/)
    expect_no_crash(script)
    expect(server.requests).to be_empty
  end

  it "may have text from the main one" do
    server.script(deltas: %w[Hel lo])
    script = run_script(<<~RUBY, server.base_url)
      Warning[:experimental] = false
      shouting = Ractor.new { 2.times.map { Ractor.receive.upcase } }
      runner.run_and_stream("Hi") { |chunk| shouting.send(chunk.delta) if chunk.content? }
      puts shouting.take.inspect
    RUBY

    expect(script.output).to eq(%(["HEL", "LO"]\n))
    expect_no_crash(script)
  end
end
