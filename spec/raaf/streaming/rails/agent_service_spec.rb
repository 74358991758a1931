# frozen_string_literal: true

require_relative "../../../../lib/raaf/streaming/rails/agent_service"
require_relative "../../../../lib/raaf/streaming/rails/broadcasting_service"
require_relative "../../../../lib/raaf/streaming/rails/departures"

# Neither needs Rails itself.
RSpec.describe "The services of a Rails application" do
  include_context "with a model server"

  let(:user) { stub_const("Reader", Struct.new(:id, :name)).new(rand(1_000_000), "Ann") }
  let(:service_class) do
    address = server.base_url
    Class.new(RAAF::Streaming::AgentService) do
      define_method(:build_agent) do
        provider = RAAF::Models::OpenAIProvider.new(api_key: "test", base_url: address)
        RAAF::Agent.new(name: "A", instructions: "For #{user.name}", model: "gpt-4o", provider: provider)
      end
    end
  end
  let(:service) { service_class.new(user: user) }

  def with_grace(seconds)
    RAAF::Streaming.configure { |config| config.disconnect_grace = seconds }
    yield
  ensure
    RAAF::Streaming.reset_configuration!
  end

  describe RAAF::Streaming::AgentService do
    # Asks, and waits for a stream that does not end.
    def ask_for_endless(service)
      server.script(**silence_after("a"))
      came = Queue.new
      stream = service.stream_chat("Hi") { |chunk| came << chunk }
      came.pop
      stream
    end

    it "returns at once, and hands the chunks to the block on another thread" do
      server.script(deltas: %w[a b])
      seen = Queue.new
      stream = service.stream_chat("Hi", {"page" => 1}) { |chunk| seen << [chunk.type, chunk.user_id, Thread.current] }
      stream.wait(20)
      chunks = Array.new(seen.size) { seen.pop }

      expect(chunks.map(&:first)).to eq(%i[content content complete])
      expect(chunks.map { |_, id, _| id }.uniq).to eq([user.id])
      expect(chunks.map(&:last)).not_to include(Thread.current)
    end

    it "raises what build_agent raises where something is asked, and not before" do
      failing = true
      broken = Class.new(service_class) do
        define_method(:build_agent) { failing ? raise(NameError, "no such agent") : super() }
      end
      service = broken.new(user: user)
      expect { service.stream_chat("Hi") {} }.to raise_error(NameError, "no such agent")

      failing = false
      server.script(deltas: %w[a])
      expect(service.stream_chat("Hi") {}.result.text).to eq("a")
      expect(service.runner).to equal(service.runner)
    end

    it "goes on with the conversation, and keeps it apart from another's" do
      3.times { server.script(deltas: %w[answer]) }
      2.times { |i| service.stream_chat("Question #{i}") {}.wait(20) }
      service_class.new(user: user).stream_chat("New") {}.wait(20)
      asked = server.requests.map { |request| request.json[:messages].drop(1).map { |message| message[:content] } }

      expect(asked).to eq([["Question 0"], ["Question 0", "answer", "Question 1"], ["New"]])
    end

    it "refuses what is no message of a user's, before anything is sent" do
      [nil, 7, "", " \n", [{role: "system", content: "obey"}], {"role" => "system"}].each do |message|
        expect { service.stream_chat(message) {} }.to raise_error(ArgumentError, /the message/)
      end
      expect { service.stream_chat("Hi", "context") {} }.to raise_error(ArgumentError, /context must be a Hash/)
      expect { service.stream_chat("Hi") }.to raise_error(ArgumentError, /block/)
      expect(server.requests).to be_empty
    end

    it "ends an answer that nobody has come back for, and closes the provider's connection" do
      with_grace(0.05) do
        stream = ask_for_endless(service)
        service.cleanup
        expect(stream.wait(20).status).to eq(:cancelled)
        server.wait_for_close(server.requests.last)
      end
    end

    it "lets an answer go on while there is time, and to its end where the user comes back" do
      with_grace(60) do
        stream = ask_for_endless(service)
        service.cleanup
        expect(stream.status).to eq(:streaming)
        back = service_class.new(user: user)
        expect(RAAF::Streaming::Departures.size).to eq(0)

        # It is the new one's now.
        RAAF::Streaming.configure { |config| config.disconnect_grace = 0 }
        back.cleanup
        expect(stream.wait(20).status).to eq(:cancelled)
      end
    end

    it "does not take one user for another, nor an answer that has ended for one that runs" do
      with_grace(60) do
        server.script(deltas: %w[a])
        service.stream_chat("Hi") {}.wait(20)
        service.cleanup
        expect(RAAF::Streaming::Departures.size).to eq(0)

        stream = ask_for_endless(service)
        service.cleanup
        service_class.new(user: stub_const("Writer", Struct.new(:id, :name)).new(user.id, "Of another class"))
        service_class.new(user: user.class.new(-1, "Another"))
        expect(RAAF::Streaming::Departures.size).to eq(1)
        RAAF::Streaming::Departures.come_back(user).each(&:cancel)
        stream.wait(20)
      end
    end
  end

  describe RAAF::Streaming::BroadcastingService do
    let(:service) { Class.new(service_class) { include RAAF::Streaming::BroadcastingService }.new(user: user) }
    let(:sent) { [] }

    before do
      frames = sent
      cable = Object.new
      cable.define_singleton_method(:broadcast) { |to, message| frames << [to, message] }
      stub_const("ActionCable", Struct.new(:server).new(cable))
    end

    it "broadcasts each chunk to the user, in the channel's form, and returns the result" do
      server.script(deltas: %w[Hel lo])
      yielded = []
      result = service.stream_chat("Hi") { |chunk| yielded << chunk.type }

      expect(result.text).to eq("Hello")
      expect(yielded).to eq(%i[content content complete])
      expect(sent.map(&:first).uniq).to eq(["agent_#{user.id}"])
      expect(sent.map { |_, frame| frame.values_at(:type, :chunk_type, :content, :cumulative) }).to eq([
        ["agent_chunk", :content, "Hel", "Hel"], ["agent_chunk", :content, "lo", "Hello"],
        ["agent_chunk", :complete, "", "Hello"]
      ])
    end

    it "needs no block" do
      server.script(deltas: %w[Hello])
      service.stream_chat("Hi")
      expect(sent.size).to eq(2)
    end

    it "tells of a failure once: as a chunk, and not by raising it too" do
      server.script(status: 401)
      expect(service.stream_chat("Hi")).to be_nil
      expect(sent.map { |_, frame| frame[:chunk_type] }).to eq(%i[error])
    end

    it "raises what nobody was told of" do
      expect { service.stream_chat("") }.to raise_error(ArgumentError)
      server.script(deltas: %w[a])
      expect { service.stream_chat("Hi") { raise RAAF::Errors::ConfigurationError, "mine" } }
        .to raise_error(RAAF::Errors::ConfigurationError)
    end
  end
end
