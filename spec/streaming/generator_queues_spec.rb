# frozen_string_literal: true

require "thor/group"
require "thor/actions"
require "tmpdir"
require "yaml"
require_relative "../../lib/generators/raaf/streaming/install/queues"

# With the real Thor, which Rails' generators are made of.
RSpec.describe "The queues that the generator has workers take" do
  around { |example| Dir.mktmpdir { |folder| (@folder = folder) && example.run } }

  let(:generator_class) do
    Class.new(Thor::Group) do
      include Thor::Actions

      def left(what) = (@left ||= []) << what
    end
  end
  let(:queues) { %w[priority_streaming streaming batch_streaming streaming_chunks] }

  def path(name)
    File.join(@folder, "config", name)
  end

  def write(name, content)
    FileUtils.mkdir_p(File.dirname(path(name)))
    File.write(path(name), content)
  end

  # @return [Array<String>] what is left to do
  def generate(behavior = :invoke, **options)
    generator = generator_class.new([], {quiet: true, **options}, destination_root: @folder, behavior: behavior)
    RAAF::Streaming::Generators::Queues.new(generator).install
    generator.instance_variable_get(:@left).to_a
  end

  def yaml(name)
    YAML.safe_load_file(path(name), aliases: true, permitted_classes: [Symbol])
  end

  # Runs it twice, and then undoes it.
  def comes_and_goes(name, before)
    write(name, before)
    left = generate
    once = File.read(path(name))
    generate
    expect(File.read(path(name))).to eq(once)
    yield yaml(name), once
    generate(:revoke)
    expect(File.read(path(name))).to eq(before)
    left
  end

  describe "of Solid Queue" do
    before { hide_sidekiq }

    let(:installed) do # by solid_queue:install
      <<~YAML
        default: &default
          dispatchers:
            - polling_interval: 1
              batch_size: 500
          workers:
            - queues: "*"
              threads: 3
              processes: <%= ENV.fetch("JOB_CONCURRENCY", 1) %>
              polling_interval: 0.1

        development:
          <<: *default
      YAML
    end

    it "get a worker of their own, in every list of workers" do
      two = "#{installed}\nproduction:\n  workers:\n  # Ours.\n\n  - queues: [mail]\n    threads: 1\n"
      left = comes_and_goes("queue.yml", two) do |file, text|
        lists = file.values_at("development", "production").map { |section| section["workers"] }
        expect(lists.map { |workers| workers.map { |worker| worker["queues"] } })
          .to eq([[queues, "*"], [queues, ["mail"]]])
        expect(lists.flatten.map { |worker| worker["threads"] }).to eq([3, 3, 3, 1])
        expect(text).to include(%(processes: <%= ENV.fetch("JOB_CONCURRENCY", 1) %>))
      end
      expect(left).to eq([])
    end

    it "are left to the application where it names one of them, or has no list that could be added to" do
      [installed.sub('"*"', '"priority_streaming"'), "default:\n  workers: []\n"].each_with_index do |content, index|
        write("queue.yml", content)
        left = generate
        expect(File.read(path("queue.yml"))).to eq(content)
        expect(left).to eq([[], ["config/queue.yml: have a worker take the queues #{queues.join(", ")}"]][index])
      end
    end

    it "stay as the application has changed them meanwhile, when the rest goes" do
      write("queue.yml", installed)
      generate
      write("queue.yml", File.read(path("queue.yml")).sub("threads: 3", "threads: 8\n      processes: 2"))
      generate(:revoke)
      expect(File.read(path("queue.yml"))).to eq(installed)
    end

    it "need nothing where there is no file: it takes all" do
      expect(generate).to eq([])
      expect(Dir.children(@folder)).to eq([])
    end

    it "are not written where they only pretend" do
      write("queue.yml", installed)
      generate(pretend: true)
      expect(File.read(path("queue.yml"))).to eq(installed)
    end
  end

  describe "of Sidekiq" do
    it "are written into a file of their own where there is none, with the one that there is without a file" do
      show_sidekiq
      2.times { generate }
      expect(yaml("sidekiq.yml")).to eq(queues: ["priority_streaming", "streaming", "default", "batch_streaming",
        "streaming_chunks"])
      generate(:revoke)
      expect(File.exist?(path("sidekiq.yml"))).to be(false)
    end

    it "come before those that are there, in their form" do
      comes_and_goes("sidekiq.yml", ":concurrency: 5\n:queues:\n  # Ours.\n  - mail\n  - default\n") do |file, text|
        expect(file[:queues]).to eq([*queues, "mail", "default"])
        expect(text).to include("# Ours.")
      end
      comes_and_goes("sidekiq.yml", "queues:\n- [mail, 2]\n- default\n:timeout: 20\n") do |file|
        expect(file["queues"]).to eq([["priority_streaming", 4], ["streaming", 3], ["batch_streaming", 1],
          ["streaming_chunks", 1], ["mail", 2], "default"])
      end
    end

    it "come with the one that there is without a list" do
      comes_and_goes("sidekiq.yml", ":concurrency: 5\n") do |file|
        expect(file).to eq(concurrency: 5, queues: [*queues, "default"])
      end
    end

    it "are left to the application where the list cannot be added to" do
      [":queues: [default]\n", ":production:\n  :queues:\n    - default\n"].each do |content|
        write("sidekiq.yml", content)
        expect(generate).to eq(["config/sidekiq.yml: have a worker take the queues #{queues.join(", ")}"])
        expect(File.read(path("sidekiq.yml"))).to eq(content)
      end
    end
  end

  # Whether the application's bundle has it.
  def show_sidekiq
    stub_specs { |specs| specs.merge("sidekiq" => Gem::Specification.new("sidekiq", "7.3.0")) }
  end

  def hide_sidekiq
    stub_specs { |specs| specs.except("sidekiq") }
  end

  def stub_specs
    specs = yield Gem.loaded_specs
    allow(Gem).to receive(:loaded_specs).and_return(specs)
  end
end
