# frozen_string_literal: true

RSpec.describe RAAF::Streaming::Stream do
  include_context "with a model server"

  def say(*deltas, **options)
    server.script(deltas: deltas, **options)
    runner.stream("Hi")
  end

  it "is there at once, while the model is still silent" do
    server.script(**no_answer)

    stream = runner.stream("Hi")

    expect(stream).to be_a(described_class)
    expect(stream).not_to be_finished
    expect(stream.id).to match(/\A\h{8}-/)
    stream.cancel
  end

  it "begins by itself, and not when it is first asked" do
    stream = say("Hel", "lo")
    server.wait_for_request
    eventually { reactor_count(:active).zero? }

    expect(stream.map(&:delta)).to eq(["Hel", "lo", ""])
  end

  describe "#each" do
    it "yields every chunk, in order, and returns itself" do
      stream = say("Hel", "lo", usage: true)
      chunks = []

      expect(stream.each { |chunk| chunks << chunk }).to equal(stream)

      expect(chunks.map(&:type)).to eq(%i[content content complete])
      expect(chunks.map(&:seq)).to eq([1, 2, 3])
      expect(chunks.map(&:cumulative)).to eq(%w[Hel Hello Hello])
      expect(chunks.map(&:stream_id).uniq).to eq([stream.id])
      expect(chunks.last.usage).to include(:total_tokens)
      expect(chunks).to all(be_frozen)
    end

    it "has nothing more to yield the second time" do
      stream = say("Hello")
      stream.each { nil }

      expect(stream.each.to_a).to eq([])
      expect(stream.result.final_output).to eq("Hello")
    end

    it "raises what ended the run the second time as well" do
      server.script(status: 401)
      stream = runner.stream("Hi")

      errors = Array.new(3) { stream.each { nil } rescue $! } # rubocop:disable Style/RescueModifier

      expect(errors).to all(be_a(RAAF::Errors::AuthenticationError))
      expect(errors.uniq(&:object_id).size).to eq(1)
    end

    it "lets one take the chunks, and tells a second one so" do
      server.script(**silence_after("Hel"))
      stream = runner.stream("Hi")
      first = take(stream)
      first.next_chunk

      expect { stream.each { nil } }.to raise_error(RAAF::Errors::Error, /already being consumed/)

      expect(stream).not_to be_finished
      stream.cancel
      expect(first.types).to eq(%i[content error])
    end

    it "tells so whoever nests it, and goes on" do
      stream = say("Hel", "lo")
      errors = []

      stream.each { stream.each { nil } rescue errors << $!.class } # rubocop:disable Style/RescueModifier

      expect(errors).to eq([RAAF::Errors::Error] * 2)
      expect(stream.result.final_output).to eq("Hello")
    end

    it "is refused where callbacks take the chunks" do
      server.script(**silence_after("Hel"))
      stream = runner.stream("Hi").on(:content) { nil }

      expect { stream.each { nil } }.to raise_error(RAAF::Errors::Error, /callbacks/)
      expect { stream.first }.to raise_error(RAAF::Errors::Error, /callbacks/)
      stream.cancel
    end
  end

  describe "as an Enumerable" do
    it "is mapped, selected, counted and sorted" do
      expect(say("Hel", "lo").map(&:delta).join).to eq("Hello")
      expect(say("Hel", "lo").count(&:content?)).to eq(2)
      expect(say("Hel", "lo").each_with_index.map { |chunk, i| [i, chunk.type] })
        .to eq([[0, :content], [1, :content], [2, :complete]])
      expect(say("Hel", "lo").to_a.last).to be_complete
      expect(say("a", "b", "c").each_slice(2).map { |slice| slice.map(&:delta).join }).to eq(%w[ab c])
      expect(say("Hel", "lo").inject("") { |text, chunk| text + chunk.delta }).to eq("Hello")
      expect(say("Hel", "lo").include?(nil)).to be(false)
    end

    it "ends the request once it has what was asked for" do
      server.script(**silence_after("Hel", "lo"))

      expect(runner.stream("Hi").first.delta).to eq("Hel")

      server.wait_for_close(server.requests.last)
      server.script(**silence_after("Hel", "lo"))
      expect(runner.stream("Hi").first(2).map(&:delta)).to eq(%w[Hel lo])
      server.wait_for_close(server.requests.last)
    end

    it "is lazy where asked" do
      server.script(**silence_after("a", "b", "c"))
      stream = runner.stream("Hi")

      expect(stream.lazy.select(&:content?).map(&:delta).reject { |delta| delta == "a" }.first(2)).to eq(%w[b c])

      server.wait_for_close(server.requests.first)
      expect(stream.status).to eq(:cancelled)
    end

    it "gives an Enumerator where it has no block, which takes nothing by itself" do
      stream = say("Hel", "lo")

      each = stream.each

      expect(each).to be_a(Enumerator)
      expect(each.with_index(1).map { |chunk, i| [i, chunk.type] }.last).to eq([3, :complete])
    end

    it "is taken from outside, chunk by chunk", :backends do
      gate = Queue.new
      server.script do |_, response|
        response.start(200, "content-type" => "text/event-stream")
        %w[Hel lo].each do |delta|
          gate.pop
          response.event({choices: [{index: 0, delta: {content: delta}}]})
        end
        response.event({choices: [{index: 0, delta: {}, finish_reason: "stop"}]}).event("[DONE]")
      end
      stream = runner.stream("Hi")
      each = stream.each

      gate << :go
      expect(each.peek.delta).to eq("Hel")
      expect(each.next.delta).to eq("Hel")
      expect(stream).not_to be_finished
      gate << :go
      expect([each.next, each.next].map(&:type)).to eq(%i[content complete])
      expect { each.next }.to raise_error(StopIteration)
      expect(stream.result.final_output).to eq("Hello")
    end

    it "raises from outside too" do
      server.script(deltas: %w[Hel], fault: :cut, after: 2)
      each = runner.stream("Hi").each

      expect([each.next, each.next].map(&:type)).to eq(%i[content error])
      expect { each.next }.to raise_error(RAAF::Errors::TruncatedStreamError)
    end

    it "does not wait for itself where its Enumerator stands in the middle" do
      server.script(**silence_after("Hel"))
      stream = runner.stream("Hi")
      stream.each.tap(&:next)

      expect { stream.result }.to raise_error(RAAF::Errors::Error, /wait for itself/)
      stream.cancel
    end
  end

  describe "#text" do
    it "yields the pieces of text alone" do
      server.script(reasoning: %w[Hm], deltas: ["Hel", "", "lo"], usage: true)

      expect(runner.stream("Hi").text.to_a).to eq(%w[Hel lo])
      expect(say("Hel", "lo").text.each.next).to eq("Hel")
      expect(say("Hel", "lo").text.lazy.map(&:upcase).first).to eq("HEL")
    end

    it "is a whole String where it is asked for" do
      stream = say("Hel", "lo")

      expect(stream.text.to_s).to eq("Hello")
      expect("#{stream.text}!").to eq("Hello!")
    end

    it "raises where the run fails" do
      server.script(deltas: %w[Hel], fault: :cut, after: 2)

      expect { runner.stream("Hi").text.to_s }.to raise_error(RAAF::Errors::TruncatedStreamError) { |error|
        expect(error.partial_text).to eq("Hel")
      }
    end
  end

  describe "#wait and #result" do
    it "take the whole answer" do
      stream = say("Hel", "lo", usage: true)

      expect(stream.wait).to equal(stream)
      expect(stream.wait(0)).to equal(stream)
      expect(stream.result).to equal(stream.result)
      expect(stream.result.usage).to include(:total_tokens)
    end

    it "raise nothing, and what went wrong, where the run has failed" do
      server.script(status: 500)
      stream = runner.stream("Hi", max_retries: 0)

      expect(stream.wait.status).to eq(:failed)
      2.times { expect { stream.result }.to raise_error(RAAF::Errors::ServerError) }
    end

    it "come back when the time is over, and the run goes on", :backends do
      gate = Queue.new
      server.script do |_, response|
        response.start(200, "content-type" => "text/event-stream")
        response.event({choices: [{index: 0, delta: {content: "Hel"}}]})
        gate.pop
        response.event({choices: [{index: 0, delta: {content: "lo"}, finish_reason: "stop"}]}).event("[DONE]")
      end
      stream = runner.stream("Hi")

      expect(stream.wait(0.05)).to be_nil
      expect(stream.wait(0)).to be_nil
      expect(stream).not_to be_finished
      gate << :go
      expect(stream.wait(LifecycleHelpers::PATIENCE)).to equal(stream)
      expect(stream.result.final_output).to eq("Hello")
    end

    it "wait for another thread that takes the chunks, or for callbacks" do
      [->(stream) { take(stream) }, ->(stream) { stream.on(:content) { nil } }].each do |taken_by|
        server.script(**silence_after("Hel"))
        stream = runner.stream("Hi")
        taken_by.call(stream)
        eventually { stream.status == :streaming }

        expect(stream.wait(0.05)).to be_nil
        waiting = Thread.new { stream.wait.status }
        until_asleep(waiting)
        stream.cancel
        expect(waiting.value).to eq(:cancelled)
      end
    end

    it "raise inside the block that takes the chunks, where they would wait for themselves" do
      stream = say("Hel", "lo")
      errors = []

      stream.each do |chunk|
        next if chunk.terminal?

        %i[wait result].each { |name| stream.public_send(name) rescue errors << $! } # rubocop:disable Style/RescueModifier
      end

      expect(errors.size).to eq(4)
      expect(errors).to all(be_a(RAAF::Errors::Error).and(have_attributes(message: /wait for itself/)))
      expect(stream.result.final_output).to eq("Hello")
    end

    it "have the result inside the block with the last chunk" do
      stream = say("Hello")

      expect(stream.each { |chunk| break stream.result.final_output if chunk.complete? }).to eq("Hello")
    end
  end

  describe "#inspect" do
    it "is short and shows no text" do
      stream = say("secret words")
      stream.wait

      expect(stream.inspect).to match(/\A#<RAAF::Streaming::Stream \h{8}-\S+ complete model="gpt-4o">\z/)
    end
  end
end
