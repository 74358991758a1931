# frozen_string_literal: true

RSpec.describe RAAF::Streaming::Memberships do
  after { RAAF::Streaming.reset_configuration! }

  it "are kept in the memory of the process, where nothing else is said, and by one for all who ask" do
    expect(described_class.current).to be_a(described_class::MemoryStore)
    expect(described_class.current).to equal(described_class.current)
  end

  it "are kept where the application says" do
    own = described_class::MemoryStore.new
    RAAF::Streaming.configure { |config| config.memberships = own }
    expect(described_class.current).to equal(own)
  end

  it "are kept beside the frames of streams, where those are" do
    before = described_class.current
    RAAF::Streaming.configure { |config| config.replay_store = RAAF::Streaming::ReplayStore::MemoryStore.new }
    expect(described_class.current).to be_a(described_class::MemoryStore)
    expect(described_class.current).not_to equal(before)
    expect(described_class.current).to equal(described_class.current)
  end

  it "say what another version has to have" do
    made = Class.new(described_class).new
    expect { made.join(1, 2) }.to raise_error(NotImplementedError, /add/)
    expect { made.members(1) }.to raise_error(NotImplementedError, /list/)
  end
end
