# frozen_string_literal: true

# Server-sent events by the WHATWG HTML standard, section 9.2.6, in whatever pieces they arrive.
RSpec.describe RAAF::Streaming::SSEParser do
  # @return [Array<Array>] type, data, last event id and retry of every event
  def read(pieces, **limits)
    parser = described_class.new(**limits)
    events = pieces.flat_map { |piece| parser.feed(piece) } + parser.finish
    events.map(&:to_a)
  end

  # The same in every split.
  def expect_events(bytes, *events)
    expected = events.map { |event| event.is_a?(Array) ? event : ["message", event, "", nil] }
    ReplaySplits.each(bytes) { |pieces| expect(read(pieces)).to eq(expected) }
  end

  # The standard's algorithm, line by line; but an event without its blank line counts at the end.
  def by_the_standard(bytes)
    events, data, type, id, retry_ms = [], nil, "", "", nil
    dispatch = lambda do
      events << [type.empty? ? "message" : type, data.join("\n"), id, retry_ms] if data
      data, type, retry_ms = nil, "", nil
    end
    bytes.delete_prefix("\uFEFF").split(/\r\n|\n|\r/, -1).each do |line|
      next dispatch.call if line.empty?
      next if line.start_with?(":")

      field, value = line.split(":", 2)
      value = value.to_s.delete_prefix(" ")
      case field
      when "data" then (data ||= []) << value
      when "event" then type = value
      when "id" then id = value unless value.include?("\0")
      when "retry" then retry_ms = Integer(value, 10) if value.match?(/\A[0-9]+\z/)
      end
    end
    dispatch.call
    events
  end

  describe "the standard's own examples" do
    it "reads data over several lines" do
      expect_events("data: YHOO\ndata: +2\ndata: 10\n\n", "YHOO\n+2\n10")
    end

    it "reads comments, ids, and a blank behind the colon" do
      expect_events(": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n",
        ["message", "first event", "1", nil], "second event", " third event")
    end

    it "reads empty data" do
      expect_events("data\n\ndata\ndata\n\n", "", "\n")
    end

    it "takes data with and without one blank for the same" do
      expect_events("data:test\n\ndata: test\n\n", "test", "test")
    end

    it "reads types of events" do
      expect_events("event: add\ndata: 73857293\n\nevent: remove\ndata: 2153\n\n",
        ["add", "73857293", "", nil], ["remove", "2153", "", nil])
    end
  end

  describe "lines" do
    it "end with LF, CRLF or CR, also mixed" do
      expect_events("data: a\n\ndata: b\r\n\r\ndata: c\r\rdata: d\r\n\ndata: e\n\r\ndata: f\r\n\r", *%w[a b c d e f])
    end

    it "hand an event over at a CR without waiting for what may follow it" do
      parser = described_class.new

      expect(parser.feed("data: a\r\r").map(&:data)).to eq(["a"])
      expect(parser.feed("\n")).to eq([])
      expect(parser.feed("data: b\r\r").map(&:data)).to eq(["b"])
    end

    it "are ignored with fields that nobody knows, whatever their case" do
      expect_events("Data: no\ndatax: no\n data: no\nx\ndata: yes\n\n", "yes")
    end

    it "may hold colons, NULs and every character" do
      expect_events("data: a:b: c\ndata: \0\ndata: Łódź 👋 \u2028\n\n", "a:b: c\n\0\nŁódź 👋 \u2028")
    end

    it "lose a byte order mark at the very start, and only there" do
      expect_events("\uFEFFdata: a\n\n\uFEFFdata: b\n\ndata: \uFEFFc\n\n", "a", "\uFEFFc")
      expect_events("\uFEFF\uFEFFdata: a\n\ndata: b\n\n", "b")
    end

    it "begin where half a byte order mark ends" do
      expect_events("\xEF\xBBdata: a\n\ndata: b\n\n".b, "b")
    end
  end

  describe "an event" do
    it "is dropped where it has no data, but its id is kept" do
      expect_events("id: 7\nevent: lost\n\ndata: a\n\n", ["message", "a", "7", nil])
    end

    it "has the id of an earlier one where it has none, and none after an empty one" do
      expect_events("id: 7\ndata: a\n\ndata: b\n\nid:\ndata: c\n\n", ["message", "a", "7", nil],
        ["message", "b", "7", nil], "c")
    end

    it "does not take an id with a NUL in it" do
      expect_events("id: 7\ndata: a\n\nid: 8\0\ndata: b\n\n", ["message", "a", "7", nil], ["message", "b", "7", nil])
    end

    it "has the last of several types, and an empty one is none" do
      expect_events("event: a\nevent: b\ndata: 1\n\nevent: a\nevent:\ndata: 2\n\n", ["b", "1", "", nil], "2")
    end

    it "has a retry of digits only" do
      expect_events("retry: 1500\ndata: a\n\nretry: -1\ndata: b\n\nretry: 1s\ndata: c\n\nretry:\ndata: d\n\n",
        ["message", "a", "", 1500], "b", "c", "d")
    end

    it "is handed over at the end although its blank line is missing" do
      ["data: a\n\ndata: b\n", "data: a\n\ndata: b", "data: a\n\ndata: b\r"].each do |bytes|
        expect_events(bytes, "a", "b")
      end
      expect_events("data: a\n\n: comment", "a")
      expect_events("data: a\n\nevent: lost", "a")
      expect_events("")
    end

    it "is in UTF-8" do
      event = described_class.new.feed("event: ą\nid: ć\ndata: ę\n\n").first

      expect([event.type, event.id, event.data]).to eq(%w[ą ć ę])
      expect(event.to_a.first(3).map(&:encoding)).to all(eq(Encoding::UTF_8))
    end
  end

  it "reads what the standard's algorithm reads, in every split" do
    words = ["data", "event", "id", "retry", "x", ":", ": ", " ", "\n", "\r", "\r\n", "\n\n", "\uFEFF", "\0", "12", "ż",
      "👋", "[DONE]", "data: ", "\n\ndata:"]
    500.times do |seed|
      generator = Random.new(seed)
      bytes = Array.new(generator.rand(1..40)) { words.sample(random: generator) }.join
      expected = by_the_standard(bytes)

      ReplaySplits.each(bytes, seeds: [seed]) { |pieces| expect([bytes, read(pieces)]).to eq([bytes, expected]) }
    end
  end

  describe "limits" do
    def expect_refused(bytes, **limits)
      ReplaySplits.each(bytes) do |pieces|
        expect { read(pieces, **limits) }.to raise_error(RAAF::Errors::ProtocolError)
      end
    end

    it "hold for a line, of whatever kind, to the byte" do
      ["data: ", ": ", "x: "].each do |start|
        fits = "#{start}#{"a" * (100 - start.size)}"

        ReplaySplits.each("#{fits}\n\ndata: b\n\n") { |pieces| expect(read(pieces, max_line: 100).last[1]).to eq("b") }
        expect_refused("#{fits}a\n\n", max_line: 100)
        expect_refused("#{fits}a", max_line: 100)
      end
    end

    it "hold for an event, with the line ends between its lines, to the byte" do
      lines = ["data: #{"a" * 49}\n", "data: #{"b" * 50}\n"].join

      ReplaySplits.each("#{lines}\n#{lines}\n") do |pieces|
        expect(read(pieces, max_event: 100).map { |event| event[1].bytesize }).to eq([100, 100])
      end
      expect_refused("#{lines}data\n\n", max_event: 100)
      expect_refused("data: #{"a" * 101}\n\n", max_event: 100)
    end

    it "end the parser: it takes nothing more" do
      parser = described_class.new(max_line: 10)

      expect { parser.feed("data: too long\n\n") }.to raise_error(RAAF::Errors::ProtocolError)
      expect(parser.feed("data: b\n\n")).to eq([])
      expect(parser.finish).to eq([])
    end
  end

  it "takes nothing that is no String" do
    expect { described_class.new.feed(nil) }.to raise_error(TypeError)
    expect { described_class.new(max_line: "1") }.to raise_error(TypeError)
    expect { described_class.new(limit: 1) }.to raise_error(ArgumentError)
  end
end
