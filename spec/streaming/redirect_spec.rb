# frozen_string_literal: true

RSpec.describe RAAF::Streaming::Stream, "#redirect" do
  include_context "with a model server"

  # What the model was asked with a request, without the system message.
  def asked(number)
    server.requests.fetch(number - 1).json[:messages].drop(1).map { |message| message.values_at(:role, :content) }
  end

  def expect_redirected(chunks, first: %w[Long], second: %w[Sh ort])
    types = chunks.map(&:type)
    expect(types).to eq([:content] * first.size + [:status] + [:content] * second.size + [:complete])
    expect(chunks.map(&:seq)).to eq((1..chunks.size).to_a)
    notice = chunks[first.size]
    expect(notice.status).to eq(:redirected)
    expect(notice.cumulative).to eq(first.join)
    expect(notice).to be_frozen
    expect(notice).not_to be_terminal
    expect(chunks.last.cumulative).to eq(second.join)
    expect(chunks.map(&:stream_id).uniq.size).to eq(1)
  end

  before { server.script(**silence_after("Long")).script(deltas: %w[Sh ort], usage: true) }

  context "by the one who takes the chunks" do
    it "goes on in the same conversation, with what was said and the new instruction", :backends do
      stream = runner.stream("Tell me a story")
      chunks = []

      stream.each do |chunk|
        chunks << chunk
        stream.redirect("Shorter, please") if chunk.delta == "Long"
      end

      expect_redirected(chunks)
      expect(asked(1)).to eq([["user", "Tell me a story"]])
      expect(asked(2)).to eq([["user", "Tell me a story"], %w[assistant Long], ["user", "Shorter, please"]])
      server.wait_for_close(server.requests.first)
    end

    it "has a result that is the whole conversation" do
      stream = runner.stream("Tell me a story")
      stream.each { |chunk| stream.redirect("Shorter, please") if chunk.delta == "Long" }

      expect(stream.result.messages.map { |message| message.values_at(:role, :content) })
        .to eq([["user", "Tell me a story"], %w[assistant Long], ["user", "Shorter, please"], %w[assistant Short]])
      expect(stream.result.final_output).to eq("Short")
      expect(stream.result.stream_id).to eq(stream.id)
      expect(stream.status).to eq(:complete)
    end

    it "takes messages instead of a String" do
      stream = runner.stream([{role: "user", content: "One"}])
      more = [{role: "user", content: "Two"}, {role: "user", content: "Three"}]
      stream.each { |chunk| stream.redirect(more) if chunk.delta == "Long" }

      expect(asked(2)).to eq([%w[user One], %w[assistant Long], %w[user Two], %w[user Three]])
    end
  end

  context "by another thread" do
    it "reaches a consumer that waits in the middle of the answer" do
      stream = runner.stream("Tell me a story")
      taking = take(stream)
      taking.next_chunk
      until_asleep(taking.thread)

      expect(stream.redirect("Shorter, please")).to equal(stream)

      expect_redirected(taking.join.chunks)
      expect(taking.error).to be_nil
    end

    it "reaches a consumer that waits for the first token, and then nothing has been said" do
      server.clear_scripts.script(**no_answer).script(deltas: %w[Sh ort])
      stream = runner.stream("Tell me a story")
      taking = take(stream)
      server.wait_for_request
      until_asleep(taking.thread)

      stream.redirect("Shorter, please")

      expect_redirected(taking.join.chunks, first: [])
      expect(asked(2)).to eq([["user", "Tell me a story"], ["user", "Shorter, please"]])
    end

    it "holds for an answer that nobody takes yet" do
      stream = runner.stream("Tell me a story")
      server.wait_for_request
      stream.redirect("Shorter, please")

      expect(stream.result.final_output).to eq("Short")
      expect(server.requests.size).to eq(2)
    end

    it "may come again and again" do
      server.clear_scripts
      3.times { |i| server.script(**silence_after("answer #{i}")) }
      server.script(deltas: %w[last])
      stream = runner.stream("Go")
      taking = take(stream)

      3.times do |i|
        taking.next_chunk.delta == "answer #{i}" or taking.next_chunk
        stream.redirect("again #{i}")
      end

      expect(taking.types).to eq(%i[content status] * 3 + %i[content complete])
      expect(taking.chunks.map(&:seq)).to eq((1..8).to_a)
      expect(asked(4).map(&:last)).to eq(["Go", "answer 0", "again 0", "answer 1", "again 1", "answer 2", "again 2"])
    end

    it "has the last word where several come at once" do
      server.clear_scripts.script(**no_answer).default_script(deltas: %w[Short], repeat: true)
      stream = runner.stream("Go")
      server.wait_for_request

      stream.redirect("first").redirect("second")

      expect(stream.wait.status).to eq(:complete)
      expect(asked(2)).to eq([%w[user Go], %w[user second]])
      expect(server.requests.size).to eq(2)
    end
  end

  context "with callbacks" do
    it "goes on for them, and for those who wait", :backends do
      heard = Queue.new
      stream = runner.stream("Tell me a story").on { |chunk| heard << chunk }
      chunks = [heard.pop]

      stream.redirect("Shorter, please")

      expect(stream.result.final_output).to eq("Short")
      chunks << heard.pop until heard.empty?
      expect_redirected(chunks)
    end

    it "may be asked for by one of them" do
      heard = Queue.new
      stream = runner.stream("Tell me a story")
      stream.on do |chunk|
        heard << chunk
        stream.redirect("Shorter, please") if chunk.delta == "Long"
      end

      expect(stream.result.final_output).to eq("Short")
      expect_redirected(Array.new(heard.size) { heard.pop })
    end
  end

  context "and then" do
    it "cancel ends it, also before the new answer has come" do
      server.clear_scripts.script(**silence_after("Long")).script(**no_answer)
      stream = runner.stream("Tell me a story")
      taking = take(stream)
      taking.next_chunk

      stream.redirect("Shorter, please")
      request = server.wait_for_request(2)
      stream.cancel

      server.wait_for_close(request)
      expect(taking.types).to eq(%i[content status error])
      expect(taking.error).to be_a(RAAF::Errors::CancelledError)
    end

    it "cancel at once means the end" do
      stream = runner.stream("Tell me a story")
      taking = take(stream)
      taking.next_chunk

      stream.redirect("Shorter, please").cancel

      expect(taking.types.last).to eq(:error)
      expect(taking.error).to be_a(RAAF::Errors::CancelledError)
      expect(stream.status).to eq(:cancelled)
      until_idle
    end

    it "leaving ends the new request" do
      server.clear_scripts.script(**silence_after("Long")).script(**silence_after("Short"))
      stream = runner.stream("Tell me a story")

      stream.each do |chunk|
        stream.redirect("Shorter, please") if chunk.delta == "Long"
        break if chunk.delta == "Short"
      end

      server.wait_for_close(server.wait_for_request(2))
      expect(stream.status).to eq(:cancelled)
    end

    it "a failure of the new request fails the run" do
      server.clear_scripts.script(**silence_after("Long")).script(status: 401)
      stream = runner.stream("Tell me a story")
      taking = take(stream)
      taking.next_chunk

      stream.redirect("Shorter, please")

      expect(taking.types).to eq(%i[content status error])
      expect(taking.error).to be_a(RAAF::Errors::AuthenticationError)
      expect(taking.chunks.map(&:seq)).to eq([1, 2, 3])
    end

    it "fails the run where the new request cannot be written" do
      instructions = ["Be brief."]
      agent = RAAF::Agent.new(name: "Assistant", model: "gpt-4o",
        instructions: ->(*) { instructions.shift || raise(RAAF::Errors::ConfigurationError, "no more") })
      asking = RAAF::Streaming::AsyncRunner.new(agent: agent,
        provider: RAAF::Models::OpenAIProvider.new(api_key: "key", base_url: server.base_url))
      stream = asking.stream("Tell me a story")
      taking = take(stream)
      taking.next_chunk

      stream.redirect("Shorter, please")

      expect(taking.types).to eq(%i[content error])
      expect(taking.error).to be_a(RAAF::Errors::ConfigurationError)
      server.clear_scripts
    end
  end

  it "may be cancelled by the agent's own code while the new request is written" do
    stream = nil
    instructions = lambda do |*|
      stream&.cancel
      "Be brief."
    end
    agent = RAAF::Agent.new(name: "Assistant", model: "gpt-4o", instructions: instructions)
    asking = RAAF::Streaming::AsyncRunner.new(agent: agent,
      provider: RAAF::Models::OpenAIProvider.new(api_key: "key", base_url: server.base_url))
    stream = asking.stream("Tell me a story")
    taking = take(stream)
    taking.next_chunk

    stream.redirect("Shorter, please")

    expect(taking.types.last).to eq(:error)
    expect(taking.error).to be_a(RAAF::Errors::CancelledError)
    server.clear_scripts
  end

  it "is refused for a message that is none, and nothing changes" do
    stream = runner.stream("Tell me a story")
    taking = take(stream)
    taking.next_chunk

    expect { stream.redirect(42) }.to raise_error(ArgumentError)
    expect { stream.redirect([{content: "no role"}]) }.to raise_error(ArgumentError)

    expect(stream).not_to be_finished
    stream.redirect("Shorter, please")
    expect_redirected(taking.join.chunks)
  end

  it "is refused after the end" do
    server.clear_scripts.script(deltas: %w[Hello]).script(status: 401)
    2.times do
      stream = runner.stream("Hi")
      stream.wait

      expect { stream.redirect("Shorter") }.to raise_error(RAAF::Errors::Error, /has ended/)
    end
    expect(server.requests.size).to eq(2)
  end

  it "is refused after a cancel" do
    stream = runner.stream("Tell me a story").cancel

    expect { stream.redirect("Shorter") }.to raise_error(RAAF::Errors::Error, /cancelled/)

    expect(stream.wait.status).to eq(:cancelled)
    server.clear_scripts
  end

  it "needs no second place among max_concurrent_streams" do
    stream = runner.stream("Tell me a story", max_concurrent_streams: 1)
    taking = take(stream)
    taking.next_chunk

    stream.redirect("Shorter, please")

    expect_redirected(taking.join.chunks)
  end
end
