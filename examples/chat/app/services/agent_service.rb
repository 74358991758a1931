# frozen_string_literal: true

# Who answers.
class AgentService < RAAF::Streaming::AgentService
  private

  def build_agent
    RAAF::Agent.new(
      name: "Assistant",
      instructions: "You are a helpful assistant. Answer in plain text, in a few sentences.",
      model: ENV.fetch("MODEL", "gpt-4o"),
      tools: [method(:local_time)]
    )
  end

  def local_time(city:)
    LocalTime.in(city)
  end
end
