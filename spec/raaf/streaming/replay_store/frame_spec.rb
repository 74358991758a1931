# frozen_string_literal: true

RSpec.describe RAAF::Streaming::ReplayStore::Frame do
  def frame(**options)
    described_class.new(place: "a", seq: 1, message: {n: 1}, **options)
  end

  it "keeps what the message was, whatever becomes of the Hash" do
    message = {content: +"Hello"}
    one = frame(message: message)
    message[:content] << " World"
    expect(one.message).to eq("content" => "Hello")
    expect([one, one.data, one.place, one.delta]).to all(be_frozen)
  end

  it "takes a message that is JSON already" do
    expect(frame(message: '{"n":2}').message).to eq("n" => 2)
  end

  it "refuses numbers that are none, and a place without a name" do
    [0, -1, nil, 1.5, 1 << 53].each do |wrong|
      expect { frame(seq: wrong) }.to raise_error(ArgumentError, /seq/)
      expect { frame(attempt: wrong) }.to raise_error(ArgumentError, /attempt/)
    end
    ["", nil, "x" * 1025].each { |wrong| expect { frame(place: wrong) }.to raise_error(ArgumentError, /place/) }
  end

  it "shows nothing of the message" do
    expect(frame(message: {secret: "word"}).inspect).to eq("#<RAAF::Streaming::ReplayStore::Frame a 1-1>")
  end
end
