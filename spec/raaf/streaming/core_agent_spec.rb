# frozen_string_literal: true

RSpec.describe RAAF::Streaming::CoreAgent do
  # As raaf-core's: a name, and a result with `tripwire_triggered?` and `output.output_info`.
  guardrail_class = Class.new do
    attr_reader :seen

    def initialize(name, &check)
      @name = name
      @check = check
      @seen = []
    end

    def get_name = @name

    def run(context, agent, content)
      @seen << [context, agent.name, content]
      tripped, info = @check&.call(content)
      output = Struct.new(:output_info).new(info)
      Struct.new(:output, :tripwire_triggered?).new(output, tripped || false)
    end
  end

  let(:provider) { RAAF::Testing::MockProvider.new }
  let(:no_names) { guardrail_class.new("no names") { |text| [text.include?("Ann"), {blocked_reason: "a name in it"}] } }

  define_method(:guardrail) { |name = "g", &check| guardrail_class.new(name, &check) }

  def runner(**options)
    agent = RAAF::Agent.new(name: "A", **options)
    RAAF::Streaming::AsyncRunner.new(agent: agent, provider: provider)
  end

  describe "an input guardrail" do
    it "sees what the user says, with the context and the agent" do
      seeing = guardrail
      provider.add_streaming_response(chunks: ["x"])
      runner(input_guardrails: [seeing]).run_and_stream(
        [{role: "user", content: "one"}, {role: "assistant", content: "two"}, {role: "user", content: "three"}],
        context: {user: "Ann"}
      )
      expect(seeing.seen).to eq([[{user: "Ann"}, "A", "one"], [{user: "Ann"}, "A", "three"]])
    end

    it "ends the run before anything is sent" do
      provider.add_streaming_response(chunks: ["x"])
      expect { runner(input_guardrails: [guardrail, no_names]).run_and_stream("I am Ann") { raise "a chunk" } }
        .to raise_error(RAAF::Errors::InputGuardrailError, "a name in it") { |error|
          expect(error).to have_attributes(triggered_by: "no names", content: "I am Ann",
            metadata: {blocked_reason: "a name in it"})
        }
      expect(provider.responses_left).to eq(1)
    end

    it "also sees what a redirect says" do
      provider.add_streaming_response(chunks: ["x"] * 50, delay: 0.01)
      stream = runner(input_guardrails: [no_names]).stream("Hello")
      expect { stream.each { |chunk| stream.redirect("I am Ann") if chunk.content? } }
        .to raise_error(RAAF::Errors::InputGuardrailError)
    end
  end

  describe "an output guardrail" do
    it "makes a run fail whose answer it refuses, as the last chunk says" do
      provider.add_streaming_response(chunks: ["You are ", "Ann"])
      last = nil
      expect { runner(output_guardrails: [no_names]).run_and_stream("Hi") { |chunk| last = chunk } }
        .to raise_error(RAAF::Errors::OutputGuardrailError)
      expect([last.type, last.exception.content]).to eq([:error, "You are Ann"])
    end

    it "changes the result where it filters, one after another" do
      masking = guardrail { |text| [false, {filtered_output: text.sub("Ann", "***")}] }
      seeing = guardrail
      provider.add_streaming_response(chunks: ["You are ", "Ann"])
      result = runner(output_guardrails: [masking, seeing]).run_and_stream("Hi")
      expect([result.text, result.messages.last[:content], seeing.seen.last.last]).to eq(["You are ***"] * 3)
    end

    it "is not asked for an answer that failed" do
      seeing = guardrail
      provider.add_streaming_error(RAAF::Errors::RateLimitError.new("x"))
      expect { runner(output_guardrails: [seeing]).run_and_stream("Hi") }.to raise_error(RAAF::Errors::RateLimitError)
      expect(seeing.seen).to eq([])
    end

    it "may take its time: no lock of the stream is held meanwhile" do
      stream = nil
      asking = guardrail do
        stream.on(:content) {} # takes the lock, and finds that the chunks are being taken
      rescue RAAF::Errors::Error
        nil
      end
      provider.add_streaming_response(chunks: ["x"])
      stream = runner(output_guardrails: [asking]).stream("Hi")
      expect(stream.result.text).to eq("x")
    end
  end

  describe "hooks" do
    hooks_class = Class.new do
      attr_reader :calls

      def on_start(context, agent) = (@calls ||= []) << [:start, context, agent.name]
      def on_end(context, agent, output) = @calls << [:end, context, agent.name, output]
    end

    it "are called before the request and with the answer" do
      hooks = hooks_class.new
      provider.add_streaming_response(chunks: %w[Hel lo])
      runner(hooks: hooks).run_and_stream("Hi", context: {a: 1})
      expect(hooks.calls).to eq([[:start, {a: 1}, "A"], [:end, {a: 1}, "A", "Hello"]])
    end

    it "may be some of them only" do
      provider.add_streaming_response(chunks: ["x"])
      expect(runner(hooks: Class.new { def on_start(*) = nil }.new).run_and_stream("Hi").text).to eq("x")
    end

    it "change nothing when they raise, and are logged" do
      log = StringIO.new
      RAAF::Streaming.logger = Logger.new(log)
      provider.add_streaming_response(chunks: ["x"])
      result = runner(hooks: Class.new { def on_start(*) = raise("no luck") }.new).run_and_stream("Hi")
      expect([result.text, log.string]).to match(["x", /hook on_start of the agent A raised RuntimeError: no luck/])
    ensure
      RAAF::Streaming.logger = nil
    end
  end
end
