# frozen_string_literal: true

# Each example is a process of its own: what is loaded cannot be unloaded.
RSpec.describe "raaf-core and raaf-streaming" do
  include MadeUpCore

  around do |example|
    Dir.mktmpdir("raaf-core") do |folder|
      @folder = File.realpath(folder)
      example.run
    end
  end

  let(:lib) { File.join(MadeUpCore::ROOT, "lib") }
  let(:core_lib) { File.join(write_core(File.join(@folder, "core")), "lib") }

  entries = %w[raaf-core raaf-streaming]
  orders = [entries, entries.reverse]

  describe "where raaf-core is absent" do
    (orders + [["raaf-core"], ["raaf-streaming"]]).each do |requires|
      it "offers the stand-in after #{requires.join(" and ")}" do
        expect(run_ruby(MadeUpCore::REPORT, load_path: [lib], requires: requires)).to eq(MadeUpCore::STAND_IN)
      end
    end

    it "does so without RubyGems" do
      env = {"RUBYOPT" => "--disable-gems"}
      report = run_ruby(MadeUpCore::REPORT, load_path: [lib], requires: ["raaf-core"], env: env)
      expect(report).to eq(MadeUpCore::STAND_IN)
    end
  end

  describe "where raaf-core is on the load path" do
    orders.each do |requires|
      it "loads it once, though ours is found first, after #{requires.join(" and ")}" do
        expect(run_ruby(MadeUpCore::REPORT, load_path: [lib, core_lib], requires: requires)).to eq(MadeUpCore::REAL)
      end

      it "loads it once, if it is found first, after #{requires.join(" and ")}" do
        expect(run_ruby(MadeUpCore::REPORT, load_path: [core_lib, lib], requires: requires)).to eq(MadeUpCore::REAL)
      end
    end

    entries.each do |entry|
      it "needs #{entry} alone, where ours is found first" do
        expect(run_ruby(MadeUpCore::REPORT, load_path: [lib, core_lib], requires: [entry])).to eq(MadeUpCore::REAL)
      end
    end

    it "keeps its own files though only ours are found, where it was loaded by its path" do
      script = "%w[raaf/agent raaf/models/openai_provider].each { |file| require file }\n#{MadeUpCore::REPORT}"
      requires = [File.join(core_lib, "raaf-core.rb"), "raaf-streaming"]
      expect(run_ruby(script, load_path: [lib], requires: requires)).to eq(MadeUpCore::REAL)
    end

    it "is not confused by a link to our own folder" do
      link = File.join(@folder, "link")
      File.symlink(lib, link)
      expect(run_ruby(MadeUpCore::REPORT, load_path: [lib, link], requires: entries)).to eq(MadeUpCore::STAND_IN)
    end

    it "does not hide that it cannot be loaded" do
      File.write(File.join(core_lib, "raaf-core.rb"), 'require "no-such-library"')
      expect { run_ruby(MadeUpCore::REPORT, load_path: [lib, core_lib], requires: ["raaf-streaming"]) }
        .to raise_error(/cannot load such file -- no-such-library/)
    end
  end

  describe "where raaf-core is an installed gem, without Bundler" do
    orders.each do |requires|
      it "loads it once, with ours on the load path, after #{requires.join(" and ")}" do
        env = gem_home(@folder)
        expect(run_ruby(MadeUpCore::REPORT, load_path: [lib], requires: requires, env: env)).to eq(MadeUpCore::REAL)
      end

      it "loads it once, with ours installed too, after #{requires.join(" and ")}" do
        env = gem_home(@folder, ours: true)
        expect(run_ruby(MadeUpCore::REPORT, requires: requires, env: env)).to eq(MadeUpCore::REAL)
      end
    end
  end

  describe "in a bundle" do
    let(:ours) { ["raaf-streaming", MadeUpCore::ROOT] }
    let(:core) { ["raaf-core", File.dirname(core_lib)] }

    orders.each do |requires|
      it "loads it once, after #{requires.join(" and ")}" do
        env = bundle(@folder, ours, core)
        expect(run_ruby(MadeUpCore::REPORT, requires: ["bundler/setup", *requires], env: env)).to eq(MadeUpCore::REAL)
      end
    end

    it "loads it once by Bundler.require, whatever the order in the Gemfile" do
      [[ours, core], [core, ours]].each_with_index do |gems, index|
        env = bundle(File.join(@folder, index.to_s), *gems)
        expect(run_ruby("Bundler.require\n#{MadeUpCore::REPORT}", requires: ["bundler/setup"], env: env))
          .to eq(MadeUpCore::REAL)
      end
    end

    it "does not see one that is installed, but not in the bundle" do
      env = gem_home(File.join(@folder, "home")).merge(bundle(@folder, ours))
      expect(run_ruby(MadeUpCore::REPORT, requires: ["bundler/setup", *entries], env: env)).to eq(MadeUpCore::STAND_IN)
    end
  end

  it "starts no thread when it is loaded" do
    threads = 'puts JSON.generate("threads" => Dir["/proc/self/task/*"].size - (Thread.list.size - 1))'
    skip "needs /proc" unless Dir.exist?("/proc/self/task")
    before = run_ruby(threads, requires: ["json"])
    expect(run_ruby(threads, load_path: [lib], requires: ["json", "raaf-streaming"])).to eq(before)
  end

  it "adds the mock's methods to raaf-testing's provider where that came first" do
    theirs = "module RAAF; module Testing; class MockProvider; def initialize = @own = 1; def own = @own; end; end; end"
    script = 'mock = RAAF::Testing::MockProvider.new; mock.add_streaming_response(chunks: ["x"]); ' \
             'puts JSON.generate("own" => mock.own, "left" => mock.responses_left)'
    report = run_ruby("#{theirs}\nrequire 'raaf-streaming'\n#{script}", load_path: [lib], requires: ["json"])
    expect(report).to eq("own" => 1, "left" => 1)
  end

  it "says how to compile the extension where that is missing" do
    copy = File.join(@folder, "lib")
    FileUtils.cp_r(lib, copy)
    FileUtils.rm_f(Dir[File.join(copy, "raaf/streaming/raaf_streaming.*")])
    expect { run_ruby("", load_path: [copy], requires: ["raaf-streaming"]) }.to raise_error(/rake compile/)
  end
end
