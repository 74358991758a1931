# frozen_string_literal: true

require "open3"
require "rbconfig"
require "tempfile"

# The guide's own ResilientRunner, pasted as it stands: under another name beside ours, and as the very class, reopened,
# in a Ruby of its own.
RSpec.describe "The guide's ResilientRunner" do
  include_context "with a backup server"

  guide = File.expand_path("../../../shared/guide.md", __dir__)
  library = File.expand_path("../../lib", __dir__)

  before { skip "no guide at ../shared/guide.md" unless File.file?(guide) }

  let(:code) { File.read(guide)[%r{^```ruby\n# lib/raaf/streaming/resilient_runner\.rb\n(.*?)^```$}m, 1] }

  it "is in the guide as this spec expects it" do
    expect(code).to include("class ResilientRunner < Runner").and include("super(message, &block)")
      .and include("rescue RAAF::Errors::RateLimitError => e").and include("@agent.provider = backup_providers.sample")
  end

  describe "under another name" do
    # The guide's backups are asked at the backup server, whichever of them is drawn.
    before do
      stub_const("RAAF::Models::AnthropicProvider", backup_class(RAAF::Streaming::Providers::Anthropic))
      stub_const("RAAF::Models::GroqProvider", backup_class(RAAF::Streaming::Providers::Groq))
      eval(code.sub("class ResilientRunner", "class PastedRunner"), TOPLEVEL_BINDING, guide) # rubocop:disable Security/Eval
      agent.provider = provider_of(server)
    end

    after do
      RAAF::Streaming.send(:remove_const, :PastedRunner) if RAAF::Streaming.const_defined?(:PastedRunner)
      RAAF::Streaming.reset_configuration!
    end

    let(:pasted) { RAAF::Streaming::PastedRunner.new(agent: agent) }

    def backup_class(provider)
      address = backup.base_url
      Class.new(provider) { define_method(:initialize) { super(api_key: "key", base_url: address) } }
    end

    def try(**options)
      chunks = []
      value = pasted.run_and_stream("Hi", retry_delay: 0.01, **options) { |chunk| chunks << chunk }
      [chunks, value]
    end

    it "waits after a rate limit and asks again; its own words are all that is said of the error" do
      RAAF::Streaming.configure { |config| config.max_retries = 0 }
      2.times { server.script(status: 429) }
      server.script(**answer)

      chunks, result = try
      expect(chunks.map { |chunk| [chunk.type, chunk.delta] }).to eq([
        [:error, "Rate limited. Retrying in 0.01s..."], [:error, "Rate limited. Retrying in 0.02s..."],
        [:content, "Hel"], [:content, "lo"], [:complete, ""]
      ])
      expect(chunks.first.metadata).to eq(retry_count: 1)
      expect(result.text).to eq("Hello")
      expect(server.requests.size).to eq(3)
    end

    it "is helped by the native retries, where they are not switched off" do
      server.script(status: 429).script(**answer)

      chunks, = try
      expect(chunks.map(&:type)).to eq(%i[status content content complete])
    end

    it "switches to a backup, by changing its agent" do
      server.script(status: 500, headers: {"x-should-retry" => "false"})
      backup.script(**answer)

      chunks, result = try
      expect(chunks.map(&:delta)).to eq(["Provider error. Switching to backup...", "Hel", "lo", ""])
      expect(result).to have_attributes(text: "Hello", provider: "anthropic").or have_attributes(provider: "groq")
      expect(agent.provider.base_url).to eq(backup.base_url)
    end

    it "gives up with its own last words, and returns what its block returned" do
      RAAF::Streaming.configure { |config| config.max_retries = 0 }
      server.default_script(status: 429, repeat: true)

      chunks, value = try(max_retries: 1)
      expect(chunks.map(&:delta))
        .to eq(["Rate limited. Retrying in 0.01s...", "Max retries exceeded. Please try again later."])
      expect(value).to equal(chunks)
    end

    it "says what was unexpected, once, and raises it" do
      server.script(status: 401)

      chunks = []
      expect { pasted.run_and_stream("Hi") { |chunk| chunks << chunk } }.to raise_error(RAAF::Errors::AuthenticationError)
      expect(chunks.map(&:delta)).to match([/\AUnexpected error: openai \(gpt-4o\): the provider refused the API key/])
    end

    # What ours is for. A class that looks at the error's delivered? need not.
    it "says the answer again from its beginning where it has broken off, in a stream of its own" do
      server.script(**broken(%w[Hel lo], after: 1))
      backup.script(**answer)

      chunks, = try
      expect(chunks.map(&:delta)).to eq(["Hel", "Provider error. Switching to backup...", "Hel", "lo", ""])
      expect(chunks.select(&:content?).map(&:stream_id).uniq.size).to eq(2)
    end
  end

  it "may be pasted over ours: the very class, reopened", valgrind: false do
    server.script(status: 429, headers: {"x-should-retry" => "false"}).script(**answer)
    program = <<~RUBY
      require "raaf-streaming"
      #{code}
      agent = RAAF::Agent.new(name: "Assistant", model: "gpt-4o")
      runner = RAAF::Streaming::ResilientRunner.new(agent: agent)
      runner.run_and_stream("Hi", retry_delay: 0.01) { |chunk| puts [chunk.type, chunk.delta].inspect }
    RUBY
    output, errors, status = Tempfile.create(["pasted", ".rb"]) do |file|
      file.write(program)
      file.close
      Open3.capture3({"OPENAI_BASE_URL" => server.base_url, "OPENAI_API_KEY" => "key"}, RbConfig.ruby, "-I", library,
        file.path)
    end

    expect(errors).to eq("")
    expect(status).to be_success
    expect(output.lines.map(&:chomp)).to eq(['[:error, "Rate limited. Retrying in 0.01s..."]', '[:content, "Hel"]',
      '[:content, "lo"]', '[:complete, ""]'])
  end

  describe "as any class of the application's that calls super" do
    let(:wrapping) do
      Class.new(RAAF::Streaming::AsyncRunner) do
        def run_and_stream(message, **options, &block)
          super
        end
      end
    end

    it "hears of a failure by the error alone, and its block by nothing" do
      server.script(**broken(%w[Hel lo], after: 1))
      chunks = []

      wrapper = wrapping.new(agent: agent, provider: provider_of(server))
      expect { wrapper.run_and_stream("Hi") { |chunk| chunks << chunk } }.to raise_error(RAAF::Errors::TruncatedStreamError)
      expect(chunks.map(&:type)).to eq(%i[content])
    end

    it "is not one where a module is prepended, or another method is overridden" do
      tracing = Module.new { def run_and_stream(...) = super }
      traced = Class.new(RAAF::Streaming::AsyncRunner) { prepend tracing }
      other = Class.new(RAAF::Streaming::AsyncRunner) { def stream(...) = super }
      [traced, other].each do |type|
        server.script(status: 401)
        chunks = []
        runner = type.new(agent: agent, provider: provider_of(server))
        expect { runner.run_and_stream("Hi") { |chunk| chunks << chunk } }.to raise_error(RAAF::Errors::AuthenticationError)
        expect(chunks.map(&:type)).to eq(%i[error])
      end
    end
  end
end
