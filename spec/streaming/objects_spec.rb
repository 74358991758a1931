# frozen_string_literal: true

RSpec.describe RAAF::Streaming::Stream, "#objects" do
  include_context "with a model server"

  def say(*deltas, **options)
    server.script(deltas: deltas, **options)
    runner.stream("Hi")
  end

  # What each yielded object was when it was yielded.
  def seen(objects)
    objects.map { |object| Marshal.load(Marshal.dump(object)) }
  end

  let(:recipe) { ['{"title":"Żu', "rek", '","steps":["so', 'ak","bo', 'il"],"serves":1', "2}"] }

  it "yields the object as it grows" do
    expect(seen(say(*recipe).objects)).to eq([
      {title: "Żu"}, {title: "Żurek"}, {title: "Żurek", steps: ["so"]}, {title: "Żurek", steps: %w[soak bo]},
      {title: "Żurek", steps: %w[soak boil]}, {title: "Żurek", steps: %w[soak boil], serves: 12}
    ])
  end

  it "yields the same object every time, and itself at the end" do
    objects = say(*recipe).objects
    yielded = []

    expect(objects.each { |object| yielded << object }).to equal(objects)
    expect(yielded.size).to eq(6)
    expect(yielded.uniq(&:object_id)).to contain_exactly(title: "Żurek", steps: %w[soak boil], serves: 12)
  end

  it "yields nothing for a piece that changes nothing" do
    expect(seen(say(" ", "{", '"ti', 'tle":', " 1", "2", ",", '"n":null', "}\n").objects))
      .to eq([{}, {title: 12}, {title: 12, n: nil}])
  end

  it "gives an Enumerator where it has no block, and is lazy where asked" do
    expect(say(*recipe).objects.each.with_index.map { |_, i| i }).to eq([0, 1, 2, 3, 4, 5])

    server.script(**silence_after(*recipe.first(3)))
    expect(runner.stream("Hi").objects.lazy.map { |object| object[:steps] }.find(&:itself)).to eq(["so"])
    server.wait_for_close(server.requests.last)
  end

  it "takes the first choice alone, and no thoughts" do
    events = [[0, {reasoning_content: "{Hm"}], [0, {content: '{"a":'}], [1, {content: '{"b":'}], [1, {content: "2}"}],
      [0, {content: "[1]}"}]].map { |index, delta| {choices: [{index: index, delta: delta}]} }
    server.script do |_, response|
      response.start(200, "content-type" => "text/event-stream")
      events.each { |event| response.event(event) }
      [0, 1].each { |index| response.event({choices: [{index: index, delta: {}, finish_reason: "stop"}]}) }
      response.event("[DONE]")
    end

    expect(runner.stream("Hi").objects.to_a.last).to eq(a: [1])
  end

  it "begins another object after tools" do
    server.script(deltas: ['{"plan":', "1}"], tool_calls: [{name: "look", id: "call_1", arguments: {}}])
    server.script(deltas: ['{"a', 'nswer":2}'])
    provider = RAAF::Models::OpenAIProvider.new(api_key: "test", base_url: server.base_url)
    tool = RAAF::Streaming::Tool.new(name: "look") { "seen" }
    agent = RAAF::Agent.new(name: "A", model: "gpt-4o", tools: [tool], provider: provider)
    stream = RAAF::Streaming::AsyncRunner.new(agent: agent).stream("Hi")

    expect(seen(stream.objects).last).to eq(answer: 2)
  end

  it "begins another object where the answer begins anew" do
    server.script(**silence_after('{"a":', '"long'))
    server.script(deltas: ['{"b":', "1}"])
    stream = runner.stream("Hi")
    objects = []

    stream.objects.each do |object|
      objects << object
      stream.redirect("Shorter") if object[:a] == "long"
    end

    expect(objects.uniq(&:object_id)).to eq([{a: "long"}, {b: 1}])
    expect(stream.objects.to_h).to eq(b: 1)
  end

  it "has nothing to yield where the chunks have been taken, and the whole all the same" do
    stream = say(*recipe)
    stream.wait

    expect(stream.objects.to_a).to eq([])
    expect(stream.objects.to_h).to eq(title: "Żurek", steps: %w[soak boil], serves: 12)
  end

  it "goes on where somebody has waited for some time" do
    gate = Queue.new
    server.script do |_, response|
      response.start(200, "content-type" => "text/event-stream")
      response.event({choices: [{index: 0, delta: {content: '{"a":"x'}}]})
      gate.pop
      response.event({choices: [{index: 0, delta: {content: 'y"}'}, finish_reason: "stop"}]}).event("[DONE]")
    end
    stream = runner.stream("Hi")
    eventually { stream.wait(0.01) || stream.status == :streaming }
    gate << :go

    expect(stream.objects.to_a.last).to eq(a: "xy")
  end

  describe "#to_h and #value" do
    it "wait for the whole" do
      expect(say(*recipe).objects.to_h).to eq(title: "Żurek", steps: %w[soak boil], serves: 12)
      expect(say("[1,", "2]").objects.value).to eq([1, 2])
    end

    it "raise where it is no object, and where it is no JSON" do
      expect { say("[1]").objects.to_h }.to raise_error(RAAF::Errors::ProtocolError, /no object/)
      expect { say("Sure! {}").objects.value }.to raise_error(RAAF::Errors::ProtocolError, /not valid JSON at byte 0/)
    end

    it "raise what ended the run" do
      server.script(deltas: ['{"a":1'], fault: :cut, after: 2)

      expect { runner.stream("Hi").objects.to_h }.to raise_error(RAAF::Errors::TruncatedStreamError)
    end
  end

  describe "of an answer that is not whole JSON" do
    it "yield what came, and tell at the end why it is not whole" do
      stream = say('{"a":"b', "c", finish_reason: "length")
      objects = []

      expect { stream.objects.each { |object| objects << object } }
        .to raise_error(RAAF::Errors::ProtocolError, /finish reason "length".*ends too early, at byte 8/) { |error|
          expect([error.provider, error.model, error.partial_text]).to eq(["openai", "gpt-4o", '{"a":"bc'])
        }
      expect(objects.last).to eq(a: "bc")
      expect(stream.status).to eq(:complete)
      expect(stream.result.final_output).to eq('{"a":"bc')
    end

    it "yield nothing more once it is no JSON" do
      yielded = []

      expect { say('{"a":1', "}", " That", ' was {"b":2}').objects.each { |object| yielded << object.dup } }
        .to raise_error(RAAF::Errors::ProtocolError, /at byte 8: expected nothing more/)
      expect(yielded).to eq([{}, {a: 1}])
    end

    it "say so where the model refused" do
      server.script(refusal: ["I can", " not"])

      expect { runner.stream("Hi").objects.to_a }.to raise_error(RAAF::Errors::ProtocolError, /the model refused/)
    end

    it "raise what ended the run, rather" do
      server.script(deltas: ['{"a":1', "}}"], fault: :cut, after: 3)

      expect { runner.stream("Hi").objects.to_a }.to raise_error(RAAF::Errors::TruncatedStreamError)
    end
  end
end
