# frozen_string_literal: true

require "active_support"
require "active_support/notifications"

RSpec.describe RAAF::Streaming::Notifications do
  def subscribed(name, subscriber)
    subscription = ActiveSupport::Notifications.subscribe(name, &subscriber)
    yield
  ensure
    ActiveSupport::Notifications.unsubscribe(subscription)
  end

  it "tells whoever has subscribed, under a name that ends in .raaf" do
    heard = []
    subscribed("circuit.raaf", ->(name, _, _, _, payload) { heard << [name, payload] }) do
      described_class.publish("circuit", from: :closed, to: :open)
    end
    expect(heard).to eq([["circuit.raaf", {from: :closed, to: :open}]])
  end

  it "logs a subscriber that raises, and goes on" do
    said = []
    allow(RAAF::Streaming.logger).to receive(:error) { |message| said << message }
    subscribed("circuit.raaf", ->(*) { raise "broken" }) { described_class.publish("circuit") }
    expect(said).to match([/a subscriber of circuit\.raaf raised .*broken/m])
  end

  it "says nothing where there is no ActiveSupport" do
    hide_const("ActiveSupport::Notifications")
    expect(described_class.publish("circuit")).to be_nil
  end
end
