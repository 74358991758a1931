# frozen_string_literal: true

require "tempfile"

RSpec.describe RAAF::Streaming::Configuration do
  subject(:config) { described_class.new }

  it "has the documented defaults" do
    expect(config.to_h).to eq(
      chunk_buffer_size: nil, chunk_buffer_timeout: 100, chunk_buffer_cut: :grapheme, connection_pool_size: 10,
      connection_timeout: 30,
      first_token_timeout: 120, idle_timeout: 60, stream_timeout: 300, max_concurrent_streams: 100,
      max_concurrent_streams_per_user: nil, stream_queue_timeout: 0, max_queued_streams: 1000,
      stale_connection_timeout: 300, max_retries: 2, retry_delay: 0.5,
      max_retry_delay: 60, async_chunk_processing: true, chunk_processing_queue: :streaming_chunks, retain_text: true,
      max_text_bytes: 67_108_864,
      max_message_bytes: 32_768,
      messages_per_minute_per_user: nil, authorize: nil, finish_grace: 1, queue_max_items: 1024,
      queue_max_bytes: 1_048_576, max_line_bytes: 8_388_608, max_event_bytes: 16_777_216, malformed_events: :error,
      raw_events: false, tool_timeout: 60, max_turns: nil, token_budget: nil,
      conversation_store: nil, ca_file: nil, proxy: nil, context_in_instructions: true, partial_arguments: false,
      disconnect_grace: 30, replay_store: nil, cumulative_limit: 1000, memberships: nil,
      analytics: true
    )
  end

  {
    chunk_buffer_size: [[nil, 0, 50], [-1, 1.5, "50"]],
    chunk_buffer_cut: [%i[grapheme word sentence], [nil, "word", :line]],
    chunk_buffer_timeout: [[1, 0.5, 100], [0, -1, nil, "100", Float::NAN, Float::INFINITY]],
    connection_pool_size: [[1, 10], [0, nil, 2.5]],
    connection_timeout: [[0.1, 30], [0, -1, nil, 1_000_001, Complex(1, 1)]],
    first_token_timeout: [[nil, 120], [0, "1"]],
    idle_timeout: [[nil, 60, 0.5], [0, -1, false]],
    stream_timeout: [[nil, 300], [0, Float::INFINITY]],
    max_concurrent_streams: [[nil, 1], [0, 1.5]],
    max_concurrent_streams_per_user: [[nil, 3], [0]],
    stream_queue_timeout: [[0, 0.0, 2.5], [-1, nil]],
    max_queued_streams: [[1, 1000], [0, nil, 1.5]],
    stale_connection_timeout: [[0.5, 300], [0, nil]],
    max_retries: [[0, 5, 1000], [-1, nil, 1.5, 1001]],
    retry_delay: [[0, 0.5, 10], [-0.1, nil, "1", Float::NAN]],
    max_retry_delay: [[0, 0.5, 600], [-1, nil, Float::INFINITY]],
    async_chunk_processing: [[true, false], [nil, 1]],
    chunk_processing_queue: [[:low, "low"], [nil, "", 1]],
    retain_text: [[true, false], ["yes"]],
    max_text_bytes: [[1], [0, nil]],
    max_message_bytes: [[1], [0, nil]],
    messages_per_minute_per_user: [[nil, 20], [0]],
    authorize: [[nil, -> { true }], [true]],
    finish_grace: [[0, 1, 0.25], [-1, nil]],
    queue_max_items: [[1], [0]],
    queue_max_bytes: [[1], [0]],
    max_line_bytes: [[1], [0]],
    max_event_bytes: [[1], [0]],
    tool_timeout: [[nil, 0.5, 10], [0, -1, "1"]],
    max_turns: [[nil, 1], [0, 1.5]],
    cumulative_limit: [[nil, 0, 4096], [-1, 1.5, "1000"]],
    token_budget: [[nil, 1000], [0, "1"]],
    conversation_store: [[nil, RAAF::Streaming::ConversationStore.new], [1, "memory", Object.new]],
    raw_events: [[true, false], [nil, 1, "true"]],
    malformed_events: [%i[error skip], [:ignore, nil, "skip"]],
    ca_file: [[nil, __FILE__], ["/nowhere/ca.pem", 1]],
    proxy: [[nil, false, "http://proxy:3128", "https://proxy"], [true, "socks5://proxy:1080", "proxy:3128", "", "http://"]],
    context_in_instructions: [[true, false], [nil]],
    partial_arguments: [[true, false], [nil, :live]],
    disconnect_grace: [[0, 30, 0.5], [-1, nil]],
    replay_store: [[nil, RAAF::Streaming::ReplayStore::MemoryStore.new], [1, "redis://127.0.0.1", Object.new]],
    memberships: [[nil, RAAF::Streaming::Memberships::MemoryStore.new], [1, "memory", Object.new]]
  }.each do |name, (good, bad)|
    good.each do |value|
      it "takes #{value.inspect} as #{name}" do
        expect(config.with(name => value).public_send(name)).to eq(value)
      end
    end

    bad.each do |value|
      it "refuses #{value.inspect} as #{name}, and says what it takes" do
        expect {
          config.with(name => value)
        }.to raise_error(RAAF::Errors::ConfigurationError, /\A#{name} must be .+, not /)
      end
    end
  end

  describe "something that only says it is a number, as ActiveSupport's 5.minutes does" do
    let(:duration) do
      Class.new do
        def initialize(seconds) = @seconds = seconds

        def is_a?(type) = type == Numeric || super

        def to_f = @seconds.to_f
      end
    end

    it "becomes one" do
      config.stream_timeout = duration.new(300)
      expect(config.with(idle_timeout: duration.new(0.5)).to_h).to include(stream_timeout: 300, idle_timeout: 0.5)
    end
  end

  it "says the unit of every number" do
    units = /seconds|milliseconds|bytes|characters|connections|streams|attempts|messages|chunks|turns|tokens/
    numbers = RAAF::Streaming::ConfigurationKeys::ALL.values.select { |key| key.expected.include?("number") }
    expect(numbers.map(&:expected)).to all(match(units))
  end

  it "names every wrong value at once" do
    expect { config.with(idle_timeout: 0, max_retries: -1) }
      .to raise_error(RAAF::Errors::ConfigurationError, /max_retries.*idle_timeout|idle_timeout.*max_retries/m)
  end

  it "names the setting that an unknown one may have meant" do
    expect { config.with(idel_timeout: 5) }
      .to raise_error(RAAF::Errors::ConfigurationError, /no setting idel_timeout; did you mean idle_timeout\?/)
  end

  it "says so where a setter is unknown" do
    expect { config.chunk_bufer_size = 5 }
      .to raise_error(RAAF::Errors::ConfigurationError, /did you mean chunk_buffer_size\?/)
  end

  it "says so where a reader is unknown" do
    expect { config.timeout_of_idle }.to raise_error(RAAF::Errors::ConfigurationError, /no setting timeout_of_idle/)
  end

  it "shows no password of a proxy in a message" do
    expect { config.with(proxy: "socks5://me:secret@proxy") }
      .to raise_error(RAAF::Errors::ConfigurationError, /\A(?!.*secret)/)
  end

  describe "#with" do
    it "leaves the original as it is" do
      expect { config.with(idle_timeout: 5) }.not_to(change { config.idle_timeout })
    end

    it "gives a frozen copy" do
      expect(config.with(idle_timeout: 5)).to be_frozen
    end

    it "makes no copy where nothing changes" do
      frozen = config.freeze
      expect(frozen.with).to equal(frozen)
    end
  end

  it "cannot be changed once frozen, and says how to" do
    expect { config.freeze.idle_timeout = 1 }.to raise_error(FrozenError, /RAAF::Streaming\.configure/)
  end

  it "can be changed after dup" do
    copy = config.freeze.dup
    copy.idle_timeout = 1
    expect([copy.idle_timeout, config.idle_timeout]).to eq([1, 60])
  end

  it "equals another with the same settings" do
    expect([config == described_class.new, config == described_class.new(max_retries: 0)]).to eq([true, false])
  end

  it "shows in inspect what is not at its default, and no password" do
    expect(config.with(idle_timeout: 5, proxy: "http://me:secret@proxy:1").inspect)
      .to eq('#<RAAF::Streaming::Configuration idle_timeout=5 proxy="http://[FILTERED]@proxy:1">')
  end

  describe "#milliseconds" do
    it "never turns a limit into none" do
      limits = config.with(idle_timeout: 0.0001, stream_timeout: nil, connection_timeout: 1.5)
      expect(%i[idle_timeout stream_timeout connection_timeout].map { |name| limits.milliseconds(name) })
        .to eq([1, nil, 1500])
    end
  end

  describe "#effective_ca_file" do
    it "prefers the setting to the environment" do
      with_env("SSL_CERT_FILE" => "/env.pem") do
        expect([config.with(ca_file: __FILE__).effective_ca_file,
          config.effective_ca_file]).to eq([__FILE__, "/env.pem"])
      end
    end

    it "is nil where nobody named one" do
      with_env("SSL_CERT_FILE" => "") { expect(config.effective_ca_file).to be_nil }
    end
  end

  describe "#proxy_for" do
    around do |example|
      with_env("https_proxy" => "http://env:1", "http_proxy" => nil, "HTTPS_PROXY" => nil, "HTTP_PROXY" => nil,
        "no_proxy" => nil, "NO_PROXY" => nil) { example.run }
    end

    it "takes the setting, else the environment, else none" do
      url = "https://api.example.com/v1"
      proxies = ["http://set:2", nil, false].map { |proxy| config.with(proxy: proxy).proxy_for(url) }
      expect(proxies).to eq(["http://set:2", "http://env:1", nil])
    end
  end
end
