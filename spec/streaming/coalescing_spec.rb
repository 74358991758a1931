# frozen_string_literal: true

# Text that is gathered within a stream, over a socket.
RSpec.describe "Gathered text" do
  include ReplayHelpers

  text = "Cafe\u0301, nai\u0308ve: 1\uFE0F\u20E3 👩‍👩‍👧‍👦 👍🏽 🇩🇪🇫🇷 ❤️ क्षत्रिय 한국어 \u1112\u1161\u11AB\r\n" \
         "ไทย กำนี้ 日本語のテキスト。葛󠄀 Und so. Geht es weiter? Ja!\n\nEnde."

  # Nothing is cut by the clock unless it is asked for.
  def gathered(deltas, **settings)
    stream_scripted({chunk_buffer_timeout: 600_000, **settings}, deltas: deltas)
  end

  def in_random_pieces(text, seed)
    random = Random.new(seed)
    chars = text.chars
    pieces = []
    pieces << chars.shift(1 + random.rand(5)).join until chars.empty?
    pieces
  end

  it "is whole, and no chunk ends inside a character as a reader sees it" do
    clusters = 0
    ends = text.each_grapheme_cluster.map { |cluster| clusters += cluster.length }
    (1..20).each do |size|
      run = gathered(in_random_pieces(text, size), chunk_buffer_size: size)

      expect(run.text).to eq(text)
      expect(run.chunks).to be_a_proper_sequence
      so_far = 0
      expect(run.deltas(:content).map { |delta| so_far += delta.length } - ends).to be_empty
      expect(run.of(:content).size).to be > text.length / (size + 12)
    end
  end

  it "is whole in the result, byte for byte, where the server sends it so" do
    run = stream_scripted({chunk_buffer_size: 7, chunk_buffer_timeout: 600_000}, deltas: text.chars,
      split: :bytewise)
    expect(run.result.final_output).to eq(text)
  end

  it "is cut between words where asked" do
    run = gathered(in_random_pieces("the quick brown fox jumps over it", 1), chunk_buffer_size: 1,
      chunk_buffer_cut: :word)
    expect(run.deltas(:content)).to eq(["the ", "quick ", "brown ", "fox ", "jumps ", "over ", "it"])
  end

  it "is cut between sentences where asked, by the call" do
    RAAF::Testing::ModelServer.start do |server|
      server.script(deltas: "So it is. And then? No!".chars)
      chunks = []
      runner_for(server).run_and_stream("Hi", chunk_buffer_size: 1, chunk_buffer_timeout: 600_000,
        chunk_buffer_cut: :sentence) { |chunk| chunks << chunk.delta if chunk.content? }
      expect(chunks).to eq(["So it is. ", "And then? ", "No!"])
    end
  end

  it "comes when its time is over, also half a flag, while the model is silent" do
    gate = Queue.new
    RAAF::Testing::ModelServer.start do |server|
      server.script do |_, response|
        response.start(200, "content-type" => "text/event-stream")
        response.event({choices: [{index: 0, delta: {content: "Hallo 🇩"}}]})
        gate.pop
        response.event({choices: [{index: 0, delta: {content: "🇪"}, finish_reason: "stop"}]}).event("[DONE]")
      end
      run = stream_from(server, chunk_buffer_size: 1000, chunk_buffer_timeout: 20) do |chunk|
        gate << true if chunk.delta == "🇩"
      end
      expect(run.deltas(:content)).to eq(["Hallo ", "🇩", "🇪"])
    end
  end

  it "is all there before a chunk of another type" do
    run = stream_scripted({chunk_buffer_size: 1000, chunk_buffer_timeout: 600_000},
      reasoning: %w[Hm so], deltas: %w[Hel lo], tool_calls: [{id: "call_1", name: "look", arguments: {at: "it"}}])
    said = run.chunks.map { |chunk| [chunk.type, chunk.delta] }
    expect(said.first(2)).to eq([[:reasoning, "Hmso"], [:content, "Hello"]])
  end
end
