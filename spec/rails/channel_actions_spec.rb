# frozen_string_literal: true

require "securerandom"

# Over a WebSocket to a real Puma: what the server says of itself, whatever the browser's side makes of it.
RSpec.describe "A channel that includes ChannelActions" do
  include_context "with the guide's application"

  let(:request_id) { SecureRandom.uuid }
  let(:user) { rand(10..1_000_000) } # of this example
  let(:client) { open_client }

  after { @clients&.each(&:close) }

  def open_client(**options)
    CableClient.new(server.url, user: user, **options).tap { |client| (@clients ||= []) << client }
  end

  # @return [Hash] the first message of the kind, as soon as it is there
  def told(client, **wanted)
    client.wait_until { |messages| messages.map(&:data).find { |data| wanted <= data } }
  end

  def all(client)
    client.messages.map(&:data)
  end

  def ask(client, message = "Hi", id = request_id)
    client.perform("chat", message: message, raaf: {request_id: id})
  end

  # A question whose answer does not come to its end.
  # @return [String] the stream's id
  def ask_for_endless(client, id = request_id)
    model.script(deltas: ["Half of it."], keep_open: true, finish_reason: nil, done: false)
    ask(client, "Endless?", id)
    told(client, type: "agent_chunk")
    told(client, type: "raaf_ack", request_id: id).fetch(:stream_id)
  end

  it "says hello, acknowledges a question, and then answers it under the id that it has told" do
    model.script(deltas: %w[Hello.])
    ask(client)
    told(client, chunk_type: "complete")
    hello, ack, *frames = all(client)

    expect(hello).to eq(type: "raaf_hello", protocol: 1)
    expect(ack).to match(type: "raaf_ack", request_id: request_id, stream_id: a_string_matching(/\A\h{32}\z/))
    expect(frames.map { |frame| frame[:raaf][:stream_id] }.uniq).to eq([ack[:stream_id]])
  end

  it "acknowledges a question again that comes again on another socket, and asks the model once" do
    model.script(deltas: %w[Hello.])
    before = model.requests.size
    ask(client)
    told(client, chunk_type: "complete")
    again = open_client
    ask(again)
    expect(told(again, type: "raaf_ack")[:stream_id]).to eq(told(client, type: "raaf_ack")[:stream_id])
    model.script(deltas: %w[Another.])
    ask(again, "Next", SecureRandom.uuid)
    told(again, chunk_type: "complete")
    expect(model.requests.size).to eq(before + 2)
  end

  it "tells of an error that came before there was a stream whose question it was" do
    ask(client, " ")
    expect(told(client, type: "agent_error")).to include(error: "the message is empty", raaf: {request_id: request_id})
    ask(client, "x" * 40_000, other = SecureRandom.uuid)
    expect(told(client, raaf: {request_id: other})[:error]).to match(/too long.* 40000 bytes, and may have 32768/)
  end

  it "refuses a context that is too large, and one that is none" do
    client.perform("chat", message: "Hi", context: {page: "x" * 40_000}, raaf: {request_id: request_id})
    expect(told(client, type: "agent_error")[:error]).to match(/context is too large/)
    client.perform("chat", message: "Hi", context: [1], raaf: {request_id: other = SecureRandom.uuid})
    expect(told(client, raaf: {request_id: other})[:error]).to match(/context must be a Hash/)
  end

  # What a browser has missed: frames by their numbers, and how it is with the stream.
  def resume(client, **data)
    known = client.messages.size
    client.perform("raaf_resume", data)
    client.wait_until { |messages| messages.drop(known).any? { |message| message.data[:type] == "raaf_resumed" } }
    *frames, resumed = client.messages.drop(known).map(&:data).then do |data|
      data.take(data.index { |message| message[:type] == "raaf_resumed" } + 1)
    end
    [frames.map { |frame| frame[:raaf][:seq] }, resumed[:streams]]
  end

  it "gives who comes back what was missed, in order, and says how it is" do
    id = ask_for_endless(client)
    back = open_client
    expect(resume(back)).to match([[1], {id.to_sym => a_hash_including(state: "running", attempt: 1, last: 1,
      request_id: request_id)}])
    client.perform("raaf_stop", stream_id: id)
    told(back, chunk_type: "error")
    expect(resume(back, streams: {id => {attempt: 1, seq: 1}}))
      .to match([[2], {id.to_sym => a_hash_including(state: "cancelled", last: 2)}])
    expect(resume(open_client)).to eq([[], {}])
    expect(resume(open_client, recent: true).first).to eq([1, 2])
  end

  it "gives a question that was never answered no promise" do
    ask(client, " ")
    told(client, type: "agent_error")
    id = told(client, type: "raaf_ack")[:stream_id]
    expect(resume(client, streams: {id => {}}).last).to match(id.to_sym => a_hash_including(state: "unknown"))
  end

  it "stops an answer, for who has asked and for nobody else" do
    id = ask_for_endless(client)
    request = model.requests.last
    stranger = CableClient.new(server.url, user: user + 1_000_000).tap { |one| @clients << one }
    stranger.perform("raaf_stop", stream_id: id, request_id: request_id)
    expect(told(stranger, type: "raaf_refused")).to include(action: "raaf_stop", reason: "forbidden")

    client.perform("raaf_stop", request_id: request_id)
    model.wait_for_close(request, timeout: 30)
    told(client, chunk_type: "error")
  end

  it "redirects an answer" do
    id = ask_for_endless(client)
    model.script(deltas: ["Short."])
    client.perform("raaf_redirect", stream_id: id, message: "Shorter, please")
    expect(told(client, chunk_type: "complete")[:cumulative]).to eq("Short.")
  end

  it "answers nonsense by a refusal, and goes on" do
    [{streams: 7}, {streams: {"a b" => {}}}, {streams: {"a" => []}}].each { |data| client.perform("raaf_resume", data) }
    client.perform("raaf_stop", {})
    client.perform("raaf_redirect", {stream_id: [], message: {}})
    client.wait_until { |messages| messages.count { |message| message.data[:reason] == "invalid" } == 5 }
    model.script(deltas: %w[Hello.])
    ask(client)
    told(client, chunk_type: "complete")
  end

  it "tells of an action that raises, or is none" do
    probe = open_client(channel: "ProbeChannel")
    probe.perform("fail", raaf: {request_id: request_id})
    expect(told(probe, type: "raaf_refused", request_id: request_id)).to include(action: "fail", reason: "unavailable")
    server.wait_for_log(/nobody rescues this/)
    probe.perform("perform_action", raaf: {request_id: other = SecureRandom.uuid})
    expect(told(probe, type: "raaf_refused", request_id: other)).to include(reason: "invalid")
  end

  it "does so for Action Cable's own test helpers too" do
    output = AppBuilder.guide.run("bundle", "exec", "rspec", "spec/channels/channel_actions_spec.rb",
      env: {"RAILS_ENV" => "test"})
    expect(output).to match(/^5 examples, 0 failures$/)
  end
end
