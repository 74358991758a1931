# frozen_string_literal: true

require_relative "../../../../lib/raaf/streaming/rails/user_input"

RSpec.describe RAAF::Streaming::UserInput do
  describe ".message" do
    it "takes a text up to the limit, in bytes" do
      expect(described_class.message("é" * 50, 100)).to eq("é" * 50)
      expect { described_class.message("é" * 51, 100) }
        .to raise_error(ArgumentError, "the message is too long: it has 102 bytes, and may have 100")
    end

    it "takes its limit from the configuration" do
      RAAF::Streaming.configure { |config| config.max_message_bytes = 3 }
      expect(described_class.message("abc")).to eq("abc")
      expect { described_class.message("abcd") }.to raise_error(ArgumentError, /too long/)
    ensure
      RAAF::Streaming.reset_configuration!
    end

    it "says what is wrong with what is no text" do
      {nil => /not NilClass/, 7 => /not Integer/, [] => /not Array/, "" => /empty/, " \n" => /empty/,
       "\xED\xA0\x80" => /not valid UTF-8/}.each do |message, complaint|
        expect { described_class.message(message) }.to raise_error(ArgumentError, complaint)
      end
    end
  end

  describe ".context" do
    it "takes a Hash up to the limit, by all texts that are in it, at whatever depth" do
      context = {"page" => {"title" => "x" * 40, "tags" => ["y" * 40]}, "n" => 1, nil => false}
      expect(described_class.context(context, 300)).to equal(context)
      expect { described_class.context(context, 100) }.to raise_error(ArgumentError, /context is too large.* 100 bytes/)
      expect { described_class.context({"x" * 101 => 1}, 100) }.to raise_error(ArgumentError, /too large/)
    end

    it "counts what comes after a nil or false" do
      [nil, false].each do |nothing|
        expect { described_class.context({"a" => [nothing, "x" * 101, nothing]}, 100) }
          .to raise_error(ArgumentError, /too large/)
      end
    end

    it "takes none, and nothing else" do
      expect(described_class.context(nil)).to be_nil
      [[], "x", 7, true].each do |context|
        expect { described_class.context(context) }.to raise_error(ArgumentError, /context must be a Hash/)
      end
    end

    it "comes to an end with too many values, and with a context that holds itself" do
      [0, nil, [], "", {}].each do |small|
        expect { described_class.context({"a" => [small] * 20_000}, 1 << 30) }
          .to raise_error(ArgumentError, /10000 values/)
      end
      round = {}
      round["again"] = round
      expect { described_class.context(round, 1 << 30) }.to raise_error(ArgumentError, /too large/)
    end
  end
end
