# frozen_string_literal: true

require "json"
require "raaf/testing"

# What Rails keeps for one of several users.
RSpec.describe "Several users of a Rails application" do
  context "whose streams run on threads of the gem's" do
    script = <<~RUBY
      require "raaf/testing"
      class Current < ActiveSupport::CurrentAttributes
        attribute :user
      end
      server = RAAF::Testing::ModelServer.start
      provider = RAAF::Models::OpenAIProvider.new(api_key: "k", base_url: server.base_url)
      seen = Queue.new
      tool = RAAF::Streaming::Tool.new(name: "look") { seen << ["tool", Current.user] }
      agent = RAAF::Agent.new(name: "A", model: "gpt-4o", tools: [tool])
      runner = RAAF::Streaming::AsyncRunner.new(agent: agent, provider: provider)
      bus = RAAF::Streaming::EventBus.new
      bus.on(:chunk) { |event| seen << ["handler", Current.user, event[:of]] }

      streams = Array.new(8) do |i|
        server.script(tool_calls: [{name: "look", id: "call_1", arguments: {}}]) if i.zero?
        server.script(deltas: %w[a b])
        Current.set(user: "user \#{i}") do
          runner.stream("Hi").on do
            seen << ["callback", Current.user, "user \#{i}"]
            bus.emit(:chunk, of: "user \#{i}")
          end
        end.tap { |stream| stream.wait(30) if i.zero? }
      end
      streams.each { |stream| stream.wait(30) }
      bus.emit(:chunk, of: nil)
      bus.drain(30)
      puts JSON.generate(Array.new(seen.size) { seen.pop }.uniq)
    RUBY

    it "has callbacks, tools and handlers see the CurrentAttributes of the one who has asked, and nobody else's" do
      users = Array.new(8) { |i| "user #{i}" }
      AppBuilder.copy(AppBuilder.fresh) do |app|
        app.write("seen.rb", script)
        seen = JSON.parse(app.rails("runner", "seen.rb").lines.last).group_by(&:first)
        expect(seen["tool"]).to eq([["tool", "user 0"]])
        expect(seen["callback"]).to match_array(users.map { |user| ["callback", user, user] })
        expect(seen["handler"]).to match_array([*users, nil].map { |user| ["handler", user, user] })
      end
    end
  end
end
