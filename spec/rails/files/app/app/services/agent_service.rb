# frozen_string_literal: true

# What a reader makes of the generated class: an agent with a tool.
class AgentService < RAAF::Streaming::AgentService
  private

  def build_agent
    RAAF::Agent.new(name: "Assistant", instructions: "You speak with #{user.name}.", model: "gpt-4o",
      tools: [method(:weather)])
  end

  def weather(city:)
    "blue over #{city}, asked by #{User.find(user.id).name}"
  end
end
