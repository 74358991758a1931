# frozen_string_literal: true

# Action Cable performs channels' actions on 4 threads a process. One that waits for its answer would hold one of them.
RSpec.describe "40 chats with the guide's channel at once" do
  include_context "with the guide's application"

  after { @clients&.each(&:close) }

  def first_frame(client)
    client.wait_until { |messages| messages.find { |message| message.data[:chunk_type] == "content" } }
  end

  def end?(message)
    message.data[:chunk_type] == "complete"
  end

  it "are all answered while none has ended" do
    gate = Queue.new
    answer_in_parts(gate, ["Half of it, " * 5], ["and the rest."], repeat: true)
    @clients = Array.new(40) { |i| CableClient.new(server.url, user: i + 1) }
    asked = @clients.map { |client| client.perform("chat", message: "One?") }
    firsts = @clients.map { |client| first_frame(client) }
    expect(@clients.flat_map(&:messages).select { |message| end?(message) }).to eq([])

    gate.close
    @clients.each { |client| client.wait_until { |messages| messages.any? { |message| end?(message) } } }
    waits = firsts.zip(asked).map { |message, at| ((message.at - at) * 1000).round }.sort
    say("first frame after #{waits[20]} ms (median), #{waits[-1]} ms (the last one's)")
  ensure
    gate&.close
  end
end
