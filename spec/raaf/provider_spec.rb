# frozen_string_literal: true

RSpec.describe RAAF do
  describe ".provider" do
    around do |example|
      before = described_class.provider
      example.run
      described_class.provider = before
    end

    it "is what was set" do
      described_class.provider = :mine
      expect(described_class.provider).to eq(:mine)
    end

    it "can be replaced in a test, as the guide does" do
      allow(described_class).to receive(:provider).and_return(:mock)
      expect(described_class.provider).to eq(:mock)
    end
  end
end
