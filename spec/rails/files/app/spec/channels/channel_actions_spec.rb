# frozen_string_literal: true

# Run inside the application, by Action Cable's own test helpers.
RSpec.describe ProbeChannel, type: :channel do
  let(:user) { create(:user) }
  let(:request_id) { SecureRandom.uuid }

  before { stub_connection current_user: user }

  def types
    transmissions.map { |message| message["type"] || message.keys.first }
  end

  it "says hello before it says whether the subscription stands" do
    subscribe
    expect(subscription).to be_confirmed
    expect(transmissions).to eq([{"type" => "raaf_hello", "protocol" => 1}])
    subscribe closed: true
    expect(subscription).to be_rejected
  end

  it "acknowledges an action before it runs, and performs it once" do
    subscribe
    2.times { perform :count, raaf: {"request_id" => request_id} }
    perform :count
    expect(types).to eq(%w[raaf_hello raaf_ack count raaf_ack count])
    expect(transmissions.last).to eq({"count" => 2})
  end

  it "has actions of its own that are the gem's, and none that are not meant to be" do
    expect(described_class.action_methods).to contain_exactly("fail", "count", "subscribed", "raaf_resume", "raaf_stop",
      "raaf_redirect")
  end

  it "lets an error that nobody rescues go its way, and tells the browser" do
    subscribe
    expect { perform :fail, raaf: {"request_id" => request_id} }.to raise_error("nobody rescues this")
    expect(types).to eq(%w[raaf_hello raaf_ack raaf_refused])
  end

  it "asks the application who may do what" do
    asked = []
    authorize = ->(by, action, stream) { (asked << [by, action, stream]) && action != :count }
    RAAF::Streaming.configure { |config| config.authorize = authorize }
    subscribe
    perform :count
    expect(types).to eq(%w[raaf_hello raaf_refused])
    expect(asked).to eq([[user, :count, nil]])
  ensure
    RAAF::Streaming.configure { |config| config.authorize = nil }
  end
end
