# frozen_string_literal: true

# Lets the guide's job answer what the guide's channel is asked. Whom the job asks stands here, too.
class AgentService < RAAF::Streaming::AgentService
  def stream_chat(message, context = {})
    AsyncAgentService.new(user: user, session_id: session_id).start_async_chat(message, context: context,
      priority: message.include?("hurry") ? :high : :normal)
  end

  private

  def build_agent
    RAAF::Agent.new(name: "Assistant", instructions: "You speak with #{user.name}.", model: "gpt-4o",
      tools: [method(:weather)])
  end

  def weather(city:)
    "blue over #{city}, asked by #{User.find(user.id).name}"
  end
end
