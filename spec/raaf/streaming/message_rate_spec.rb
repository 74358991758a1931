# frozen_string_literal: true

RSpec.describe RAAF::Streaming::MessageRate do
  subject(:rate) { described_class.new }

  # Seconds of a clock that the examples set.
  let(:start) { 1000.0 }

  it "lets so many pass in any minute, and says when there is room for the next" do
    expect(rate.count("ann", 2, start)).to be_nil
    expect(rate.count("ann", 2, start + 10)).to be_nil
    expect(rate.count("ann", 2, start + 20)).to eq(40)
    expect(rate.count("ann", 2, start + 59.5)).to eq(0.5)
    expect(rate.count("ann", 2, start + 60)).to be_nil
    expect(rate.count("ann", 2, start + 60)).to eq(10)
    expect(rate.count("ann", 2, start + 70)).to be_nil
  end

  it "does not count what it refused" do
    rate.count("ann", 1, start)
    100.times { rate.count("ann", 1, start + 30) }

    expect(rate.count("ann", 1, start + 60)).to be_nil
  end

  it "counts each user by himself" do
    rate.count("ann", 1, start)

    expect(rate.count("bob", 1, start)).to be_nil
    expect(rate.count("ann", 1, start)).to eq(60)
  end

  it "measures each message by the limit that it comes with" do
    3.times { rate.count("ann", 3, start) }

    expect(rate.count("ann", 3, start + 1)).to eq(59)
    expect(rate.count("ann", 4, start + 1)).to be_nil
    expect(rate.count("ann", 1, start + 2)).to eq(59)
  end

  it "takes the last one back" do
    rate.count("ann", 1, start)
    rate.take_back("ann")

    expect(rate.count("ann", 1, start)).to be_nil
    rate.take_back("bob")
  end

  it "is the same for any order of messages as counting all of them each time" do
    random = Random.new(20_260_101)
    passed = Hash.new { |all, user| all[user] = [] }
    now = start
    differences = Array.new(5000) do
      now += random.rand(3.0)
      user, most = %w[ann bob carol].sample(random: random), random.rand(1..4)
      recent = passed[user].select { |at| at > now - 60 }
      expected = (recent[-most] + 60 - now) if recent.size >= most
      passed[user] << now unless expected
      [rate.count(user, most, now), expected]
    end

    expect(differences.reject { |found, expected| found == expected }).to be_empty
    expect(differences.count { |found, _| found }).to be_between(500, 4500)
  end

  it "forgets who has been silent for a minute" do
    1000.times { |i| rate.count("user #{i}", 1, start + (i / 100)) }
    expect(rate.size).to eq(1000)
    rate.take_back("user 999")

    rate.count("ann", 1, start + 65)
    expect(rate.size).to eq(401)
    rate.count("ann", 1, start + 200)
    expect(rate.size).to eq(1)
  end

  it "begins anew in a forked child" do
    extend LifecycleForks

    described_class.current.count("ann", 1)

    expect(in_child { described_class.current.size }).to eq(0)
  end
end
