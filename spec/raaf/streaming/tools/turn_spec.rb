# frozen_string_literal: true

RSpec.describe RAAF::Streaming::Tool::Turn do
  def turn(*calls, tools:, timeout: 5, context: {})
    agent = RAAF::Agent.new(name: "A", model: "m", tools: tools)
    calls = calls.map.with_index { |(name, arguments), i|
      {id: "call_#{i}", name: name, raw_arguments: arguments.to_s, index: i}
    }
    described_class.new(calls, RAAF::Streaming::Tool::Set.new(agent, context), context: context, timeout: timeout,
      details: {provider: "p", model: "m"})
  end

  def tool(name, **options, &block)
    RAAF::Streaming::Tool.new(name: name, **options, &block)
  end

  def all_of(turn)
    turn.start
    turn.take until turn.settled?
    turn.outcomes
  end

  it "keeps the order of the calls, whichever ends first" do
    gate = Queue.new
    slow, fast = tool("slow") { gate.pop }, tool("fast") { gate << "slow" && "fast" }
    expect(all_of(turn(["slow"], ["fast"], tools: [slow, fast])).map(&:text)).to eq(%w[slow fast])
  end

  {
    nil => "", "text" => "text", {a: [1]} => '{"a":[1]}', [1, nil] => "[1,null]", 1.5 => "1.5", :word => "word",
    "\xFF" => "\u{FFFD}", (+"gr\xFCn").force_encoding("ISO-8859-1") => "grün"
  }.each do |value, text|
    it "tells the model #{text.inspect} where a tool returns #{value.inspect}" do
      expect(all_of(turn(["t"], tools: [tool("t") { value }])).first.text).to eq(text)
    end
  end

  it "tells the model what can be said of a result that is no JSON" do
    endless = {a: 1}
    endless[:self] = endless
    expect(all_of(turn(["t"], tools: [tool("t") { endless }])).first.text).to include("a")
    expect(all_of(turn(["t"], tools: [tool("t") { {a: Float::NAN} }])).first.text).to include("NaN")
  end

  [-> { raise "oh" }, -> { raise NotImplementedError, "oh" }, -> { raise LoadError, "oh" }].each do |failing|
    it "makes an outcome of what a tool raises, whatever its kind" do
      error = all_of(turn(["t"], tools: [tool("t", &failing)])).first.error
      expect(error).to be_a(RAAF::Errors::ToolError).and have_attributes(tool_name: "t", tool_id: "call_0",
        provider: "p")
      expect(error.message).to include("oh")
      expect(error.cause).not_to be_nil
    end
  end

  it "makes an outcome of a tool that ends its thread, or throws" do
    texts = all_of(turn(["a"], ["b"], tools: [tool("a") { Thread.exit }, tool("b") { throw :nobody }])).map(&:text)
    expect(texts).to match([/ended its thread/, /nobody/])
  end

  it "interrupts a tool whose time is over, even where that rescues everything that is usual" do
    stubborn = tool("t", timeout: 0.05) do
      sleep
    rescue
      "rescued"
    end
    expect(all_of(turn(["t"], tools: [stubborn])).first.error.message).to match(/longer than 0.05 s/)
  end

  it "takes a timeout of the tool's own work for what it is" do
    waits = tool("t") { Timeout.timeout(0.01) { sleep } }
    expect(all_of(turn(["t"], tools: [waits])).first.error.message).to match(/failed: execution expired/)
  end

  it "wakes who waits, also from a signal handler, and lets him wait only so long" do
    gate = Queue.new
    waiting = turn(["t"], tools: [tool("t") { gate.pop }]).start
    expect(waiting.take(0.01)).to be_nil
    old = trap("USR2") { waiting.wake }
    Process.kill("USR2", Process.pid)
    expect(waiting.take).to be_nil
    gate << "now"
    expect(waiting.take.text).to eq("now")
  ensure
    trap("USR2", old || "DEFAULT")
  end

  it "does not begin what nobody waits for any longer" do
    begun = Queue.new
    abandoned = turn(["t"], tools: [tool("t") { begun << 1 }])
    abandoned.abandon
    abandoned.start
    expect(abandoned.take.error.message).to match(/was interrupted/)
    expect(begun).to be_empty
  end

  it "shows nobody's arguments" do
    expect(turn(["t", '{"secret":1}'], tools: [tool("t") {}]).inspect).not_to include("secret")
  end
end
