# frozen_string_literal: true

RSpec.describe RAAF::Streaming::Secrets do
  describe ".redact" do
    {
      "OpenAI's and Anthropic's keys" => ["key sk-proj-AbC_123-xyz here", "key [FILTERED] here"],
      "Groq's keys" => ["gsk_abcdef123456", "[FILTERED]"],
      "Google's keys" => ["AIzaSyA-1234567890", "[FILTERED]"],
      "a key of which OpenAI quotes the ends" => [
        "Incorrect API key provided: my-ke****1234. You can", "Incorrect API key provided: [FILTERED] You can"
      ],
      "the ends of a key in any sentence" => ["your key abc***xyz is", "your key [FILTERED] is"],
      "a Bearer token" => ["Authorization: Bearer abcdefgh12345", "Authorization: Bearer [FILTERED]"],
      "a key in a URL" => ["GET /v1?alt=sse&key=abc123&x=1", "GET /v1?alt=sse&key=[FILTERED]&x=1"],
      "a key in JSON" => ['{"api_key": "abcdefgh1"}', '{"api_key": "[FILTERED]"}'],
      "user and password in a URL" => ["http://me:secret@proxy:3128/x", "http://[FILTERED]@proxy:3128/x"]
    }.each do |what, (text, expected)|
      it "cuts #{what}" do
        expect(described_class.redact(text)).to eq(expected)
      end
    end

    [
      "You need to provide your API key in an Authorization header using Bearer auth.",
      "a risk-analysis of the task-manager", "2 * 3 ** 4", "see https://platform.openai.com/account/api-keys"
    ].each do |text|
      it "leaves #{text.inspect} alone" do
        expect(described_class.redact(text)).to eq(text)
      end
    end

    it "cuts a given key wherever it stands" do
      expect(described_class.redact("a=my key/1,b=my key/1", "my key/1")).to eq("a=[FILTERED],b=[FILTERED]")
    end

    it "cuts a given key that is percent-encoded" do
      expect(described_class.redact("?x=my%20key%2F1", ["my key/1"])).to eq("?x=[FILTERED]")
    end

    it "cuts the longer of two keys as a whole" do
      expect(described_class.redact("abcdef", %w[abcd abcdef])).to eq("[FILTERED]")
    end

    it "cuts a placeholder only where it stands by itself" do
      expect(described_class.redact("none at nonexistent.invalid", "none")).to eq("[FILTERED] at nonexistent.invalid")
    end

    it "does not search for a key so short that it would cut words" do
      expect(described_class.redact("banana", "an")).to eq("banana")
    end

    describe "of a text that may have lost its end" do
      def redact(text, secrets)
        described_class.redact(text, secrets, truncated: true)
      end

      it "cuts the beginning of a given key there, however much of it is left" do
        secret = "my key/1?"
        (4..8).each { |length| expect(redact("is #{secret[0, length]}", [secret])).to eq("is [FILTERED]") }
        expect(redact("is my ", [secret])).to eq("is my ")
      end

      it "cuts one that is percent-encoded, and the longer of two" do
        expect(redact("?x=my%20key%2", ["my key/1"])).to eq("?x=[FILTERED]")
        expect(redact("is sec=sec", ["sec=xyz1", "is sec=secret"])).to eq("[FILTERED]")
      end

      it "leaves the beginning of a key alone elsewhere, and that end in a whole text" do
        expect(redact("test it", ["test-key-1"])).to eq("test it")
        expect(described_class.redact("a test", ["test-key-1"])).to eq("a test")
      end
    end

    it "makes valid UTF-8 of anything" do
      expect(described_class.redact("caf\xE9 \xFF".b)).to eq("caf\uFFFD \uFFFD")
    end

    it "reads other encodings" do
      expect(described_class.redact((+"caf\xE9").force_encoding("ISO-8859-1"))).to eq("café")
    end

    it "returns nil for nil" do
      expect(described_class.redact(nil)).to be_nil
    end

    it "does not change what it was given" do
      text = +"sk-abcdefgh"
      expect { described_class.redact(text) }.not_to(change { text.dup })
    end

    # A pattern that starts over at every character needs minutes for these, not milliseconds.
    ["a", "a*", "sk-", "Bearer ", "https://", "?key=", "api key ", "api_key:  ", "*", " ", "Basic   ", "ab://"]
      .each do |unit|
      it "is through with 64 KB of #{unit.inspect} within seconds" do
        started = Process.clock_gettime(Process::CLOCK_MONOTONIC)
        described_class.redact(unit * (65_536 / unit.bytesize))
        expect(Process.clock_gettime(Process::CLOCK_MONOTONIC) - started).to be < 5
      end
    end
  end

  describe ".check_header!" do
    it "accepts what HTTP allows" do
      expect { described_class.check_header!("X-Title", "Grüße\tand more") }.not_to raise_error
    end

    {"a CR" => "a\rb", "an LF" => "a\nb", "a NUL" => "a\0b", "an escape" => "a\eb"}.each do |what, value|
      it "refuses #{what} in a value, and does not show the value" do
        expect { described_class.check_header!("X-Title", "hidden#{value}") }
          .to raise_error(ArgumentError, /X-Title(?!.*hidden)/)
      end
    end

    ["X Title", "X:Title", "", "X\r\nTitle", "Tïtle"].each do |name|
      it "refuses the name #{name.inspect}" do
        expect { described_class.check_header!(name, "x") }.to raise_error(ArgumentError, /name/)
      end
    end
  end

  describe ".check_key!" do
    it "accepts a key" do
      expect { described_class.check_key!("sk-abc") }.not_to raise_error
    end

    it "says where a line break may come from, and does not show the key" do
      expect { described_class.check_key!("sk-abc\n", name: "OPENAI_API_KEY") }
        .to raise_error(ArgumentError, /\AOPENAI_API_KEY holds a line break; strip it(?!.*sk-abc)/)
    end
  end
end
