# frozen_string_literal: true

RSpec.describe RAAF::Models::Provider do
  it "says what a subclass must define" do
    provider = described_class.new
    expect { provider.name }.to raise_error(NotImplementedError, /name/)
    expect { provider.dialect }.to raise_error(NotImplementedError, /dialect/)
    expect { provider.build_request(messages: [], model: "m") }.to raise_error(NotImplementedError, /build_request/)
  end
end
