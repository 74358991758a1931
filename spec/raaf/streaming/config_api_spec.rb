# frozen_string_literal: true

require "logger"
require "stringio"

RSpec.describe RAAF::Streaming do
  around do |example|
    before = described_class.configuration
    example.run
    described_class.reset_configuration!
    described_class.configure { |config| before.to_h.each { |name, value| config.public_send(:"#{name}=", value) } }
    described_class.logger = nil
  end

  describe ".configure" do
    it "takes the guide's settings" do
      described_class.configure do |config|
        config.chunk_buffer_size = 50
        config.chunk_buffer_timeout = 100
        config.connection_pool_size = 10
        config.connection_timeout = 30
        config.async_chunk_processing = true
        config.chunk_processing_queue = :streaming_chunks
        config.max_concurrent_streams = 100
        config.stream_timeout = 300
      end
      expect(described_class.configuration.chunk_buffer_size).to eq(50)
    end

    it "returns the new configuration, frozen" do
      changed = described_class.configure { |config| config.idle_timeout = 5 }
      expect(changed).to be_frozen.and equal(described_class.configuration)
    end

    it "changes nothing where one value is wrong" do
      expect {
        described_class.configure do |config|
          config.idle_timeout = 5
          config.max_retries = -1
        end
      }.to raise_error(RAAF::Errors::ConfigurationError).and(not_change { described_class.configuration })
    end

    it "changes nothing where the block raises" do
      expect {
        described_class.configure do |config|
          config.idle_timeout = 5
          raise IOError
        end
      }.to raise_error(IOError).and(not_change { described_class.configuration })
    end

    it "leaves a configuration that somebody holds as it is" do
      held = described_class.configuration
      expect { described_class.configure { |config| config.idle_timeout = 5 } }.not_to(change { held.to_h })
    end

    it "keeps what another one set meanwhile" do
      described_class.configure do |config|
        config.idle_timeout = 5
        Thread.new { described_class.configure { |inner| inner.max_retries = 7 } }.join
      end
      expect([described_class.configuration.idle_timeout, described_class.configuration.max_retries]).to eq([5, 7])
    end
  end

  it "goes back to the defaults" do
    described_class.configure { |config| config.idle_timeout = 5 }
    expect(described_class.reset_configuration!).to eq(RAAF::Streaming::Configuration.new)
    expect(described_class.configuration.idle_timeout).to eq(60)
  end

  describe ".logger" do
    it "is the one that was set" do
      logger = Logger.new(StringIO.new)
      described_class.logger = logger
      expect(described_class.logger).to equal(logger)
    end

    it "is Rails' where there is one" do
      logger = Logger.new(StringIO.new)
      stub_const("Rails", Module.new { define_singleton_method(:logger) { logger } })
      expect(described_class.logger).to equal(logger)
    end

    it "writes warnings, and nothing less, where nobody set one" do
      expect(described_class.logger.level).to eq(Logger::WARN)
    end
  end
end
