# frozen_string_literal: true

# Lets the guide's job answer what the guide's channel is asked.
class AgentService
  def initialize(user:)
    @chats = AsyncAgentService.new(user: user)
  end

  def stream_chat(message, context = {})
    @chats.start_async_chat(message, context: context)
  end

  def cleanup
  end
end
