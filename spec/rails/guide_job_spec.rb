# frozen_string_literal: true

# The guide's StreamingAgentJob and AsyncAgentService, as they stand in the guide, behind its channel and page: what the
# channel is asked is answered by a job, which another process performs where the adapter has one.
RSpec.shared_examples "the guide's job" do
  it "is byte for byte the guide's" do
    %w[app/jobs/streaming_agent_job.rb app/services/async_agent_service.rb].each do |path|
      expect(File.read(Guide::PATH)).to include(server.app.read(path))
    end
  end
end

# What a page cannot tell apart.
RSpec.shared_examples "jobs of a reader's own ways" do |deep: false|
  def told(client, type = nil)
    client.messages.map(&:data).select { |data| type.nil? || data[:type] == type }
  end

  # @return [Hash] the last frame of an answer
  def last_frame(client)
    client.wait_until { |messages| messages.map(&:data).find { |data| data.dig(:raaf, :terminal) } }
  end

  it "acknowledges a question before any worker has it, by the id that the job's stream then has",
    deep: deep do
    %w[high normal low].each do |priority|
      model.script(deltas: ["Answer."])
      client = CableClient.new(server.url, user: somebody, channel: "AskChannel")
      request = SecureRandom.uuid
      client.perform("ask", message: "Hi", priority: priority, raaf: {request_id: request})
      frame = last_frame(client)

      expect(told(client).map { |data| data[:type] }.grep_v("raaf_hello").first).to eq("raaf_ack")
      expect(told(client, "raaf_ack").first).to include(request_id: request, stream_id: frame[:raaf][:stream_id])
      expect(frame[:raaf][:request_id]).to eq(request)
    ensure
      client&.close
    end
  end

  it "answers by HTTP at once, where a controller enqueues the job", deep: deep do
    model.script(deltas: ["Answer."])
    client = CableClient.new(server.url, user: somebody, channel: "AskChannel")
    uri = URI.join(server.url, "/asks")
    cookie = Net::HTTP.get_response(URI.join(uri, "/sign_in/#{somebody}"))["set-cookie"][/\A[^;]+/]
    answer = Net::HTTP.post(uri, "message=Hi", "Cookie" => cookie)
    session = JSON.parse(answer.body)["session_id"]

    expect(answer.code).to eq("202")
    expect(last_frame(client)).to include(session_id: session, content: "")
  ensure
    client&.close
  end
end

# The async adapter of Action Cable's is there for one process only: with it, the web process performs the jobs.
RSpec.describe "The guide's job" do
  few = {[:async, :async] => false, [:redis, :sidekiq] => false, [:solid_cable, :solid_queue] => true}
  deep = [[:redis, :async], [:redis, :solid_queue], [:solid_cable, :async], [:solid_cable, :sidekiq]]

  few.each do |(cable, jobs), most_is_deep|
    context "performed by #{jobs}, with #{cable} under Action Cable" do
      include_context "with the guide's application", cable: cable, jobs: jobs
      include_examples "the guide's job"
      include_examples "the guide's page", deep: most_is_deep
      include_examples "jobs of a reader's own ways", deep: most_is_deep
    end
  end

  deep.each do |cable, jobs|
    context "performed by #{jobs}, with #{cable} under Action Cable", deep: true do
      include_context "with the guide's application", cable: cable, jobs: jobs
      include_examples "the guide's page", deep: true
      include_examples "jobs of a reader's own ways", deep: true
    end
  end
end
