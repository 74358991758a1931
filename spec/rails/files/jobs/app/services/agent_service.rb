# frozen_string_literal: true

# Has the guide's job answer what the guide's channel is asked.
class AgentService < RAAF::Streaming::AgentService
  def stream_chat(message, context = {})
    AsyncAgentService.new(user: user).start_async_chat(message, context: context)
  end

  private

  def build_agent
    RAAF::Agent.new(name: "Assistant", instructions: "You speak with #{user.name}.", model: "gpt-4o")
  end
end
